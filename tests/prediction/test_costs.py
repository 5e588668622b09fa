"""Costs: decisions against a sum over all of them in exact fractions, and the files that hold costs."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from actcli.errors import DataError, UsageError
from actcli.prediction.costs import Costs, read_costs, settled_costs
from actcli.prediction.decisions import argmax, cheapest, expected_costs

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]

COUNTS = hnp.arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.integers(0, 4))
"""Few distinct shares, so that costs tie often."""


def shares(counts: Array) -> Array:
    """Return rows of probabilities that are multiples of a power of 2: sums of them are exact."""
    return counts / 64


def exact_costs(row: Array, costs: Array) -> list[Fraction]:
    """Return the expected cost of each decision without rounding."""
    return [
        sum((Fraction(float(p)) * Fraction(float(cost)) for p, cost in zip(row, column, strict=True)), Fraction(0))
        for column in costs.T
    ]


def lowest(values: list[Fraction]) -> int:
    """Return the index of the smallest value, ties by lowest index."""
    return min(range(len(values)), key=lambda index: (values[index], index))


@given(COUNTS, st.data(), st.sampled_from("CF"))
def test_the_cheapest_of_all_decisions(counts: Array, data: st.DataObject, order: Any) -> None:
    """Against exact fractions: asymmetric and negative costs, more or fewer decisions than classes, ties."""
    probabilities = np.asarray(shares(counts), order=order)
    shape = (probabilities.shape[1], data.draw(st.integers(1, 6)))
    costs = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(-3, 3)))
    expected = [exact_costs(row, costs) for row in probabilities]
    assert expected_costs(probabilities, costs).tolist() == [list(map(float, row)) for row in expected]
    assert cheapest(probabilities, costs).tolist() == list(map(lowest, expected))
    possible = data.draw(hnp.arrays(np.bool_, (len(probabilities), shape[1])))
    possible[:, data.draw(st.integers(0, shape[1] - 1))] = True
    masked = [
        [cost if may else Fraction(10**9) for cost, may in zip(*pair, strict=True)]
        for pair in zip(expected, possible, strict=True)
    ]
    assert cheapest(probabilities, costs, possible).tolist() == list(map(lowest, masked))


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(2, 6)), elements=st.floats(0, 1)))
def test_costs_of_0_and_1_are_argmax(probabilities: Array) -> None:
    """Of the probabilities, ties and differences in the last bit included."""
    for table in (probabilities, probabilities.astype(np.float32)):
        assert cheapest(table, 1 - np.eye(table.shape[1])).tolist() == argmax(table).tolist()


@given(COUNTS, st.data())
def test_what_changes_no_decision(counts: Array, data: st.DataObject) -> None:
    """A number that is added to the costs of a true class, and a positive factor."""
    probabilities = shares(counts)
    shape = (probabilities.shape[1], data.draw(st.integers(1, 6)))
    costs = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(-3, 3)))
    added = data.draw(hnp.arrays(np.int64, (shape[0], 1), elements=st.integers(-1000, 1000)))
    decided = cheapest(probabilities, costs).tolist()
    assert cheapest(probabilities, costs + added).tolist() == decided
    assert cheapest(probabilities, costs * data.draw(st.sampled_from([2.0**-40, 0.25, 3, 2.0**30]))).tolist() == decided


@pytest.mark.parametrize(("classes", "decisions"), [(2, 2), (10, 7), (60, 70)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_does_not_depend_on_its_neighbours(classes: int, decisions: int, dtype: Any) -> None:
    """To the last bit: the sums of a row alone are those within a table. Against NumPy's product."""
    random = np.random.default_rng(5)
    probabilities = random.dirichlet(np.ones(classes), 300).astype(dtype)
    costs = random.normal(size=(classes, decisions))
    found = expected_costs(probabilities, costs)
    alone = np.concatenate([expected_costs(row[np.newaxis], costs) for row in probabilities])
    np.testing.assert_array_equal(found, alone)
    np.testing.assert_allclose(found, probabilities.astype(np.float64) @ costs, rtol=1e-9, atol=1e-12)
    assert cheapest(probabilities, costs).tolist() == found.argmin(axis=1).tolist()


def test_a_small_difference_beside_large_costs() -> None:
    """Both decisions cost the same where the true class is almost certain; the other class tells them apart."""
    probabilities = np.array([[1.0, 1e-17]])
    costs = np.array([[1000.0, 1000.0, 0.0], [7.0, 3.0, 1e20]])
    assert cheapest(probabilities, costs).tolist() == [1]


def test_the_decision_flips_at_one_eleventh() -> None:
    """Where the miss costs ten times as much as the false alarm."""
    positive = 1 / 11 + np.array([-1e-15, 1e-15])
    assert cheapest(np.stack([1 - positive, positive], axis=1), [[0, 1], [10, 0]]).tolist() == [0, 1]


@pytest.mark.parametrize("costs", [[[0.0, 1.0]], [[0.0], [np.nan]], [[0.0], [np.inf]], [[0.0], [1e308]], [0.0, 1.0]])
def test_costs_that_are_none(costs: Any) -> None:
    """A row for each class, finite."""
    for function in (cheapest, expected_costs):
        with pytest.raises(ValueError, match=r"costs must|two dimensions"):
            function([[0.5, 0.5]], costs)


# Files

CSV = "truth,review,dog,cat\ncat,0.5,10,0\ndog,0.5,0,-1e0\n"
FOUND = {"cat": (0.5, 10.0, 0.0), "dog": (0.5, 0.0, -1.0)}


def written(folder: Path, text: str | bytes, name: str = "costs.csv") -> str:
    """Write a file, and return its path."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        "\ufeff" + CSV.replace("\n", "\r\n"),
        "\n \n" + CSV.replace("\n", "\n\n"),
        '"truth","review","dog","cat"\n"cat"," 0.5 ","+10","0"\n"dog",.5,0,-1.',
        json.dumps({"cat": {"review": 0.5, "dog": 10, "cat": 0}, "dog": {"cat": -1.0, "dog": 0, "review": 0.5}}),
    ],
)
def test_costs_from_a_file(text: str, tmp_path: Path) -> None:
    """CSV in its variants, and JSON with the decisions of a class in any order."""
    found = read_costs(written(tmp_path, text))
    assert (found.decisions, dict(found.matrix)) == (("review", "dog", "cat"), FOUND)
    rule = settled_costs(found, ("cat", "dog"))
    assert (rule.codes.tolist(), rule.others, rule.places.tolist()) == ([0, 1, 2], ("review",), [2, 1, 0])
    assert rule.matrix.tolist() == [[0.0, 10.0, 0.5], [-1.0, 0.0, 0.5]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "costs.csv: holds no costs"),
        (" \n\n", "costs.csv: holds no costs"),
        (b"\xff\xfe", "costs.csv: is not UTF-8 text"),
        ("class,cat,dog\ncat,0,1\ndog,1,0\n", "costs.csv:1: the first column is 'class', not \"truth\""),
        ("\n\ncat,0,1\n", "costs.csv:3: the first column is 'cat'"),
        ("truth\ncat\ndog\n", "costs.csv:1: names no decision"),
        ("truth,cat,dog\n", "costs.csv: has a first line, and no costs"),
        ("truth,cat,\ncat,0,1\n", "costs.csv:1: a decision has an empty name"),
        ("truth,cat,cat\ncat,0,1\n", "costs.csv:1: the decision 'cat' is there twice"),
        ("truth,cat,dog\ncat,0\n", "costs.csv:2: 2 cells, and the first line has 3"),
        ("truth,cat,dog\ncat,0,1,2\n", "costs.csv:2: 4 cells"),
        ("truth,cat,dog\ncat,0,1\n\ncat,0,1\n", "costs.csv:4: there are two lines for the true class 'cat'"),
        ("truth,cat,dog\ncat,0,\n", "costs.csv:2: dog: '' is not a cost"),
        ("truth,cat,dog\ncat,0,x\n", "costs.csv:2: dog: 'x' is not a cost"),
        ("truth,cat,dog\ncat,nan,1\n", "costs.csv:2: cat: 'nan' is not a cost"),
        ("truth,cat,dog\ncat,-inf,1\n", "costs.csv:2: cat: '-inf' is not a cost"),
        ("truth,cat,dog\ncat,0,1e31\n", "costs.csv:2: dog: '1e\\+31' is not a cost"),
        ("truth,cat,dog\ncat,0,1e999\n", "costs.csv:2: dog: 'inf' is not a cost"),
        ("truth,cat,dog\ncat,0,1_0\n", "costs.csv:2: dog: '1_0' is not a cost"),
        ("truth,cat,dog\ncat,0,0x1\n", "costs.csv:2: dog: '0x1' is not a cost"),
        ('truth,cat,dog\n"cat,0,1\n', "costs.csv:2: is not CSV"),
        ("truth;cat;dog\ncat;0;1\n", "the first column is 'truth;cat;dog'"),
        ("[1, 2]", "costs.csv: is no JSON object"),
        ("{", "costs.csv:1: is not JSON"),
        ("{}", "costs.csv: holds no costs"),
        ('{"cat": [0, 1]}', "costs.csv: is no JSON object"),
        ('{"cat": {}}', "costs.csv: names no decision"),
        ('{"cat": {"cat": 0}, "cat": {"cat": 1}}', "the same key twice"),
        ('{"cat": {"cat": 0, "dog": 1}, "dog": {"cat": 1}}', "costs.csv: dog: has no cost of 'dog'"),
        ('{"cat": {"cat": 0}, "dog": {"cat": 1, "dog": 0}}', "dog: the first true class has no cost of 'dog'"),
        ('{"cat": {"cat": true}}', "costs.csv: cat: cat: 'True' is not a cost"),
        ('{"cat": {"cat": "1"}}', "costs.csv: cat: cat: '1' is not a cost"),
        ('{"cat": {"cat": null}}', "costs.csv: cat: cat: 'None' is not a cost"),
        ('{"cat": {"cat": NaN}}', "costs.csv: cat: cat: 'nan' is not a cost"),
        ('{"cat": {"\\ud800": 1}}', "is not UTF-8 text"),
    ],
)
def test_files_that_hold_no_costs(text: str | bytes, words: str, tmp_path: Path) -> None:
    """One line: the file, its line, what was found."""
    with pytest.raises(DataError, match=words) as caught:
        read_costs(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Or a folder."""
    with pytest.raises(DataError, match="no such file"):
        read_costs(str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match="cannot be read"):
        read_costs(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("truth,cat\ncat,0\n", "costs.csv: has no costs for the true class 'dog'"),
        ("truth,cat\ncat,0\ndog,1\nDog,1\n", "costs.csv:4: 'Dog' is not a class"),
        ('{"cat": {"cat": 0}, "review": {"cat": 1}}', "costs.csv: 'review' is not a class"),
    ],
)
def test_costs_of_other_classes(text: str, words: str, tmp_path: Path) -> None:
    """Every class has a row, and every row is a class; decisions may be anything."""
    costs = read_costs(written(tmp_path, text))
    with pytest.raises(DataError, match=words):
        settled_costs(costs, ("cat", "dog"))


def test_other_names_for_the_classes() -> None:
    """A decision that is a class has its new name; a new name that is another decision is refused."""
    costs = Costs(("1", "review", "0"), {"0": (1.0, 0.5, 0.0), "1": (0.0, 0.5, 1.0)})
    named = costs.with_names({"0": "cat", "1": "dog"})
    assert named == Costs(("dog", "review", "cat"), {"cat": (1.0, 0.5, 0.0), "dog": (0.0, 0.5, 1.0)})
    with pytest.raises(UsageError, match="'review' is a decision that has costs"):
        costs.with_names({"0": "cat", "1": "review"})
