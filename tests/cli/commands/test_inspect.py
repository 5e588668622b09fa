"""`actcli inspect`: what it counts (NumPy), what it suggests, and that the command it ends with works."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from actcli.prediction.inspection import Inspection, tally
from actcli.streaming.batch import Batch
from program import SAMPLES, Actcli, command, process, terminal, write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = SAMPLES / "digits_logits.csv"
NUMBERS = st.sampled_from([0.0, 1.0, 0.25, 0.75, 0.5, -3.0, 2e300, -2e300, np.nan, np.inf, -np.inf, 1e-310])


def found_in(actcli: Actcli, *arguments: str | Path, stdin: bytes = b"") -> dict[str, Any]:
    """Return the JSON that inspect writes to a pipe."""
    result = actcli("inspect", *arguments, stdin=stdin)
    assert result.code == 0, result.err
    found: dict[str, Any] = json.loads(result.text)
    return found


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=NUMBERS), st.integers(1, 5))
@settings(max_examples=60)
def test_what_is_counted(scores: np.ndarray[Any, Any], size: int) -> None:
    """Is what NumPy counts, whatever the batches are."""
    whole, parts = Inspection("abcd"[: scores.shape[1]]), Inspection("abcd"[: scores.shape[1]])
    whole.add(tally(Batch(scores, {}, str)))
    for start in range(0, len(scores), size):
        parts.add(tally(Batch(scores[start : start + size], {}, str)))
    finite = np.where(np.isfinite(scores), scores, np.nan)
    usable = ~(np.isnan(scores) | np.isposinf(scores)).any(axis=1)
    rows = scores[usable]
    best = [row == row.max() for row in rows if row.max() > -np.inf]
    for found in (whole, parts):
        np.testing.assert_array_equal(found.nan, np.isnan(scores).sum(axis=0))
        np.testing.assert_array_equal(found.infinite, np.isposinf(scores).sum(axis=0))
        np.testing.assert_array_equal(found.masked, np.isneginf(scores).sum(axis=0))
        np.testing.assert_array_equal(found.finite, np.isfinite(scores).sum(axis=0))
        np.testing.assert_array_equal(found.least, np.nanmin(np.c_[finite.T, np.full(scores.shape[1], np.inf)], axis=1))
        assert found.count("rows") == len(scores)
        assert found.count("usable") == len(rows)
        assert found.count("in_range") == sum(((row >= 0) & (row <= 1)).all() for row in rows)
        assert found.count("ties") == sum(np.count_nonzero(row) > 1 for row in best)
        assert found.count("all_masked") == len(rows) - len(best)
        winners = np.array([row.argmax() for row in best], dtype=np.int64)
        np.testing.assert_array_equal(found.best, np.bincount(winners, minlength=scores.shape[1]))
    np.testing.assert_array_equal(whole.means, parts.means)
    assert whole.rows == parts.rows


@pytest.mark.usefixtures("chunk_bytes")
def test_the_facts(actcli: Actcli) -> None:
    """Of a file, in the same bytes for any chunks (NumPy)."""
    scores = np.loadtxt(DIGITS, delimiter=",", skiprows=1, usecols=range(1, 11))
    found = found_in(actcli, DIGITS)
    assert list(found)[:8] == ["files", "format", "rows", "rows_left_out", "classes", "names", "dtype", "carried"]
    assert (found["rows"], found["classes"], found["dtype"], found["carried"]) == (450, 10, "float64", ["id"])
    assert found["names"] == (SAMPLES / "digits_classes.txt").read_text().split()
    assert (found["min"], found["max"]) == (scores.min(), scores.max())
    assert found["mean"] == pytest.approx(scores.mean(), abs=1e-15)
    for number, name in enumerate(found["names"]):
        of_class = found["per_class"][name]
        assert (of_class["min"], of_class["max"]) == (scores[:, number].min(), scores[:, number].max())
        assert of_class["mean"] == pytest.approx(scores[:, number].mean(), abs=1e-14)
        assert of_class["largest"] == np.count_nonzero(scores.argmax(axis=1) == number)
    assert (found["share_in_0_1"], found["share_summing_to_1"], found["suggests"]) == (0, 0, "logits")
    assert found["next"] == f"actcli softmax {DIGITS} --id id"
    assert found["or"] == f"actcli multilabel {DIGITS} --id id"


@pytest.mark.usefixtures("chunk_bytes")
def test_what_other_commands_refuse(actcli: Actcli) -> None:
    """Is counted; the command leaves those rows out."""
    stdin = b"a,b,c\nnan,1,2\n1,inf,3\n-inf,2,2\n-inf,-inf,-inf\n5,6,7\n"
    found = found_in(actcli, stdin=stdin)
    assert (found["nan"], found["infinities"], found["masked"], found["ties"]) == (1, 1, 4, 1)
    assert (found["min"], found["max"]) == (1, 7)
    assert found["next"] == "actcli softmax - --on-bad-row skip"
    assert found["or"] == "actcli multilabel - --on-bad-row skip"
    masked = found_in(actcli, stdin=b"a,b,c\n-inf,-inf,-inf\n5,6,7\n")
    assert masked["next"] == "actcli softmax - --on-bad-row skip"
    assert masked["or"] == "actcli multilabel -"


def test_nothing_but_nan(actcli: Actcli) -> None:
    """Suggests nothing."""
    found = found_in(actcli, stdin=b"a,b\nnan,1\n2,nan\n")
    assert (found["suggests"], found["next"], found["or"], found["mean"]) == (None, None, None, 1.5)
    empty = found_in(actcli, stdin=b"a,b\nnan,nan\n")
    assert (empty["min"], empty["mean"], empty["per_class"]["a"]["max"]) == (None, None, None)


def test_no_rows(actcli: Actcli) -> None:
    """Are a fact like others."""
    found = found_in(actcli, stdin=b"a,b\n")
    assert (found["rows"], found["share_in_0_1"], found["next"]) == (0, None, None)


SHARES = scipy.special.softmax(np.random.default_rng(0).normal(0, 2, (30, 4)), axis=1)
CASES: list[tuple[str, np.ndarray[Any, Any], str, list[str]]] = [
    ("logits", np.random.default_rng(1).normal(0, 3, (30, 4)), "logits", ["softmax"]),
    ("shares", SHARES, "probabilities", ["softmax", "--from", "probabilities"]),
    ("rounded", SHARES * 0.995, "probabilities", ["softmax", "--from", "probabilities", "--renormalize"]),
    ("log shares", np.log(SHARES), "log-probabilities", ["softmax", "--from", "log-probabilities"]),
    ("cells", scipy.special.expit(SHARES * 9 - 4), "probabilities", ["multilabel", "--from", "probabilities"]),
    ("one logit", np.array([[-3.0], [2.0]]), "logits", ["binary"]),
    ("one probability", np.array([[0.2], [1.0]]), "probabilities", ["binary", "--from", "probabilities"]),
    ("two logits", np.array([[-3.0, 1], [2.0, 5]]), "logits", ["binary"]),
    ("two shares", np.array([[0.25, 0.75], [1, 0]]), "probabilities", ["binary", "--from", "probabilities"]),
    ("two cells", np.array([[0.25, 0.25], [1, 0]]), "probabilities", ["multilabel", "--from", "probabilities"]),
]


@pytest.mark.parametrize("suffix", ["csv", "npy"])
@pytest.mark.parametrize(("name", "scores", "looks", "words"), CASES, ids=[case[0] for case in CASES])
def test_the_next_command(
    name: str, scores: np.ndarray[Any, Any], looks: str, words: list[str], suffix: str, actcli: Actcli, tmp_path: Path
) -> None:
    """Fits the numbers, and works without a word."""
    path = tmp_path / f"it's {name}.{suffix}"
    if suffix == "csv":
        write_csv(path, scores)
    else:
        np.save(path, scores)
    found = found_in(actcli, path)
    assert found["suggests"] == looks
    said = shlex.split(found["next"])
    assert said == ["actcli", words[0], str(path), *words[1:]]
    result = actcli(*said[1:])
    assert (result.code, result.err) == (0, "")
    assert len(result.text.splitlines()) == len(scores) + 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("-d", ";"), "name;a;b;c\nx;1;2;3\n"),
        (("--delimiter", "semicolon", "--no-header"), "1;2;3\n"),
        (("--classes", "c:e", "--input-format", "csv"), "a,b,c,d,e\n1,2,3,4,5\n"),
        (("--id", "a", "--header"), "a,b,c,d\n1,2,3,4\n"),
        (("--class-names", "one,two,three"), "a,b,c\n1,2,3\n"),
        (("--on-bad-row", "skip"), "a,b,c\n1,2,3\nx,3,4\n"),
        ((), "the id,-x,a b,c,d,e\np,q,r,1,2,3\n"),
        ((), "a,b,c,d,e,f,g\np,p,p,p,1,2,3\n"),
    ],
)
def test_options_are_kept(options: Sequence[str], text: str, actcli: Actcli, tmp_path: Path) -> None:
    """The next command has those that the file needs: it gives a row for each."""
    path = tmp_path / "scores.txt"
    path.write_text(text)
    for said in (found_in(actcli, path, *options)[key] for key in ("next", "or")):
        result = actcli(*shlex.split(said)[1:])
        assert result.code == 0, result.err
        assert len(result.text.splitlines()) == 2


def test_file_names_like_options(actcli: Actcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are written so that they are none."""
    monkeypatch.chdir(tmp_path)
    Path("-x.csv").write_text("a,b\n1,2\n")
    assert found_in(actcli, "--", "-x.csv")["next"] == "actcli binary ./-x.csv"


def test_its_own_output(actcli: Actcli) -> None:
    """Is recognised by its names: one command further there are probabilities."""
    table = actcli("softmax", DIGITS, "-q").out
    said = found_in(actcli, stdin=table)["next"]
    assert said == "actcli inspect - --id id --id label --classes 'p_*'"
    said = found_in(actcli, *shlex.split(said)[2:], stdin=table)["next"]
    assert "--from probabilities" in said
    again = actcli(*shlex.split(said)[1:], "--columns", "label", stdin=table)
    assert again.err.count("note") <= 1
    labels = [line.split(",")[1] for line in table.decode().splitlines()[1:]]
    assert again.text.splitlines()[1:] == [f"p_{label}" for label in labels]


def test_what_the_numbers_are(actcli: Actcli) -> None:
    """May be said: then it is believed, and JSON rows are found by it."""
    assert found_in(actcli, "--from", "probabilities", stdin=b"a,b,c\n0.5,0.6,0.7\n")["suggests"] == "probabilities"
    table = actcli("softmax", DIGITS, "-f", "jsonl", "-q").out
    assert found_in(actcli, stdin=table)["next"].endswith("--from probabilities")
    said = found_in(actcli, "--from", "probabilities", stdin=table)["next"]
    assert shlex.split(said)[:3] == ["actcli", "softmax", "-"]
    assert actcli(*shlex.split(said)[1:], "-q", stdin=table).err == ""


def test_dtypes(actcli: Actcli, tmp_path: Path) -> None:
    """Are those of the file, not those of the computation."""
    for dtype in ("float16", "float32", "int64", ">f8"):
        np.save(tmp_path / "x.npy", np.arange(6).reshape(2, 3).astype(dtype))
        assert found_in(actcli, tmp_path / "x.npy")["dtype"] == np.dtype(dtype).newbyteorder("=").name
    table = pa.table({"id": ["a"], "x": pa.array([1.5], pa.float32()), "y": pa.array([2.5], pa.float32())})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    found = found_in(actcli, tmp_path / "x.parquet")
    assert (found["format"], found["dtype"], found["carried"]) == ("parquet", "float32", ["id"])


def test_an_array_of_one_dimension(actcli: Actcli, tmp_path: Path) -> None:
    """Is one logit a row, as binary reads it."""
    np.save(tmp_path / "x.npy", np.linspace(-3, 3, 7))
    found = found_in(actcli, tmp_path / "x.npy")
    assert (found["rows"], found["classes"], found["next"]) == (7, 1, f"actcli binary {tmp_path / 'x.npy'}")
    assert any("one dimension" in remark for remark in found["remarks"])


def test_truth_files(actcli: Actcli) -> None:
    """Are noticed."""
    assert any("truth" in remark for remark in found_in(actcli, SAMPLES / "properties_truth.csv")["remarks"])


@pytest.mark.parametrize("stdin", [b"", b"a,b\n1,2,3\n", b"\x80\x04pickle", b"a;b\n1;2\n", b"a,b\n1\n", b'{"a":'])
def test_what_cannot_be_read(stdin: bytes, actcli: Actcli) -> None:
    """Is the same error as that of the other commands."""
    result = actcli("inspect", stdin=stdin)
    assert result.code == 1
    assert result == actcli("multilabel", stdin=stdin)


def test_formats(actcli: Actcli, tmp_path: Path) -> None:
    """Are a table and JSON, by suffix, option, or who reads."""
    assert actcli("inspect", DIGITS, "-o", tmp_path / "x.json").out == b""
    assert json.loads((tmp_path / "x.json").read_text()) == found_in(actcli, DIGITS)
    assert actcli("inspect", DIGITS, "--format", "table").text.startswith(f"{DIGITS}\n")
    assert actcli("inspect", DIGITS, "-o", tmp_path / "x.csv").code == 2
    assert actcli("inspect", DIGITS, "-f", "csv").code == 2
    assert actcli("inspect", DIGITS, "--no-clobber").code == 2
    assert actcli("inspect", DIGITS, "-o", tmp_path / "x.json", "--no-clobber").code == 1
    assert actcli("inspect", DIGITS, "-o", DIGITS, "-f", "json").code == 2


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_on_a_terminal(width: int, locale: str) -> None:
    """It fits the width, and ends with the next command, whole."""
    run = command("inspect", "sample_data/digits_logits.csv")
    code, shown = terminal(run, width=width, LC_ALL=locale, PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    lines = shown.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= width
    assert lines[-1] == "  actcli softmax sample_data/digits_logits.csv --id id"
    assert shown.isascii() == (locale == "C")


def test_hostile_names() -> None:
    """Are shown literally, without control characters."""
    stdin = b'"[red]x[/red]",":dog:","\x1b[31mred"\n1,2,3\n'
    result = process("inspect", "-f", "table", stdin=stdin)
    for text in ("[red]x[/red]", ":dog:", "\\x1b[31mred"):
        assert text in result.out.decode()
    assert b"\x1b[31m" not in result.out


def test_many_classes(actcli: Actcli, tmp_path: Path) -> None:
    """Are not all shown, but all are in JSON."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(3, 300)))
    assert "280 more classes" in actcli("inspect", tmp_path / "x.npy", "-f", "table").text
    assert len(found_in(actcli, tmp_path / "x.npy")["per_class"]) == 300


@pytest.mark.parametrize(
    "text",
    [
        "cat,dog,note\n1,2,x\n3,1,y\n",
        "cat,dog,a,b,c,d\n1,2,x,x,x,x\n3,1,y,y,y,y\n",
        "id,score,y_true\n1,0.5,1\n2,-3,0\n",
        '{"id":1,"probabilities":{"cat":0.2,"dog":0.8}}\n',
        '{"id":1,"log_probabilities":{"cat":-1.6094379124341003,"dog":-0.2231435513142097}}\n',
        '{"cat":1,"dog":2,"note":"x"}\n',
    ],
)
def test_a_table_that_needs_options_is_described(text: str, actcli: Actcli) -> None:
    """Columns that are no classes are carried along, and the suggested command works."""
    found = found_in(actcli, stdin=text.encode())
    assert found["classes"] == len({"cat", "dog", "score"} & set(found["names"]))
    words = shlex.split(found["next"])
    result = actcli(*words[1:], "--columns", "label", stdin=text.encode())
    assert result.code == 0
    assert len(result.text.splitlines()) == 1 + found["rows"]


def test_columns_of_types_that_are_no_numbers_are_described(tmp_path: Path, actcli: Actcli) -> None:
    """The type is said as a type in the error that the other commands give."""
    path = tmp_path / "scores.parquet"
    pa.parquet.write_table(pa.table({"cat": [1.0], "dog": [2.0], "note": pa.array(["x"], pa.large_string())}), path)
    found = found_in(actcli, path)
    assert (found["names"], found["carried"]) == (["cat", "dog"], ["note"])
    assert actcli(*shlex.split(found["next"])[1:]).code == 0
    assert 'column "note" is large_string, not a number\n' in actcli("softmax", path).err


@pytest.mark.parametrize("format", ["json", "table"])
def test_a_table_without_numbers_is_described(format: str, actcli: Actcli) -> None:
    """There is no command for it."""
    result = actcli("inspect", "--header", "--format", format, stdin=b"name,city\nx,y\nv,w\n")
    assert result.code == 0
    assert "no column holds numbers in the first row of data" in result.text
    assert "next" not in result.text or json.loads(result.text)["next"] is None


def test_only_an_array_of_one_dimension_is_ambiguous(tmp_path: Path, actcli: Actcli) -> None:
    """Of shape (500, 1), every command makes 500 rows."""
    for name, shape in (("flat", (500,)), ("column", (500, 1))):
        np.save(tmp_path / f"{name}.npy", np.linspace(-3, 3, 500).reshape(shape))
    assert any("of one dimension" in remark for remark in found_in(actcli, tmp_path / "flat.npy")["remarks"])
    assert not any("of one dimension" in remark for remark in found_in(actcli, tmp_path / "column.npy")["remarks"])
