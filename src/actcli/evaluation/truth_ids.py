"""The ids of a file of truths: each is unique, and they are matched to the ids of the rows of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.errors import DataError, listed, visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from actcli.streaming.batch import Batch, Kind

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["TruthIds"]

_AT_ONCE = 1 << 16


class TruthIds:
    """The ids of the rows of a file of truths, and which of them the input has.

    Parameters
    ----------
    name
        What messages call the file.
    column
        The name of the column of ids.
    kind
        How the data of that column look in the input.
    """

    def __init__(self, name: str, column: str, kind: Kind) -> None:
        self._name = name
        self._column = column
        self._kind = kind
        self._parts: list[Any] = []
        self._ids: Any = None
        self._used = np.zeros(0, dtype=np.bool_)
        self._next = 0
        self._hashes: tuple[Array, Array] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: hashes of texts are of one process."""
        return self.__dict__ | {"_hashes": None}

    def append(self, ids: Any) -> None:
        """Add the ids of the next rows, an Arrow array of texts.

        Raises
        ------
        DataError
            If one of them is there twice: so few different ids in many rows do not fill the memory.
        """
        from actcli.streaming.arrow_calls import call_function

        self._parts.append(ids)
        if len(call_function("unique", [ids])) < len(ids):
            self.end(sum(map(len, self._parts)))

    def end(self, rows: int) -> None:
        """Check all ids after the last row.

        Raises
        ------
        DataError
            If one of them is there twice.
        """
        import pyarrow as pa

        from actcli.formats.text import text_array

        self._ids = pa.concat_arrays(self._parts or [text_array([])])
        self._parts = []
        self._used = np.zeros(rows, dtype=np.bool_)
        hashes, order = self._sorted_hashes()
        # Only ids with the same hash may be the same.
        alike = np.flatnonzero(hashes[1:] == hashes[:-1])
        if len(alike):
            self._refuse_twice(np.unique(order[np.concatenate([alike, alike + 1])]))

    def _refuse_twice(self, positions: Array) -> None:
        from actcli.streaming.arrow_calls import take

        seen: dict[str, int] = {}
        for row, id in zip((positions + 1).tolist(), take(self._ids, positions).to_pylist(), strict=True):
            if id in seen:
                raise DataError(
                    f'{self._name}: "{visible(self._column)}" is "{visible(id)}" twice, in rows {seen[id]} and {row}'
                )
            seen[id] = row

    def positions(self, batch: Batch, *, every: bool) -> Array:
        """Return the row of the file of each row of a batch, -1 if there is none.

        Parameters
        ----------
        batch
            The rows of the input.
        every
            Whether each of them must have one.

        Raises
        ------
        DataError
            If a row has none, and must have one; or the same as a row before.
        """
        from actcli.formats.text import carried_texts

        ids = carried_texts(self._kind, batch.carried[self._column])
        # As a rule the files are in the same order.
        if self._ids.slice(self._next, len(ids)).equals(ids):
            positions = np.arange(self._next, self._next + len(ids))
        else:
            positions = self._found(ids)
        present = positions[positions >= 0]
        if (every and len(present) < len(positions)) or self._used[present].any() or _has_repeats(present):
            self._refuse_wrong(batch, ids, positions, every=every)
        self._used[present] = True
        self._next = int(present[-1]) + 1 if len(present) else self._next
        return positions

    def _refuse_wrong(self, batch: Batch, ids: Any, positions: Array, *, every: bool) -> None:
        """Raise the error of the first row that has no truth, or that of another row."""
        used = self._used.copy()
        for row, position in enumerate(positions.tolist()):
            where = f'{batch.place(int(batch.row_numbers()[row]))}: "{visible(self._column)}" is '
            where += f'"{visible(ids[row].as_py())}"'
            if position < 0 and every:
                raise DataError(f"{where}, which is not in {self._name}", hint="to leave out such rows: --join inner")
            if position >= 0 and used[position]:
                raise DataError(f"{where}, as it is of another row before")
            used[position] |= position >= 0

    def _found(self, ids: Any) -> Array:
        """Return the row of the file with each of these ids, -1 if there is none."""
        from actcli.streaming.arrow_calls import take

        hashes, order = self._sorted_hashes()
        texts = ids.to_pylist()
        wanted = np.fromiter(map(hash, texts), dtype=np.int64, count=len(texts))
        places = np.searchsorted(hashes, wanted)
        candidates = order[np.minimum(places, max(0, len(order) - 1))] if len(order) else places
        found = np.full(len(texts), -1, dtype=np.int64)
        possible = np.flatnonzero((places < len(hashes)) & (hashes[places % max(1, len(hashes))] == wanted))
        there = take(self._ids, candidates[possible]).to_pylist()
        for row, text in zip(possible.tolist(), there, strict=True):
            found[row] = candidates[row] if text == texts[row] else self._collided(int(places[row]), texts[row])
        return found

    def _collided(self, place: int, text: str) -> int:
        """Return the row of the file with an id, whose hash is that of other ids too; -1 if there is none."""
        hashes, order = self._sorted_hashes()
        for position in order[place : np.searchsorted(hashes, hashes[place], side="right")].tolist():
            if self._ids[position].as_py() == text:
                return int(position)
        return -1

    def _sorted_hashes(self) -> tuple[Array, Array]:
        """Return the hashes of all ids in order, and the row of each: 16 bytes for an id, however long it is."""
        if self._hashes is None:
            hashes = np.empty(len(self._ids), dtype=np.int64)
            for start in range(0, len(hashes), _AT_ONCE):
                hashes[start : start + _AT_ONCE] = [hash(id) for id in self._ids[start : start + _AT_ONCE].to_pylist()]
            order = np.argsort(hashes, kind="stable")
            self._hashes = hashes[order], order
        return self._hashes

    def refuse_unused(self, left_out: int, hint: str) -> None:
        """Check that the input has all ids, but for as many as rows were left out.

        Raises
        ------
        DataError
            If it has not.
        """
        unused = np.flatnonzero(~self._used)
        if len(unused) > left_out:
            raise DataError(
                f"{self._name}: {len(unused):,} of its {len(self._used):,} rows {'is' if len(unused) == 1 else 'are'} "
                f'not in the input, by "{visible(self._column)}": {self._listed(unused)}',
                hint=hint,
            )

    def merge(self, other: TruthIds) -> None:
        """Take over which ids another object of the same file has seen.

        Raises
        ------
        DataError
            If both have seen the same id.
        """
        twice = np.flatnonzero(self._used & other._used)
        if len(twice):
            raise DataError(f'"{visible(self._column)}" is the same in two rows of the input: {self._listed(twice)}')
        self._used |= other._used

    def _listed(self, positions: Sequence[int] | Array) -> str:
        """Return the first five of the ids in these rows, for a message."""
        from actcli.streaming.arrow_calls import take

        names = take(self._ids, np.asarray(positions[:5])).to_pylist()
        return f"{listed(names)}{' ...' if len(positions) > 5 else ''}"


def _has_repeats(positions: Array) -> bool:
    return len(np.unique(positions)) < len(positions)
