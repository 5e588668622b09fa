"""Where the input comes from, and options about it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from program import SAMPLES, Actcli, command, environment

if TYPE_CHECKING:
    from pathlib import Path

TABLE = b"id,cat,dog\na,2,1\nb,0,5\n"
RUN = ("softmax", "--columns", "carried,label", "-q")
ANSWER = "id,label\na,cat\nb,dog\n"


def test_a_file_a_dash_and_nothing(tmp_path: Path, actcli: Actcli) -> None:
    """All read the same."""
    path = tmp_path / "table.csv"
    path.write_bytes(TABLE)
    assert actcli(*RUN, path).text == actcli(*RUN, "-", stdin=TABLE).text == actcli(*RUN, stdin=TABLE).text == ANSWER


def test_the_suffix_in_any_case(tmp_path: Path, actcli: Actcli) -> None:
    """The last one says the format; --input-format wins over it."""
    path = tmp_path / "table.npy.CSV"
    path.write_bytes(TABLE)
    assert actcli(*RUN, path).text == ANSWER
    other = shutil.copy(path, tmp_path / "table.npy")
    assert actcli(*RUN, other, "--input-format", "csv").text == ANSWER
    unknown = shutil.copy(SAMPLES / "digits_logits.npy", tmp_path / "scores.bin")
    assert actcli("softmax", "--columns", "index", unknown).code == 0


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("table.csv", b"\x93NUMPY\x01\x00", "is not CSV: it looks like NPY"),
        ("table.csv", b"PK\x03\x04xxxx", "is not CSV: it looks like NPZ"),
        ("table.csv", b"\x1f\x8b\x08", "is not CSV: it looks like gzip"),
        ("table.csv", b"PAR1xxxx", "is not CSV: it looks like PARQUET"),
        ("table.csv", b"\xff\xfei\x00d\x00", "if it is UTF-16, convert it"),
        ("table.csv", "id,a,b\n".encode("utf-16-be"), "is not UTF-8 text"),
        ("table.csv", b"", "is empty"),
        ("table.csv", b"\n \n", "has no rows"),
        ("table.csv", b"\xef\xbb\xbf", "has no rows"),
        ("table.csv", b"cat,cat\n1,2\n", 'classes 1 and 2 have the same name "cat"'),
        ("table.csv", b"cat,dog,\n1,2,3\n", "class 3 has an empty name"),
        ("table.csv", b"id,x,id\na,1,b\n", '"id": "b" is not a number'),
        ("table.csv", b"a,1\n", "could be a header or data"),
        ("table.csv", b"cat,dog\n" + b"1," * 1_000_001 + b"1\n", "more than 1,000,000 columns"),
    ],
)
def test_content_that_does_not_fit(name: str, data: bytes, message: str, tmp_path: Path, actcli: Actcli) -> None:
    """One clear line with the file's name, and no output."""
    path = tmp_path / name
    path.write_bytes(data)
    target = tmp_path / "out.csv"
    result = actcli("softmax", path, "-o", target)
    assert result.code == 1
    assert result.err.startswith(f"actcli: error: {path}:")
    assert message in result.err
    assert len(result.err.splitlines()) <= 2
    assert not target.exists()


def test_files_that_cannot_be_read(tmp_path: Path, actcli: Actcli) -> None:
    """Missing, a directory."""
    assert "no such file" in actcli("softmax", tmp_path / "none.csv").err
    assert "is a directory" in actcli("softmax", tmp_path).err
    assert actcli("softmax", tmp_path).code == 1


@pytest.mark.parametrize(
    ("command", "arguments", "option"),
    [
        ("softmax", ("",), "FILE"),
        ("softmax", ("scores.csv", ""), "FILE"),
        ("softmax", ("-o", ""), "--output"),
        ("softmax", ("--policy", ""), "--policy"),
        ("softmax", ("--class-names", ""), "--class-names"),
        ("multilabel", ("--thresholds", ""), "--thresholds"),
        ("evaluate", ("--truth", ""), "--truth"),
        ("evaluate", ("-o", ""), "--output"),
        ("evaluate", ("--report", ""), "--report"),
        ("calibrate", ("--policy", ""), "--policy"),
        ("plot", ("sigmoid", "-o", ""), "--output"),
    ],
)
def test_a_file_without_a_name(command: str, arguments: tuple[str, ...], option: str, actcli: Actcli) -> None:
    """Is a usage error: what the shell makes of a variable that is not set."""
    result = actcli(command, *arguments)
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith(f"actcli: error: {option}: is empty")


def test_a_header_without_rows(actcli: Actcli) -> None:
    """Is an empty result."""
    assert actcli("softmax", stdin=b"id,cat,dog\n") == (
        0,
        b"id,label,probability,p_cat,p_dog\n",
        'actcli: note: carried along: "id"\n',
    )
    assert actcli("softmax", "-f", "json", stdin=b"id,cat,dog\n").text == "[\n]\n"


@pytest.mark.usefixtures("chunk_bytes")
def test_several_files_are_one_table(tmp_path: Path, actcli: Actcli) -> None:
    """In order, with their names and one numbering of rows."""
    for name, text in (
        ("1.csv", "id,cat,dog\na,2,1\nb,0,5\n"),
        ("2.csv", "id,cat,dog\n007,1,2\n"),
        ("3.csv", "id,cat,dog\n"),
    ):
        (tmp_path / name).write_text(text)
    paths = [tmp_path / f"{number}.csv" for number in (1, 2, 3)]
    result = actcli("softmax", *paths, "--columns", "row,file,id,label", "-q")
    assert result.text == (f"row,file,id,label\n0,{paths[0]},a,cat\n1,{paths[0]},b,dog\n2,{paths[1]},007,dog\n")


def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    """Are read one after the other."""
    paths = [tmp_path / f"{number}.csv" for number in range(300)]
    for path in paths:
        path.write_text("cat,dog\n1,2\n")
    names = " ".join(map(str, paths))
    line = f"ulimit -n 128; {' '.join(command('softmax'))} {names} --columns label --no-output-header"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"dog\n" * len(paths), b"")


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("cat,dog\n1,2\n", "dog,cat\n1,2\n", 'number 1 is "dog", but "cat" in'),
        ("cat,dog\n1,2\n", "cat,dog,bird\n1,2,3\n", "has 3 classes, but"),
        ("id,cat,dog\na,1,2\n", "cat,dog\n1,2\n", "has 0 carried columns, but"),
    ],
)
def test_several_files_that_differ(first: str, second: str, message: str, tmp_path: Path, actcli: Actcli) -> None:
    """Are an error before anything is written."""
    (tmp_path / "1.csv").write_text(first)
    (tmp_path / "2.csv").write_text(second)
    result = actcli("softmax", tmp_path / "1.csv", tmp_path / "2.csv")
    assert (result.code, result.out) == (1, b"")
    assert message in result.err


def test_precision_is_decided_for_all_files(tmp_path: Path, actcli: Actcli) -> None:
    """float32 and float64 together are computed in float64."""
    np.save(tmp_path / "1.npy", np.array([[1, 2]], dtype=np.float32))
    np.save(tmp_path / "2.npy", np.array([[1, 2]], dtype=np.float64))
    lines = actcli("softmax", tmp_path / "1.npy", tmp_path / "2.npy", "--columns", "probability").text.splitlines()
    assert lines[1] == lines[2] == repr(1 / (1 + float(np.exp(-1))))


def test_file_names_that_are_not_utf8(tmp_path: Path, actcli: Actcli) -> None:
    """Are written as messages show them, whole."""
    paths = [os.fsdecode(os.fsencode(tmp_path) + b"/long\xffname_" + letter + b".csv") for letter in (b"a", b"b")]
    for path in paths:
        with open(path, "w", encoding="utf-8") as file:
            file.write("cat,dog\n1,2\n")
    lines = actcli("softmax", *paths, "--columns", "file").text.splitlines()
    assert lines == ["file", f"{tmp_path}/long\\udcffname_a.csv", f"{tmp_path}/long\\udcffname_b.csv"]


@pytest.mark.parametrize(
    "options",
    [
        ("--no-clobber",),
        ("--top-k", "2", "--columns", "label"),
        ("--abstain-below", "0.5", "-f", "npy"),
        ("--delimiter", ";"),
        ("--header",),
        ("--id", "0"),
        ("--threshold", "0.5"),
        ("--rows", "5"),
        ("--columns", "fish"),
        ("--columns", "label,label"),
        ("--columns", "top_k"),
        ("--columns", "labels"),
        ("--input-format", "xlsx"),
        ("--format", "xlsx"),
        ("-o", "out.xlsx"),
        ("-o", "out"),
        ("-k", "0"),
        ("--precision", "0"),
        ("--from", "scores"),
        ("--dtype", "float16"),
        ("--fish",),
        ("-f", "json", "--no-output-header"),
    ],
)
def test_options_that_do_not_apply(options: tuple[str, ...], actcli: Actcli) -> None:
    """Are usage errors, not ignored."""
    result = actcli("softmax", SAMPLES / "digits_logits.npy", *options)
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith("actcli: error: ")
    assert len(result.err.splitlines()) <= 2


@pytest.mark.parametrize(
    "options",
    [
        ("--class-names", "\udcff,b"),
        ("--abstain-below", "0.9", "--abstain-label", "\udcff"),
    ],
)
def test_text_that_is_not_utf8(options: tuple[str, ...], actcli: Actcli) -> None:
    """Cannot be written, so it is refused."""
    assert actcli("softmax", *options, stdin=TABLE).code == 2


@pytest.mark.parametrize("delimiter", ["ab", "", "1", '"', "é", ".", "\n"])
def test_delimiters_that_cannot_be(delimiter: str, actcli: Actcli) -> None:
    """Would make numbers or lines ambiguous."""
    assert actcli("softmax", "--delimiter", delimiter, stdin=TABLE).code == 2


def test_softmax_has_no_threshold(actcli: Actcli) -> None:
    """The error names what it has."""
    result = actcli("softmax", "--threshold", "0.5", stdin=TABLE)
    assert result.code == 2
    assert "--abstain-below" in result.err


def test_what_is_carried_unasked_is_said(actcli: Actcli) -> None:
    """In a note that --quiet silences; with --id it was asked for."""
    assert actcli("softmax", stdin=TABLE).err == 'actcli: note: carried along: "id"\n'
    assert actcli("softmax", "-q", stdin=TABLE).err == ""
    assert actcli("softmax", "--id", "id", stdin=TABLE).err == ""


def test_names_that_meet(actcli: Actcli) -> None:
    """A carried column that is called as an output column is written as input_NAME; a class may be called as one."""
    stdin = b"label,id,probability\nx,1,2\n"
    result = actcli("softmax", "--id", "label", "--classes", "id,probability", stdin=stdin)
    assert result.text.splitlines()[0] == "input_label,label,probability,p_id,p_probability"
    assert 'the input\'s column "label" is written as "input_label"' in result.err
    picked = actcli("softmax", "--classes", "id,probability", "--columns", "input_label,label", stdin=stdin)
    assert picked.text == "input_label,label\nx,probability\n"
    assert (
        actcli("softmax", "--classes", "id,probability", "--columns", "carried,index", stdin=stdin).text
        == "label,index\nx,1\n"
    )


@pytest.mark.parametrize(
    ("columns", "header"),
    [
        ("id", "id"),
        ("carried", "id,note"),
        ("note,id", "note,id"),
        ("label,carried", "label,id,note"),
        ("probabilities,label", "p_cat,p_dog,label"),
        ("row,id", "row,id"),
        ("log_probabilities", "logp_cat,logp_dog"),
        ("logits", "logit_cat,logit_dog"),
        ("onehot", "is_cat,is_dog"),
        ("index,margin,entropy,reason", "index,margin,entropy,reason"),
    ],
)
def test_choosing_columns(columns: str, header: str, actcli: Actcli) -> None:
    """In the order of the list."""
    result = actcli("softmax", "--id", "id", "--id", "note", "--columns", columns, stdin=b"id,note,cat,dog\na,x,1,2\n")
    assert result.text.splitlines()[0] == header


def test_id_and_carried_may_be_empty(actcli: Actcli) -> None:
    """Where nothing is carried; `id` is all that is carried where none is called so."""
    assert actcli("softmax", "--columns", "id,carried,label", stdin=b"cat,dog\n1,2\n").text == "label\ndog\n"
    assert actcli("softmax", "--columns", "id", stdin=b"cat,dog\n1,2\n").out == b""
    assert (
        actcli("softmax", "--columns", "id,label", "-q", stdin=b"name,cat,dog\nx,1,2\n").text == "name,label\nx,dog\n"
    )


def test_a_name_that_is_not_utf8(tmp_path: Path, actcli: Actcli) -> None:
    """Of a file, is shown as far as it can be."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")
    assert "\\udcff.csv: no such file" in actcli("softmax", path).err
