"""CSV and TSV: cutting, parsing, exact places of errors."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actcli.formats.delimited_records import cut

if TYPE_CHECKING:
    from pathlib import Path

    from program import Actcli

CELLS = st.text(st.sampled_from('ab,;" \n\r'), max_size=6)


def records(text: str, delimiter: str = ",") -> list[list[str]]:
    """Parse with the standard library."""
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8), st.sampled_from([",", ";", "\t"]))
def test_a_cut_of_well_formed_records_is_between_two(rows: list[list[str]], delimiter: str) -> None:
    """The records before and after it are those of the whole, and only the last is ever left (csv module)."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    text = file.getvalue()
    for end in range(len(text) + 1):
        at = cut(text[:end].encode(), delimiter.encode())
        assert records(text[:at], delimiter) + records(text[at:], delimiter) == records(text, delimiter)
    assert cut(text.encode(), delimiter.encode()) == len(text)


@given(st.text(st.sampled_from('a," \n'), max_size=30), st.sampled_from([",", ";"]))
def test_a_cut_of_anything_is_between_two(text: str, delimiter: str) -> None:
    """Stray quotes, which are text inside a cell, do not hide a line end or show a false one (csv module)."""
    at = cut(text.encode(), delimiter.encode())
    assert records(text[:at], delimiter) + records(text[at:], delimiter) == records(text, delimiter)


INPUTS = {
    "plain": "id,cat,dog\na,1,2\nb,4,3\n",
    "no last line end": "id,cat,dog\na,1,2\nb,4,3",
    "CR LF": "id,cat,dog\r\na,1,2\r\nb,4,3\r\n",
    "CR": "id,cat,dog\ra,1,2\rb,4,3\r",
    "mixed": "id,cat,dog\ra,1,2\r\nb,4,3\n",
    "byte order mark": "\ufeffid,cat,dog\na,1,2\nb,4,3\n",
    "blank lines": "\n\nid,cat,dog\n\na,1,2\n  \n\t\nb,4,3\n\n",
    "blanks around numbers": "id,cat,dog\na, 1\t,2 \nb,4,3\n",
    "quoted": '"id","cat","dog"\n"a","1","2"\n"b","4","3"\n',
    "signs": "id,cat,dog\na,+1,+2.0\nb,4e0,+.3e1\n",
}


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("text", INPUTS.values(), ids=INPUTS.keys())
def test_ways_to_write_the_same_table(text: str, actcli: Actcli) -> None:
    """Line ends, blanks, quotes and a byte order mark change nothing."""
    result = actcli("softmax", "--columns", "id,label", stdin=text.encode())
    assert (result.code, result.text) == (0, "id,label\na,dog\nb,cat\n")


@pytest.mark.usefixtures("chunk_bytes")
def test_carried_cells_come_out_as_they_are(actcli: Actcli) -> None:
    """Zeros in front, long numbers, gaps, quotes, delimiters, line ends, blanks, other scripts."""
    cells = [
        "007",
        "NA",
        "12345678901234567890123",
        "",
        'say "hi"',
        "a,b",
        "line\nend",
        "c\r",
        " blank ",
        "é 🐶",
        "nan",
        '5" pipe',
    ]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["id", "cat", "dog"])
    writer.writerows([cell, 1, 2] for cell in cells)
    result = actcli("softmax", "--columns", "id,label", stdin=file.getvalue().encode())
    assert records(result.text) == [["id", "label"], *([cell, "dog"] for cell in cells)]


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize(
    ("option", "text"),
    [
        (("-d", ";"), "id;cat;dog\na;1;2\n"),
        (("-d", "semicolon"), "id;cat;dog\na;1;2\n"),
        (("--delimiter", "tab"), "id\tcat\tdog\na\t1\t2\n"),
        (("--input-format", "tsv"), "id\tcat\tdog\na\t1\t2\n"),
        (("-d", "pipe"), "id|cat|dog\na|1|2\n"),
        (("-d", "space"), "  id  cat   dog \n a    1  2   \n"),
        (("-d", "space"), '"id" cat dog\n"a"  1  2\n'),
    ],
)
def test_delimiters(option: tuple[str, str], text: str, actcli: Actcli) -> None:
    """By name and by character; runs of blanks are one."""
    result = actcli("softmax", *option, "--columns", "id,label", stdin=text.encode())
    assert (result.code, result.text) == (0, "id,label\na,dog\n")


FAULTS = {
    "ragged": ("id,cat,dog\na,1,2\nb,3\n", "<stdin>:3: 2 cells, but the header has 3"),
    "too long": ("id,cat,dog\na,1,2,\n", "<stdin>:2: 4 cells, but the header has 3"),
    "text": ("id,cat,dog\na,1,2\nb,3,oops\n", '<stdin>:3: column "dog": "oops" is not a number'),
    "empty": ("id,cat,dog\na,1,2\nb,3,\n", '<stdin>:3: column "dog": is empty'),
    "NaN": ("id,cat,dog\na,1,2\nb,3,nan\n", '<stdin>:3: column "dog": NaN is not a logit'),
    "NaN with a payload": ("id,cat,dog\na,1,nan\nb,3,nan(1)\n", '<stdin>:2: column "dog": NaN is not a logit'),
    "only NaN with a payload": ("id,cat,dog\na,1,2\nb,3,NaN(1)\n", '<stdin>:3: column "dog": "NaN(1)" is not a number'),
    "infinity": ("id,cat,dog\na,1,2\nb,inf,1\n", '<stdin>:3: column "cat": infinity is not a logit'),
    "too large": ("id,cat,dog\na,1,2\nb,-1e400,1\n", '<stdin>:3: column "cat": "-1e400" is too large for float64'),
    "masked": ("id,cat,dog\na,1,2\nb,-inf,-inf\n", "<stdin>:3: every class is masked (-inf)"),
    "after a quoted line end": ('id,cat,dog\n"a\nb",1,2\nc,3,x\n', '<stdin>:4: column "dog": "x" is not a number'),
    "after blank lines": ("id,cat,dog\n\n\na,1,2\n\nb,3,x\n", '<stdin>:6: column "dog": "x" is not a number'),
    "in a record of two lines": ('id,cat,dog\na,1,2\n"b\nc",3,x\n', '<stdin>:3: column "dog": "x" is not a number'),
    "quote not closed": ('id,cat,dog\na,1,2\n"b,3,4\n', "<stdin>:3: a quote is not closed"),
    "quote not closed in the last cell": ('id,cat,dog\na,1,2\nb,3,"4\n', "<stdin>:3: a quote is not closed"),
    "not UTF-8": (b"id,cat,dog\na,1,2\n\xe9,3,4\n", '<stdin>:3: column "id": "\\udce9" is not UTF-8'),
    "underscore": ("cat,dog\n1,2\n1_000,3\n", '<stdin>:3: column "cat": "1_000" is not a number'),
    "wide digits": ("cat,dog\n1,2\n１,3\n", '<stdin>:3: column "cat": "１" is not a number'),
    "control character": ("cat,dog\n1,2\n\x1b[31m,3\n", '<stdin>:3: column "cat": "\\x1b[31m" is not a number'),
    "only delimiters": ("id,cat,dog\na,1,2\n,,\n", '<stdin>:3: column "cat": is empty'),
    "without a header": ("1,2\n3\n", "<stdin>:2: 1 cell, but the first row has 2"),
}


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_the_place_of_a_fault(text: str | bytes, message: str, actcli: Actcli) -> None:
    """File, physical line, column and what was found, in one line, whatever the chunks."""
    result = actcli("softmax", "-q", stdin=text if isinstance(text, bytes) else text.encode())
    assert result.code == 1
    assert result.err.startswith(f"actcli: error: {message}")
    assert result.err.count("error") == 1


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("cell", ["x", "nan", "inf", "1e400", ""])
def test_the_rows_before_a_fault_are_written(cell: str, actcli: Actcli) -> None:
    """All of them, whatever the chunks; without any, not even a header."""
    text = "id,cat,dog\na,1,2\nb,2,1\n" + f"c,{cell},1\nd,1,2\n"
    result = actcli("softmax", "--columns", "id,label", "-q", stdin=text.encode())
    assert (result.code, result.text) == (1, "id,label\na,dog\nb,cat\n")
    assert actcli("softmax", "-q", stdin=f"id,cat,dog\nc,1,{cell or 'x'}\n".encode()).out == b""


@pytest.mark.usefixtures("chunk_bytes")
def test_many_blank_lines(actcli: Actcli) -> None:
    """Are passed over, before the header, behind it and between rows, and counted as lines."""
    blank = "\n" * 500
    result = actcli("softmax", "--columns", "label", stdin=f"{blank}cat,dog\n{blank}1,2\n{blank}3,x\n".encode())
    assert result.text == "label\ndog\n"
    assert "<stdin>:1503:" in result.err


def test_a_row_that_a_quote_swallows(actcli: Actcli) -> None:
    """Is named by the quote, not by its number of cells."""
    result = actcli("softmax", stdin=b'id,a,b\n"x,1,2\ny,1,2\n')
    assert result.err == "actcli: error: <stdin>:2: a quote is not closed\n"


def test_the_first_fault_wins(actcli: Actcli) -> None:
    """A NaN in row 2 comes before text in row 4000, though text is found earlier."""
    rows = "".join(f"{number},1\n" for number in range(5000))
    text = rows.replace("\n2,", "\nnan,").replace("\n4000,", "\noops,")
    result = actcli("softmax", "--no-header", stdin=text.encode())
    assert "<stdin>:3:" in result.err


def test_text_deep_in_a_file(actcli: Actcli) -> None:
    """Row 5000 is found by its line."""
    rows = ["cat,dog"] + [f"{number}.5,1" for number in range(6000)]
    rows[5000] = "oops,1"
    result = actcli("softmax", stdin="\n".join(rows).encode())
    assert '<stdin>:5001: column "cat": "oops" is not a number' in result.err


@pytest.mark.parametrize("text", ["cat;dog\n1;2\n", "cat\tdog\n1\t2\n", "cat dog\n1 2\n"])
def test_another_delimiter_is_suggested(text: str, actcli: Actcli) -> None:
    """Nothing is sniffed, but the error helps."""
    result = actcli("softmax", stdin=text.encode())
    assert result.code == 1
    assert "hint: if its cells are separated otherwise: --delimiter" in result.err


@pytest.mark.usefixtures("chunk_bytes")
def test_decimal_commas_are_pointed_out(actcli: Actcli) -> None:
    """Also where no column of numbers is left, so that the first row is taken for data."""
    for text in (b"image;cat;dog\na;1,5;-0,25\n", b"cat;dog\n1,5;-0,25\n", b"image;cat;dog\na;1;-0,25\n"):
        result = actcli("softmax", "-d", "semicolon", stdin=text)
        assert result.code == 1
        assert result.err.splitlines()[-1] == "hint: numbers have a point, not a comma, before their fraction"


def test_masks_are_read_and_numbers_too_large_are_not_taken_for_them(actcli: Actcli) -> None:
    """-inf in any case is a mask; -1e400 is an error, also after masks in the same block."""
    text = "cat,dog,bird\n1,-inf,2\n-Infinity,1,-INF\n"
    result = actcli("softmax", "--columns", "label,probabilities", stdin=text.encode())
    assert result.code == 0
    assert result.text.splitlines()[2] == "dog,0.0,1.0,0.0"
    assert "too large" in actcli("softmax", stdin=(text + "1,2,-1e400\n").encode()).err


def test_a_line_without_end(actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused before it fills the memory."""
    monkeypatch.setattr("actcli.formats.blocks.LONGEST_RECORD", 1 << 16)
    result = actcli("softmax", stdin=b"1" * (1 << 18))
    assert (result.code, result.out) == (1, b"")
    assert "MiB without a row that ends" in result.err


@pytest.mark.parametrize("start", [b"", b"a,b\n", b"a,b\n1,2\n"])
@pytest.mark.parametrize("length", [-9, -1, 0, 1, 3, 4, 5, 9, 1000])
def test_a_line_that_is_just_too_long(
    start: bytes, length: int, actcli: Actcli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ends in an error at every length about the limit."""
    monkeypatch.setattr("actcli.formats.blocks.LONGEST_RECORD", 1 << 16)
    result = actcli("softmax", "-q", stdin=start + b"1" * ((1 << 16) + length))
    assert result.code == 1
    assert result.err.startswith("actcli: error: ")


@pytest.mark.usefixtures("chunk_bytes")
def test_a_wide_row_is_read_whole(actcli: Actcli) -> None:
    """A record may be longer than a chunk."""
    classes = 20_000
    row = ",".join(["0.25"] * (classes - 1) + ["9.5"])
    result = actcli("softmax", "--no-header", "--columns", "index", "-", stdin=f"{row}\n{row}\n".encode())
    assert result.text == f"index\n{classes - 1}\n{classes - 1}\n"


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize("names", [["k"], ["k", "j"]])
def test_no_row_becomes_a_blank_line(ending: str, names: list[str], tmp_path: Path, actcli: Actcli) -> None:
    """Cells of nothing and of blanks are in quotes where they are all of a line, which else would count for none."""
    cells = ["", " ", "x", "\t ", ""]
    rows = [[cell] * len(names) for cell in cells]
    text = "\n".join(json.dumps({**dict(zip(names, row, strict=True)), "a": 1, "b": 2}) for row in rows)
    path = tmp_path / f"out.{ending}"
    ids = [part for name in names for part in ("--id", name)]
    actcli("softmax", *ids, "--columns", "carried", "-o", path, stdin=text.encode())
    written = path.read_text()
    assert records(written, "," if ending == "csv" else "\t") == [names, *rows]
    if ending == "tsv" or len(names) == 1:
        assert all(line.strip() for line in written.splitlines())


def test_a_class_called_by_a_blank(actcli: Actcli) -> None:
    """Its label, and the name of its column, are still to be seen where they stand alone."""
    assert actcli("softmax", "--columns", "label", stdin=b'" ",b\n3,1\n1,3\n').out == b'label\n" "\nb\n'
    assert actcli("softmax", "--id", "\t", "--columns", "carried", stdin=b"\t,a,b\n1,3,1\n").out == b'"\t"\n1\n'


def test_an_empty_cell_alone_on_its_line(actcli: Actcli) -> None:
    """Is written so that it is no blank line."""
    result = actcli("softmax", "--columns", "id", stdin=b"id,cat,dog\na,1,2\n,1,2\n")
    assert result.text == 'id\na\n""\n'


@pytest.mark.parametrize("command", ["softmax", "multilabel", "binary", "inspect"])
@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("3 1 2", "space"),
        ("3\t1\t2", "tab"),
        ("3;1;2", "semicolon"),
        ("img7;3;1", "semicolon"),
        ("3|1", "pipe"),
        ("1,5;2,5", "semicolon"),
        ("1,5 2,5", "space"),
    ],
)
def test_a_single_line_that_is_data_under_another_delimiter(
    line: str, delimiter: str, command: str, actcli: Actcli
) -> None:
    """It is no header without rows: the hint names the delimiter. With --header it is a header."""
    result = actcli(command, stdin=line.encode() + b"\n")
    assert (result.code, result.out) == (1, b"")
    assert f"hint: if its cells are separated otherwise: --delimiter {delimiter}" in result.err
    assert actcli("multilabel", "--header", "--label-separator", "+", stdin=line.encode() + b"\n").code == 0


def test_a_header_without_rows_stays_one(actcli: Actcli) -> None:
    """Texts under every delimiter."""
    for line in (b"cat,dog\n", b"class 1,class 2\n", b"red fox,grey wolf\n"):
        assert actcli("multilabel", stdin=line).code == 0


@pytest.mark.parametrize("text", ["a;b\n1,5;2,5\n", "1,5;2,5\n3,5;4,5\n", "a;b\n1,5;2\n"])
def test_decimal_commas_under_another_delimiter(text: str, actcli: Actcli) -> None:
    """The cells that the comma makes are not what the hint is about."""
    result = actcli("softmax", stdin=text.encode())
    assert result.code == 1
    assert result.err.endswith("hint: if its cells are separated otherwise: --delimiter semicolon\n")


def test_a_header_in_the_middle(actcli: Actcli) -> None:
    """Files that were joined with their headers: the hint says so."""
    result = actcli("softmax", stdin=b"a,b\n1,2\na,b\n3,4\n")
    assert result.code == 1
    assert result.err.startswith(
        'actcli: error: <stdin>:3: column "a": "a" is not a number\nhint: the line is the header'
    )
