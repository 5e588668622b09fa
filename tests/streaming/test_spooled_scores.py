"""A table of scores that is read by columns, in memory and in a temporary file."""

from __future__ import annotations

import numpy as np
import pytest

from actcli.metrics.score_store import MemoryScoreStore
from actcli.streaming import spooled_scores
from actcli.streaming.spooled_scores import SpooledScoreStore
from copies import pickled


@pytest.mark.parametrize("memory", [0, 1000, 1 << 20])
def test_columns_and_blocks(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are what was appended, whatever fits into memory, also after a pickle."""
    monkeypatch.setattr(spooled_scores, "MEMORY_BYTES", memory)
    monkeypatch.setattr(spooled_scores, "_BLOCK_BYTES", 500)
    table = np.random.default_rng(1).normal(size=(300, 4))
    stores: list[SpooledScoreStore | MemoryScoreStore] = [SpooledScoreStore(), MemoryScoreStore()]
    for store in stores:
        for start in range(0, 300, 7):
            store.append(table[start : start + 7])
    for store in (*stores, *pickled(stores)):
        np.testing.assert_array_equal(np.concatenate(list(store.blocks())), table)
        for number in range(4):
            np.testing.assert_array_equal(store.column(number), table[:, number])


def test_an_empty_table() -> None:
    """Has empty columns, also after a pickle."""
    for store in (SpooledScoreStore(), MemoryScoreStore()):
        for each in (store, pickled(store)):
            assert each.column(0).shape == (0,)
            assert not list(each.blocks())
            each.append(np.ones((1, 2)))
            assert each.column(1).tolist() == [1]
