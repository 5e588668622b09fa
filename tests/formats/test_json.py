"""JSON and JSON Lines as input: rows of objects and of lists, and what actcli itself writes."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actcli.formats.json_records import _row_ends
from program import SAMPLES, Actcli, started

if TYPE_CHECKING:
    from pathlib import Path

OBJECTS = [{"id": "a", "cat": 1, "dog": 2.5}, {"dog": 1, "id": 7, "cat": 5}, {"cat": -1e-3, "dog": 0, "id": None}]
ANSWER = "id,label\na,dog\n7,cat\n,dog\n"
RUN = ("softmax", "--id", "id", "--columns", "id,label")


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OBJECTS),
        json.dumps(OBJECTS, indent=2),
        "\ufeff" + json.dumps(OBJECTS) + "\n\n",
        "\n".join(map(json.dumps, OBJECTS)),
        "\r\n\r\n".join(map(json.dumps, OBJECTS)) + "\r\n",
        " \n" + json.dumps(OBJECTS).replace(",", " ,\n "),
    ],
    ids=["list", "indented", "byte order mark", "lines", "blank lines", "commas"],
)
def test_rows_of_objects(text: str, actcli: Actcli) -> None:
    """Matched by name, in any order; one list, or a row a line: the first bytes tell which."""
    result = actcli(*RUN, stdin=text.encode())
    assert (result.code, result.text, result.err) == (0, ANSWER, "")


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("text", ["[[1,2,0],[3, 1, 0]]", "[1,2,0]\n[3,1,0]\n", "[ [1,2,0]\n,\n[3,1,0] ]"])
def test_rows_of_lists(text: str, actcli: Actcli) -> None:
    """Have classes without names."""
    assert actcli("softmax", "--columns", "label", stdin=text.encode()).text == "label\n1\n0\n"
    assert actcli("softmax", "--classes", "1:2", "--columns", "label", stdin=text.encode()).text == "label\n1\n1\n"


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("name", ["json", "jsonl"])
@pytest.mark.parametrize(
    ("origin", "column"),
    [("logits", "logits"), ("probabilities", "probabilities"), ("log-probabilities", "log_probabilities")],
)
def test_what_actcli_writes_is_read(name: str, origin: str, column: str, tmp_path: Path, actcli: Actcli) -> None:
    """And decided the same; what is beside the scores is carried along."""
    path = tmp_path / f"scores.{name}"
    first = actcli("softmax", SAMPLES / "digits_logits.csv", "-q", "--columns", f"id,label,{column}", "-o", path)
    assert first.code == 0
    again = actcli("softmax", path, "--from", origin, "-q", "--columns", "id,input_label,label,index")
    rows = [line.split(",") for line in again.text.splitlines()]
    assert rows[0] == ["id", "input_label", "label", "index"]
    assert len(rows) == 451
    assert all(row[1] == row[2] for row in rows[1:])


@pytest.mark.usefixtures("chunk_bytes")
def test_carried_values_come_out_as_they_are(actcli: Actcli) -> None:
    """Numbers as they were written, texts, nothing, and values that hold others."""
    values = ["007", 'say "hi"', "é\n"]
    literals = ["1.10", "12345678901234567890123", "true", "null", '{"a":[1.50,"x"]}']
    texts = [*map(json.dumps, values), *literals]
    stdin = "\n".join(f'{{"id":{text},"cat":1,"dog":2}}' for text in texts)
    result = actcli("softmax", "--id", "id", "--columns", "id", "-f", "jsonl", stdin=stdin.encode())
    assert [json.loads(line)["id"] for line in result.text.splitlines()[:3]] == values
    assert result.text.splitlines()[3:] == [f'{{"id":{literal}}}' for literal in literals]


FAULTS = {
    '{"cat":1,"dog":2}\n{"cat":1}': ':2: there is no "dog"',
    '{"cat":1,"dog":2}\n{"cat":1,"dog":2,"fish":3}': ':2: "fish" is not in the first row',
    '{"cat":1,"dog":2}\n{"cat":1,"dog":"2"}': ':2: column "dog": "2" is not a number',
    '{"cat":1,"dog":2}\n{"cat":1,"dog":null}': ':2: column "dog": null is not a number',
    '{"cat":1,"dog":2}\n{"cat":1,"dog":true}': ':2: column "dog": true is not a number',
    '{"cat":1,"dog":2}\n{"cat":1,"dog":NaN}': ':2: column "dog": NaN is not a logit',
    '{"cat":1,"dog":2}\n{"cat":1,"dog":1e400}': ':2: column "dog": "1e400" is too large for float64',
    '{"cat":1,"dog":2}\n{"cat":1,"cat":3,"dog":2}': ":2: an object has the same key twice",
    '{"cat":1,"dog":2}\n[1,2]': ":2: [1,2] is no object, but the first row is",
    '{"cat":1,"dog":2}\noops': ":2: is not JSON: Expecting value",
    '{"cat":1,"dog":2}\n{"cat":1,"dog":2} {}': ":2: is not JSON: Extra data",
    '{"cat":1,"dog":2}\n{"cat":1,': ":2: is not JSON",
    '[{"cat":1,"dog":2},\n{"cat":1,"dog":"x"}]': ':2: column "dog": "x" is not a number',
    '[{"cat":1,"dog":2}\n': "the list of rows is not closed",
    '[{"cat":1,"dog":2},\n{"cat":1,': ":2: the row that begins here is not closed",
    '[{"cat":1,"dog":2}] x': "should stand where",
    '[{"cat":1,"dog":2} {"cat":1,"dog":2}]': "should stand where",
    '[{"cat":1,"dog":2}, 5]': "should stand where",
    '[{"cat":1,"dog":2},\n{"cat":1,"dog":[2}]]': ":2: is not JSON",
    "[[1,2],\n[3]]": ":2: 1 numbers, but the first row has 2",
    "[]": "has no rows",
    '{"id":"a"}': "no column of numbers",
    '{"probabilities":{"cat":1}}': "to read those: --from probabilities",
    '{"cat":1,"label":2}': '"label" does not look like a class',
}


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize(("text", "message"), FAULTS.items(), ids=range(len(FAULTS)))
def test_the_place_of_a_fault(text: str, message: str, actcli: Actcli) -> None:
    """Is its line, and the rows before it are written."""
    result = actcli("softmax", "-q", "--columns", "label", stdin=text.encode())
    assert result.code == 1
    assert message in result.err
    assert len(result.err.splitlines()) <= 2
    if ":2:" in message or "should stand" in message:
        assert len(result.text.splitlines()) == 2


def test_a_row_that_arrives_is_answered_at_once() -> None:
    """As a line of JSON Lines, and as an element of a list."""
    for opening, separator in (("", "\n"), ("[", ",")):
        with started("softmax", "--columns", "label", "--no-output-header") as running:
            running.send(f'{opening}{{"cat":1,"dog":2}}{separator}'.encode())
            assert running.line() == b"dog\n"
            running.send(f'{{"cat":2,"dog":1}}{separator}'.encode())
            assert running.line() == b"cat\n"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a"\\[]{},\n'), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('b"\\]'), max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=3), VALUES, max_size=3), max_size=5))
def test_rows_end_where_their_brackets_close(rows: list[Any]) -> None:
    """Whatever their texts hold (json module)."""
    texts = [json.dumps(row) for row in rows]
    ends = np.cumsum([1 + len(text) for text in texts]).tolist()
    assert _row_ends(("," + ",".join(texts) + "]").encode()).tolist() == ends


@pytest.mark.parametrize("name", ["id", "index", "label", "user_id", "truth"])
def test_in_an_object_of_scores_every_name_is_a_class(name: str, actcli: Actcli) -> None:
    """Also one that would not be a class among the columns of a table: a language may be called id."""
    row = {"logits": {name: 3.0, "en": 1.0}}
    result = actcli("softmax", "--columns", "label", "-f", "jsonl", stdin=json.dumps(row).encode())
    assert result.rows == [{"label": name}]


@pytest.mark.parametrize("format", ["json", "jsonl"])
@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ("log_probabilities", ("--from", "log-probabilities")),
        ("label,log_probabilities", ("--from", "log-probabilities")),
        ("logits,probabilities", ()),
    ],
)
@pytest.mark.parametrize("rows", [b"a,b,c\n-inf,2,1\n1,2,3\n", b"a,b,c\n1,2,3\n-inf,2,1\n"])
def test_a_masked_class_goes_through_json(
    rows: bytes, columns: str, options: tuple[str, ...], format: str, actcli: Actcli
) -> None:
    """Null in what actcli wrote is -inf; the probabilities are those of the table itself."""
    written = actcli("softmax", "--columns", columns, "-f", format, stdin=rows)
    assert b"null" in written.out
    read = actcli("softmax", "--columns", "probabilities", *options, "-f", "csv", stdin=written.out)
    direct = actcli("softmax", "--columns", "probabilities", stdin=rows)
    found, expected = (np.loadtxt(io.StringIO(one.text), delimiter=",", skiprows=1) for one in (read, direct))
    np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize("text", ['{"logits":{"a":null,"b":1}}', '{"a":1,"b":2}\n{"a":null,"b":1}'])
def test_null_in_other_rows_is_no_number(text: str, actcli: Actcli) -> None:
    """Other programs write it for NaN. The hint says how a masked class is written, and that works."""
    result = actcli("softmax", stdin=text.encode())
    assert result.code == 1
    assert "hint: a masked class is written -Infinity" in result.err
    assert actcli("softmax", stdin=text.replace("null", "-Infinity").encode()).code == 0


def test_a_text_is_shown_in_one_pair_of_quotes(actcli: Actcli) -> None:
    """Not as a cell that has quotes itself."""
    result = actcli("softmax", stdin=b'{"a":1,"b":2,"c":"virginica"}\n')
    assert 'column "c": "virginica" is not a number' in result.err
