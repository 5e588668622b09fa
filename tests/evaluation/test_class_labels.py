"""Codes of class names, indices and sets, as Python hands them over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from actcli.evaluation.class_labels import Codebook, LabelError, code_array, set_array

CLASSES = ("cat", "dog", "bird")


@pytest.mark.parametrize(
    "truth",
    [
        [1, 0, 2],
        ["dog", "cat", "bird"],
        np.array(["dog", "cat", "bird"], dtype=object),
        np.array([1.0, 0.0, 2.0]),
        np.array([[1], [0], [2]], dtype=np.uint8),
        [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
        ["1", "cat", "2"],
    ],
)
def test_codes(truth: Any) -> None:
    """Of indices, names, and a table with a single 1 in each row."""
    assert code_array(truth, CLASSES).tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([1, 3], "row 1: the index 3 is out of range"),
        ([1, -1], "row 1: the index -1 is negative"),
        ([1, 0.5], "row 1: 0.5 is no class"),
        ([1, np.nan], "row 1: nan is no class"),
        (["cat", "Dog"], 'row 1: "Dog" is no class'),
        ([True, False], "row 0: True is no class"),
        ([["cat"], ["cat", "dog"]], "its rows differ in length"),
        ([[1, 1, 0]], "row 0: 2 classes"),
        (np.zeros((2, 3, 3)), "has the shape"),
        ([1j], "neither names nor numbers"),
    ],
)
def test_what_is_no_code(truth: Any, message: str) -> None:
    """Says which row."""
    with pytest.raises(LabelError, match=message):
        code_array(truth, CLASSES)


@pytest.mark.parametrize(
    "truth",
    [
        [[1, 1, 0], [0, 0, 0]],
        np.array([[True, True, False], [False, False, False]]),
        [["dog", "cat"], []],
        [{0, 1}, set()],
        ["cat|dog", ""],
        [{"cat", "dog"}, []],
    ],
)
def test_sets(truth: Any) -> None:
    """Of tables, of lists and sets of names, of sets of indices, of texts."""
    assert set_array(truth, CLASSES).tolist() == [[True, True, False], [False] * 3]


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([[1, 2, 0]], 'row 0: column "dog": 2 is neither 0 nor 1'),
        ([[1, 0.5, 0]], 'column "dog": 0.5 is neither'),
        ([[1, 0]], "has the shape"),
        ([["cat"], ["fish"]], 'row 1: "fish" is no class'),
        ([["cat"], [1, 0]], "row 1: 2 numbers, but there are 3 classes"),
    ],
)
def test_what_is_no_set(truth: Any, message: str) -> None:
    """Says which row."""
    with pytest.raises(LabelError, match=message):
        set_array(truth, CLASSES)


def test_a_name_with_the_separator_in_it() -> None:
    """Is that class, not a set of two."""
    assert Codebook(("a", "b", "a|b")).codes("a|b") == [2]
    assert Codebook(("a", "b"), separator=";").codes("a;b") == [0, 1]


@pytest.mark.parametrize("classes", [("1", "0"), ("10", "20"), ("a", "0")])
@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint8])
def test_a_number_means_the_same_in_an_array_and_in_a_text(classes: tuple[str, ...], dtype: Any) -> None:
    """A whole number that is the name of a class is this class, in every format."""
    book = Codebook(classes)
    for number in (0, 1, 10, 20):
        if str(number) in classes:
            code = classes.index(str(number))
            assert code_array(np.array([number], dtype=dtype), classes).tolist() == [code]
            assert [book.code(str(number)), book.code(f"{number}.0"), book.code(dtype(number))] == [code] * 3


def test_a_number_of_many_digits_is_no_class() -> None:
    """Python refuses to convert texts of more than 4,300 digits."""
    with pytest.raises(LabelError, match="is no class"):
        Codebook(CLASSES).code("1" * 5000)


def test_names_without_upper_and_lower_case_are_compared_once() -> None:
    """The hint for a wrong name does not read all the names again, so that a table of many labels stays fast."""

    class Counted(str):
        __slots__ = ()
        calls = 0

        def casefold(self) -> str:
            Counted.calls += 1
            return super().casefold()

    book = Codebook([Counted(f"c{number}") for number in range(100)])
    for _ in range(5):
        assert book.meant("C7") == 'upper and lower case count: there is "c7"'
    assert Counted.calls == 100
