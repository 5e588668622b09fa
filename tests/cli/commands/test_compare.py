"""`actcli compare`: both activations line by line, and what the summary counts (SciPy, NumPy)."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest
import scipy.special

from program import SAMPLES, Actcli, command, started, terminal, write_csv

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = SAMPLES / "digits_logits.csv"


@pytest.fixture(name="logits")
def random_logits() -> np.ndarray[Any, Any]:
    """Return logits of which some rows have no, one and several sigmoids above a half."""
    return np.random.default_rng(4).normal(-1.5, 2, (60, 4)).round(3)


@pytest.mark.usefixtures("chunk_bytes")
def test_the_lines(actcli: Actcli, logits: np.ndarray[Any, Any], tmp_path: Path) -> None:
    """Are a line for each class of each row: the logit, both probabilities, and what each decides."""
    path = write_csv(tmp_path / "x.csv", logits, ["a", "b", "c", "d"])
    rows = list(csv.DictReader(io.StringIO(actcli("compare", path).text)))
    assert [(int(row["row"]), row["class"]) for row in rows] == [(row, name) for row in range(60) for name in "abcd"]
    found = {name: np.reshape([float(row[name]) for row in rows], (60, 4)) for name in ("logit", "sigmoid", "softmax")}
    np.testing.assert_array_equal(found["logit"], logits)
    np.testing.assert_allclose(found["sigmoid"], scipy.special.expit(logits), rtol=1e-14)
    np.testing.assert_allclose(found["softmax"], scipy.special.softmax(logits, axis=1), rtol=1e-14)
    said = {name: np.reshape([row[name] == "yes" for row in rows], (60, 4)) for name in ("by_sigmoid", "by_softmax")}
    np.testing.assert_array_equal(said["by_sigmoid"], logits >= 0)
    np.testing.assert_array_equal(said["by_softmax"], logits == logits.max(axis=1, keepdims=True))


@pytest.mark.usefixtures("chunk_bytes")
def test_the_summary(actcli: Actcli, logits: np.ndarray[Any, Any], tmp_path: Path) -> None:
    """Counts what NumPy counts; JSON has it beside the rows."""
    found = json.loads(actcli("compare", write_csv(tmp_path / "x.csv", logits), "-f", "json").text)
    assert len(found["rows"]) == 240
    summary = found["summary"]
    reached = (logits >= 0).sum(axis=1)
    assert summary["rows"] == 60
    assert summary["no_sigmoid"] == np.count_nonzero(reached == 0) > 0
    assert summary["one_sigmoid"] == summary["same_decision"] == np.count_nonzero(reached == 1) > 0
    assert summary["several_sigmoids"] == np.count_nonzero(reached > 1) > 0
    sums = scipy.special.expit(logits).sum(axis=1)
    expected = {"min": sums.min(), "mean": sums.mean(), "max": sums.max()}
    assert summary["sigmoid_sum"] == pytest.approx(expected, rel=1e-13)
    assert summary["like_probabilities"] is False
    assert "largest_difference" not in summary


def test_thresholds(actcli: Actcli) -> None:
    """Are those of the sigmoid; a single one that is not the largest is no agreement."""
    stdin = b"a,b\n0,1\n"
    options = ("--threshold", "b=0.9", "--threshold-op", "gt", "-f", "json")
    summary = json.loads(actcli("compare", "--threshold", "0.4", *options, stdin=stdin).text)["summary"]
    assert summary["threshold"] == {"a": 0.4, "b": 0.9}
    assert (summary["one_sigmoid"], summary["same_decision"]) == (1, 0)
    strict = json.loads(actcli("compare", "--threshold-op", "gt", "-f", "json", stdin=stdin).text)["summary"]
    assert (strict["one_sigmoid"], strict["same_decision"]) == (1, 1)


@pytest.mark.usefixtures("chunk_bytes")
def test_the_reason(actcli: Actcli, logits: np.ndarray[Any, Any], tmp_path: Path) -> None:
    """The runner-up of the first row is raised to the best: other sigmoids stay, other softmax values fall (SciPy)."""
    path = write_csv(tmp_path / "x.csv", logits)
    raised = json.loads(actcli("compare", path, "--temperature", "2", "-f", "json").text)["summary"]["raised"]
    second = int(np.argsort(-logits[0])[1])
    after = logits[0].copy()
    after[second] = logits[0].max()
    assert (raised["row"], raised["class"]) == (0, str(second))
    assert raised["by"] == pytest.approx(after[second] - logits[0, second])
    for name, function in (("sigmoid", scipy.special.expit), ("softmax", scipy.special.softmax)):
        for when, row in (("before", logits[0]), ("after", after)):
            np.testing.assert_allclose(list(raised[name][when].values()), function(row / 2), rtol=1e-13)
    others = [name for name in raised["sigmoid"]["before"] if name != str(second)]
    assert all(raised["sigmoid"]["before"][name] == raised["sigmoid"]["after"][name] for name in others)
    assert all(raised["softmax"]["before"][name] > raised["softmax"]["after"][name] for name in others)


@pytest.mark.usefixtures("chunk_bytes")
def test_two_classes(actcli: Actcli, tmp_path: Path) -> None:
    """The softmax is the sigmoid of the difference, to a rounding error (mpmath)."""
    logits = np.random.default_rng(5).normal(0, 8, (50, 2))
    result = actcli("compare", write_csv(tmp_path / "x.csv", logits), "-f", "json")
    found = json.loads(result.text)
    assert 0 <= found["summary"]["largest_difference"] < 4e-16
    for line, (x1, x2) in zip(found["rows"][::2], logits.tolist(), strict=True):
        exact = 1 / (1 + mpmath.exp(mpmath.mpf(x2) - mpmath.mpf(x1)))
        assert line["softmax"] == pytest.approx(float(exact), rel=1e-13)


def test_where_the_summary_goes(actcli: Actcli) -> None:
    """To standard error beside CSV, unless it is to be quiet."""
    stdin = b"a,b\n0,1\n3,-1\n"
    result = actcli("compare", stdin=stdin)
    assert "note: With sigmoid and threshold 0.5, 0 of 2 rows get no class, 1 get one, 1 get several." in result.err
    assert "In 1 of 2 rows, sigmoid gives this class alone." in result.err
    assert "softmax(x1, x2) = sigmoid(x1 - x2)" in result.err
    assert actcli("compare", "-q", stdin=stdin) == (0, result.out, "")


def test_probabilities(actcli: Actcli) -> None:
    """Are not compared unnoticed; there is no --from, and none is advised."""
    result = actcli("compare", stdin=b"a,b\n0.25,0.75\n")
    assert "look like probabilities already" in result.err
    assert "--from" not in result.err
    assert actcli("compare", "--from", "probabilities", stdin=b"a,b\n0.25,0.75\n").code == 2


def test_hard_rows(actcli: Actcli) -> None:
    """Ties, masked and huge logits are compared too; what no softmax has is an error."""
    for row in (b"1,1,1", b"-inf,2,-inf", b"1e308,-1e308,0", b"-inf,-inf,5"):
        result = actcli("compare", "-f", "json", stdin=b"a,b,c\n" + row + b"\n")
        assert result.code == 0, row
        assert json.loads(result.text)["summary"]["rows"] == 1
    assert actcli("compare", stdin=b"a,b\n-inf,-inf\n").code == 1
    assert "softmax of a single class" in actcli("compare", stdin=b"a\n1\n").err


def test_no_rows(actcli: Actcli) -> None:
    """Have no summary worth the name."""
    result = actcli("compare", "-f", "json", stdin=b"a,b\n")
    assert json.loads(result.text)["rows"] == []
    assert actcli("compare", stdin=b"a,b\n") == (0, b"row,class,logit,sigmoid,softmax,by_sigmoid,by_softmax\n", "")


def test_formats_of_one_column(actcli: Actcli) -> None:
    """Cannot hold it."""
    assert "several" in actcli("compare", DIGITS, "-f", "npy").err


def test_it_streams() -> None:
    """A row from a pipe comes out at once."""
    with started("compare", "--no-output-header", "-q") as running:
        running.send(b"a,b\n0,0\n1,2\n")
        assert running.line() == b"0,a,0.0,0.5,0.5,yes,yes\n"
        assert running.line() == b"0,b,0.0,0.5,0.5,yes,no\n"
        running.end()


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_on_a_terminal(width: int, locale: str) -> None:
    """The lines of a few rows and the summary fit the width, in ASCII too."""
    run = command("compare", DIGITS, "-q")
    code, shown = terminal(run, width=width, LC_ALL=locale, PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    lines = shown.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= width
    assert len([line for line in lines if line.startswith("digit-0024")]) == 10
    assert "With sigmoid and threshold 0.5, 0 of 450 rows get no class," in shown.replace("\n", " ")
    assert '"one" the most: from 0.8611' in shown.replace("\n", " ")
    assert shown.isascii() == (locale == "C")


def test_the_example_raises_no_masked_class(actcli: Actcli, chunk_bytes: int) -> None:
    """It is the first row with two classes that are not masked, in chunks of any size; without one nothing can fall."""
    assert chunk_bytes
    table = b"a,b,c\n1,-inf,-inf\n-inf,2,-inf\n3,1,-inf\n1,2,3\n"
    raised = json.loads(actcli("compare", "-f", "json", stdin=table).text)["summary"]["raised"]
    assert (raised["row"], raised["class"], raised["by"]) == (2, "b", 2)
    assert raised["softmax"]["after"] == {"a": 0.5, "b": 0.5, "c": 0}
    raised = json.loads(actcli("compare", "-f", "json", stdin=b"a,b\n-inf,1\n").text)["summary"]["raised"]
    assert (raised["row"], raised["class"], raised["by"]) == (0, "b", 1)
    assert raised["softmax"]["after"] == {"a": 0, "b": 1}
