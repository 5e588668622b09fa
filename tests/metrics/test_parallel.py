"""Work in threads, with the results in order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from actcli.metrics.parallel import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("jobs", [1, 2, 5, None])
def test_results_come_in_order(jobs: int | None) -> None:
    """Whatever the number of threads, whose end is waited for."""
    assert list(in_order(lambda number: number * number, range(50), jobs)) == [number * number for number in range(50)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("actcli")]


def test_few_items_are_taken_ahead() -> None:
    """So that few results are in memory."""
    taken = []

    def items() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    results = in_order(lambda number: number, items(), 2)
    assert next(results) == 0
    assert len(taken) == 3
    results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_error_ends_it(jobs: int) -> None:
    """The first one in the order of the items."""
    found: list[int] = []
    with pytest.raises(ZeroDivisionError):
        found.extend(in_order(lambda number: 1 // (3 - number), range(10), jobs))
    assert found in ([], [0, 0, 1])
