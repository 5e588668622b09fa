"""Write random logits: ``python inputs.py KIND ROWS CLASSES DTYPE MEAN SPREAD FILE``.

Block by block, so that it needs little memory however many rows there are; the same numbers on any machine, whatever
the length. Runs in the environment of the peers.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy_format

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20
CELLS = 1 << 20
"""How many numbers a block has."""


def main(kind: str, rows: int, classes: int, dtype: str, mean: float, spread: float, path: str) -> None:
    """Write a file, which appears when it is whole."""
    blocks = logits(rows, classes, mean, spread)
    temporary = f"{path}.part"
    if kind == "npy":
        write_npy(temporary, blocks, (rows, classes), np.dtype(dtype))
    else:
        write_table(temporary, blocks, kind, classes)
    os.replace(temporary, path)


def logits(rows: int, classes: int, mean: float, spread: float) -> Iterator[np.ndarray[Any, np.dtype[np.float64]]]:
    """Yield blocks of rows."""
    random = np.random.default_rng(SEED)
    count = max(1, CELLS // classes)
    for start in range(0, rows, count):
        yield random.normal(mean, spread, (min(count, rows - start), classes))


def write_npy(
    path: str,
    blocks: Iterator[np.ndarray[Any, np.dtype[np.float64]]],
    shape: tuple[int, int],
    dtype: np.dtype[Any],
) -> None:
    """Write an array in C order."""
    with open(path, "wb") as file:
        description = npy_format.dtype_to_descr(dtype)
        npy_format.write_array_header_1_0(file, {"descr": description, "fortran_order": False, "shape": shape})
        file.writelines(block.astype(dtype).data for block in blocks)


def write_table(path: str, blocks: Iterator[np.ndarray[Any, np.dtype[np.float64]]], kind: str, classes: int) -> None:
    """Write ids and columns c0, c1, ...; numbers have six decimals, as a program would print them."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    schema = pa.schema([("id", pa.string()), *((f"c{number}", pa.float64()) for number in range(classes))])
    start = 0
    with open(path, "wb") as file:
        if kind == "csv":
            # Arrow would put the names into quotes.
            file.write(f"{','.join(schema.names)}\n".encode())
            options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
            writer = pa.csv.CSVWriter(file, schema, write_options=options)
        else:
            writer = pa.parquet.ParquetWriter(file, schema)
        for block in blocks:
            ids = [f"row-{number:09d}" for number in range(start, start + len(block))]
            columns = np.ascontiguousarray(block.round(6).T)
            writer.write_table(pa.table([pa.array(ids), *map(pa.array, columns)], schema=schema))
            start += len(block)
        writer.close()


if __name__ == "__main__":
    kind, rows, classes, dtype, mean, spread, path = sys.argv[1:]
    main(kind, int(rows), int(classes), dtype, float(mean), float(spread), path)
