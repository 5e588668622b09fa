"""Ranges of rows of an array in a file or from a pipe: the chunks of NPY, NPZ and safetensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.streaming.batch import Batch, RowPlaces

if TYPE_CHECKING:
    from actcli.streaming.input import Input

__all__ = ["RowDecoder", "RowRangeChunk", "StoredArray"]


class StoredArray(NamedTuple):
    """An array of shape (N, C) in a file, from which ranges of rows can be read.

    Parameters
    ----------
    input
        The file; it has a size.
    offset
        Where the array begins in the file, in bytes.
    dtype
        The dtype of the array.
    rows, width
        N and C.
    by_columns
        Whether it is stored in Fortran order.
    """

    input: Input
    offset: int
    dtype: np.dtype[Any]
    rows: int
    width: int
    by_columns: bool

    def read(self, start: int, rows: int) -> np.ndarray[Any, Any]:
        """Return `rows` rows from row `start` on, in any thread.

        Raises
        ------
        DataError
            If the file cannot be read, or has changed.
        """
        if self.by_columns:
            scores = np.empty((self.width, rows), dtype=self.dtype).T
            for position in range(self.width):
                self._fill(scores[:, position], position * self.rows + start)
        else:
            scores = np.empty((rows, self.width), dtype=self.dtype)
            self._fill(scores.reshape(-1), start * self.width)
        return scores

    def _fill(self, target: np.ndarray[Any, Any], first: int) -> None:
        """Fill `target` with consecutive numbers, the first of which is number `first` of the file."""
        if target.size:
            self.input.read_at(memoryview(target.view(np.uint8).data), self.offset + first * self.dtype.itemsize)


class RowDecoder(NamedTuple):
    """Decodes ranges of rows.

    Parameters
    ----------
    name
        The name of the file in messages.
    file
        The index of the file among the inputs.
    dtype
        The dtype of the stored scores.
    width
        The number of columns.
    chosen
        The positions of the columns to keep; None keeps all.
    bfloat16
        Whether each number is the upper half of a float32.
    """

    name: str
    file: int
    dtype: np.dtype[Any]
    width: int
    chosen: tuple[int, ...] | None
    bfloat16: bool = False

    def decode(self, scores: np.ndarray[Any, Any], start: int) -> Batch:
        """Return a batch of rows, shape (N, width), the first of which is number `start` of the file."""
        if self.chosen is not None:
            scores = scores[:, self.chosen]
        if self.bfloat16:
            scores = (scores.astype(np.uint32) << 16).view(np.float32)
        return Batch(scores, {}, RowPlaces(self.name, start).place, self.file)


class RowRangeChunk(NamedTuple):
    """A chunk: a range of rows in a file, or the bytes of rows that came through a pipe.

    It is pickled with a reference to its file if the file can be opened again by its path, and else with the bytes of
    its rows.
    """

    decoder: RowDecoder
    start: int
    rows: int
    data: bytes | StoredArray

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.rows * self.decoder.width * self.decoder.dtype.itemsize

    def decode(self) -> Batch:
        """Return the rows."""
        if isinstance(self.data, StoredArray):
            scores = self.data.read(self.start, self.rows)
        else:
            scores = np.frombuffer(self.data, dtype=self.decoder.dtype).reshape(self.rows, self.decoder.width)
        return self.decoder.decode(scores, self.start)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make the chunk again in another process."""
        data = self.data
        if isinstance(data, StoredArray) and not data.input.can_reopen:
            data = data.read(self.start, self.rows).tobytes()
        return RowRangeChunk, (self.decoder, self.start, self.rows, data)
