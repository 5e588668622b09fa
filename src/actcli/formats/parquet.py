"""Parquet: read by row groups, written in row groups of some 24 MiB."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet

from actcli.errors import DataError
from actcli.formats.arrow_types import is_numeric, is_text, longest
from actcli.formats.columnar import REPEATED_BYTES, ColumnarSource, SeekableViews
from actcli.formats.columnar_sink import ColumnarSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.streaming.batch import Layout

__all__ = ["ParquetSink", "ParquetSource"]

_ROW_GROUP_BYTES = 3 << 23
"""How much a row group gathers before it is written."""

_MOST_ARRAYS = 500_000
"""The most arrays that a row group is gathered from: each takes some hundred bytes, however short it is."""


class ParquetSource(ColumnarSource):
    """Parquet, by row groups."""

    what = "Parquet"
    column_bytes = 8000

    def _open(self) -> Any:
        if self.input.size is None:
            self.input.spool(None)
        self._file = self._parquet_file()
        schema = self._file.schema_arrow
        self._texts = [field.name for field in schema if is_text(field.type)]
        self._dictionaries: Any = None
        if self._texts:
            self._dictionaries = self._parquet_file(read_dictionary=self._texts, metadata=self._file.metadata)
        groups = list(map(self._file.metadata.row_group, range(self._file.num_row_groups)))
        self._rows = [group.num_rows for group in groups]
        self.row_bytes = max((group.total_byte_size // group.num_rows for group in groups if group.num_rows), default=0)
        return schema

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with super()._reading():
            try:
                yield
            except OSError as error:
                if "decrypt" not in str(error):
                    raise
                hint = "decrypt it first, for instance with pyarrow"
                raise DataError(f"{self.input.name}: is encrypted", hint=hint) from None

    def _parquet_file(self, **options: Any) -> Any:
        return pa.parquet.ParquetFile(SeekableViews(self.input), pre_buffer=False, buffer_size=1 << 16, **options)

    def batches(self, rows: int) -> Iterator[Any]:
        """Yield record batches, each out of one row group or, where those are small, several."""
        for numbers in self._runs(rows):
            most = max(1, min(rows, REPEATED_BYTES // max(1, self._longest_texts(numbers))))
            missing = sum(self._rows[number] for number in numbers)
            for batch in self._file.iter_batches(most, row_groups=numbers, columns=self.columns, use_threads=False):
                missing -= len(batch)
                yield batch
            if missing:
                raise ValueError(f"{missing} rows are missing")

    def _longest_texts(self, numbers: Sequence[int]) -> int:
        """Return how many bytes the longest texts in the dictionaries of row groups take, one of each column."""
        total = 0
        for name in self._texts:
            found = [0]
            for number in numbers:
                # The dictionary of all rows comes with the first.
                batches = self._dictionaries.iter_batches(1, row_groups=[number], columns=[name], use_threads=False)
                found += [longest(batch.column(0).dictionary) for batch in itertools.islice(batches, 1)]
            total += max(found)
        return total

    def _runs(self, rows: int) -> Iterator[list[int]]:
        """Yield the numbers of row groups that together have so many rows, or are the last."""
        numbers: list[int] = []
        count = 0
        for number, group_rows in enumerate(self._rows):
            numbers.append(number)
            count += group_rows
            if count >= rows or number == len(self._rows) - 1:
                yield numbers
                numbers, count = [], 0


class ParquetSink(ColumnarSink):
    """Parquet; small batches are gathered to a row group."""

    what = "Parquet"
    column_bytes = 5000

    def open(self, layout: Layout) -> int:
        """Settle the schema."""
        self._gathered: list[Any] = []
        self._gathered_bytes = 0
        return super().open(layout)

    def begin(self, file: Any) -> Any:
        """Return what writes tables to `file`."""
        # Texts repeat, numbers hardly ever: looking for repeated numbers takes most of the time.
        texts = [field.name for field in self.schema if not is_numeric(field.type)]
        return pa.parquet.ParquetWriter(file, self.schema, use_dictionary=texts)

    def put(self, batch: Any) -> None:
        """Keep a record batch until there are enough of them."""
        self._gathered.append(batch)
        self._gathered_bytes += batch.nbytes
        if len(self._gathered) > 1 and len(self._gathered) * len(self.schema) > _MOST_ARRAYS:
            self._gathered = [pa.concat_batches(self._gathered)]
        if self._gathered_bytes >= _ROW_GROUP_BYTES:
            self._write()

    def end(self) -> None:
        """Write what is left, and the end of the file."""
        self._write()
        super().end()

    def _write(self) -> None:
        if self._gathered:
            self.writer.write_table(pa.Table.from_batches(self._gathered, self.schema))
            self._gathered.clear()
            self._gathered_bytes = 0
