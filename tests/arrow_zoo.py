"""Arrow arrays of every type, and of types in types, each of four rows; and a program that reads files of them.

``python tests/arrow_zoo.py FOLDER FORMAT`` runs the command line on every file of the folder, in one process, and
prints a line of JSON for each run as it ends: so a crash shows which run it was.
"""

from __future__ import annotations

import contextlib
import decimal
import io
import itertools
import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.ipc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = 4


class Labelled(pa.ExtensionType):  # type: ignore[misc]  # pyarrow has no types
    """An extension type that only its writer knows."""

    def __init__(self, storage: Any) -> None:
        super().__init__(storage, "example.labelled")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> Labelled:
        return cls(storage_type)


def leaves() -> dict[str, Any]:
    """Return an array of each type that holds no other, with a null and with values at the ends of their range."""
    numbers = {str(type): pa.array([1, None, 0, 100], type) for type in (
        pa.int8(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(),
    )}  # fmt: skip
    moments = {
        f"timestamp-{unit}-{(zone or 'none').replace('/', '-')}": pa.array([0, None, -(2**40), 2**62], pa.int64()).cast(
            pa.timestamp(unit, zone), safe=False
        )
        for unit, zone in (
            *itertools.product(("s", "ms", "us", "ns"), (None, "UTC")),
            *itertools.product(("ns",), ("Europe/Berlin", "+01:30", "Mars/Phobos", "\x1b[31m")),
        )
    }
    spans = {f"duration-{unit}": pa.array([0, None, 1, 2**62], pa.duration(unit)) for unit in ("s", "ms", "us", "ns")}
    decimals = {
        f"decimal-{index}": pa.array([decimal.Decimal(0), None, decimal.Decimal(1000), decimal.Decimal(-3000)], type)
        for index, type in enumerate((pa.decimal32(7, 2), pa.decimal256(50, 5), pa.decimal128(5, -3)))
    }
    texts = {
        "string": pa.array(["a", None, "\x1b[31m,\n", "x" * 40]),
        "large_string": pa.array(["a", None, "", "x"], pa.large_string()),
        "string_view": pa.array(["a", None, "", "x" * 40], pa.string_view()),
        "binary": pa.array([b"a", None, b"\xff", b"x" * 40]),
        "large_binary": pa.array([b"a", None, b"\xff", b""], pa.large_binary()),
        "binary_view": pa.array([b"a", None, b"\xff", b"x" * 40], pa.binary_view()),
        "fixed_size_binary": pa.array([b"abc", None, b"\xff\0\x01", b"xyz"], pa.binary(3)),
    }
    other = {
        "null": pa.nulls(ROWS),
        "bool": pa.array([True, None, False, True]),
        "date32": pa.array([0, None, -(2**31), 2**31 - 1], pa.int32()).cast(pa.date32()),
        "date64": pa.array([0, None, -(2**55), 2**55], pa.int64()).view(pa.date64()),
        "time32": pa.array([0, None, 1, 86399], pa.time32("s")),
        "time64": pa.array([0, None, 1, 86399 * 10**9 + 1], pa.time64("ns")),
        "month_day_nano": pa.array([None, None, pa.MonthDayNano([1, 2, 3]), pa.MonthDayNano([-1, 0, 2**62])]),
        "uuid": pa.array([uuid.UUID(int=row).bytes for row in range(ROWS)], pa.uuid()),
        "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None, 0, 1], pa.int8())),
        "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", None, "{}", "[]"])),
        "opaque": pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "x\x1b[31m", "v"), pa.array(list("abcd"))),
    }
    return numbers | moments | spans | decimals | texts | other


NESTS: dict[str, Callable[[Any], Any]] = {
    "struct": lambda inner: pa.StructArray.from_arrays([inner, inner], ["f", "\x1b[31m"]),
    "double": lambda inner: pa.StructArray.from_arrays([inner, inner], ["f", "f"]),
    "list": lambda inner: pa.ListArray.from_arrays(pa.array([0, 1, 1, 3, 4], pa.int32()), inner),
    "large_list": lambda inner: pa.LargeListArray.from_arrays(pa.array([0, 1, 1, 3, 4], pa.int64()), inner),
    "fixed_size_list": lambda inner: pa.FixedSizeListArray.from_arrays(inner, 1),
    "map": lambda inner: pa.MapArray.from_arrays(pa.array([0, 1, 1, 3, 4], pa.int32()), pa.array(list("abcd")), inner),
    "dictionary": lambda inner: pa.DictionaryArray.from_arrays(pa.array([0, None, 2, 1], pa.int8()), inner),
    "run_end_encoded": lambda inner: pa.RunEndEncodedArray.from_arrays(
        pa.array([1, 2, 4], pa.int16()), inner.slice(0, 3)
    ),
    "list_view": lambda inner: pa.ListViewArray.from_arrays(
        pa.array([3, 0, 0, 0], pa.int32()), pa.array([1, 0, 2, 4], pa.int32()), inner
    ),
    "large_list_view": lambda inner: pa.LargeListViewArray.from_arrays(
        pa.array([3, 0, 0, 0], pa.int64()), pa.array([1, 0, 2, 4], pa.int64()), inner
    ),
    "dense_union": lambda inner: pa.UnionArray.from_dense(
        pa.array([0, 0, 1, 0], pa.int8()), pa.array([0, 1, 0, 2], pa.int32()), [inner, pa.array([1])]
    ),
    "sparse_union": lambda inner: pa.UnionArray.from_sparse(
        pa.array([0, 0, 1, 0], pa.int8()), [inner, pa.array(range(ROWS))]
    ),
    "extension": lambda inner: pa.ExtensionArray.from_storage(Labelled(inner.type), inner),
}  # fmt: skip

_INNERMOST = ("string_view", "timestamp-ns-UTC")
"""The types that are nested two deep."""


def arrays() -> Iterator[tuple[str, Any]]:
    """Yield the name of each type, and an array of it; what Arrow itself cannot build is left out."""
    for name, leaf in leaves().items():
        yield name, leaf
        for nest, wrap in NESTS.items():
            with contextlib.suppress(pa.ArrowException, NotImplementedError, TypeError):
                inner = wrap(leaf)
                yield f"{nest}.{name}", inner
                if name in _INNERMOST:
                    for outer, wrap_again in NESTS.items():
                        with contextlib.suppress(pa.ArrowException, NotImplementedError, TypeError):
                            yield f"{outer}.{nest}.{name}", wrap_again(inner)


def write(folder: Path) -> int:
    """Write a file for each type, which carries a column of it and has one bad row; return how many there are."""
    count = 0
    for name, array in arrays():
        assert len(array) == ROWS, name
        table = pa.table({"id": array, "a": [1.5, None, 0.0, 2.0], "b": [2.5, 1.0, 1.0, 1.0]})
        try:
            with pa.ipc.new_file(folder / f"{name}.arrow", table.schema) as writer:
                writer.write_table(table)
            count += 1
        except (pa.ArrowException, NotImplementedError):
            (folder / f"{name}.arrow").unlink()
    return count


def main(folder: Path, format: str) -> None:
    """Run the command line on every file of a folder, to one format."""
    from actcli.cli.app import main as run

    for path in sorted(set(folder.glob("*.arrow")) - set(folder.glob("*.out.arrow"))):
        target = path.with_name(f"{path.stem}.out.{format}")
        command = ["compare", "gradient"][len(path.name) % 2] if format == "table" else "softmax"
        output = ["-f", "csv", "-o", str(target)] if format == "table" else ["-o", str(target)]
        more = ["--columns", "id,label"] if command == "softmax" else []
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            code = run([command, str(path), "--id", "id", "--on-bad-row", "skip", "-q", *output, *more])
        sys.stdout.write(json.dumps({"name": path.name, "code": code, "err": err.getvalue()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
