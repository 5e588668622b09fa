"""What is measured: the inputs, what is done with them, by whom, and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["GROWTHS", "QUICK", "SHAPES", "Aim", "Growth", "Input", "Shape"]

QUICK = 1000
"""A smoke test has so many times fewer rows."""


@dataclass(frozen=True, slots=True)
class Input:
    """A file of random logits.

    Parameters
    ----------
    kind
        Its format and suffix. CSV and Parquet have a column of ids before the classes.
    rows, classes
        Its shape.
    dtype
        Of an NPY file.
    mean, spread
        Of the normal distribution that the logits are drawn from.
    """

    kind: Literal["csv", "npy", "parquet"]
    rows: int
    classes: int
    dtype: Literal["float16", "float32", "float64"] = "float64"
    mean: float = 0.0
    spread: float = 3.0

    @property
    def name(self) -> str:
        """The name of its file, which is another for anything that makes it another file."""
        dtype = f"-{self.dtype}" if self.kind == "npy" else ""
        shifted = f"-{self.mean:g}-{self.spread:g}" if self.mean else ""
        return f"logits-{self.rows}x{self.classes}{dtype}{shifted}.{self.kind}"

    @property
    def tolerance(self) -> float:
        """How far probabilities may be apart, relatively: some hundred roundings of the dtype they are computed in."""
        return 1e-12 if self.dtype == "float64" else 1e-4

    def quick(self) -> Input:
        """Return the same with few rows."""
        return replace(self, rows=max(self.rows // QUICK, 10))


@dataclass(frozen=True, slots=True)
class Aim:
    """The most that a median may be.

    Parameters
    ----------
    measure
        "wall" or "peak".
    limit
        A ratio, actcli over the peer, or MiB.
    peer
        What it is compared with; None is nothing: MiB.
    """

    measure: Literal["wall", "peak"]
    limit: float
    peer: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of work, done by actcli and its peers in turn.

    Parameters
    ----------
    name
        For ``--only``.
    title
        What stands over its table.
    input
        What is read.
    task
        What the peers are asked for: "softmax" (id, label, confidence and probabilities, or the probabilities alone
        in NPY), "label" (id and label) or "sets" (the labels that reach the threshold).
    arguments
        Of actcli, between its name and the input.
    suffix
        Of the output.
    peers
        Those that do the same.
    floors
        Programs that do less: what they take is the least that is possible.
    pipe
        Whether everything goes through pipes.
    repeat
        How many times more rounds than others it has, because it is over so soon.
    aims
        What is aimed at.
    """

    name: str
    title: str
    input: Input
    task: Literal["softmax", "label", "sets", "nothing"]
    arguments: tuple[str, ...]
    suffix: str
    peers: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()
    pipe: bool = False
    repeat: int = 1
    aims: tuple[Aim, ...] = ()


@dataclass(frozen=True, slots=True)
class Growth:
    """The same work with ten times the rows: what becomes of the peak memory.

    Parameters
    ----------
    name, title, arguments, suffix, peers
        As those of a shape; the task is "softmax".
    short, long
        The two inputs.
    limit
        How many times the peak memory may be what it was.
    """

    name: str
    title: str
    short: Input
    long: Input
    arguments: tuple[str, ...]
    suffix: str
    peers: tuple[str, ...]
    limit: float = 1.25


_FULL = ("softmax", "--quiet", "--columns", "id,label,probability,probabilities")
_LABELS = ("softmax", "--quiet", "--columns", "id,label")
_PLAIN = ("softmax", "--quiet")
_COPIES = ("cp", "import, copy")
_TEXT_FLOORS = ("cp", "import")
_TABLES = ("polars", "duckdb", "pandas")
_ARRAYS = ("numpy", "scipy", "torch")
_STARTS = ("python", "import numpy")
_NPY_AIMS = (Aim("wall", 1.5, "cp"), Aim("wall", 0.25, "scipy"), Aim("wall", 0.35, "torch"), Aim("peak", 150))
_CSV = Input("csv", 500_000, 10)

SHAPES = (
    Shape(
        "csv",
        "CSV, 500,000 x (id + 10), to CSV with id, label, confidence, 10 probabilities",
        _CSV,
        "softmax",
        _FULL,
        "csv",
        (*_TABLES, "awk"),
        _TEXT_FLOORS,
        aims=(Aim("wall", 0.65, "polars"), Aim("peak", 0.5, "polars"), Aim("wall", 0.1, "pandas")),
    ),
    Shape(
        "csv-labels",
        "CSV, 500,000 x (id + 10), to CSV with id, label",
        _CSV,
        "label",
        _LABELS,
        "csv",
        (*_TABLES, "awk"),
        _TEXT_FLOORS,
        aims=(Aim("wall", 0.5, "polars"),),
    ),
    Shape(
        "csv-wide",
        "CSV, 20,000 x (id + 1,000), to CSV with id, label, confidence, 1,000 probabilities",
        Input("csv", 20_000, 1_000),
        "softmax",
        _FULL,
        "csv",
        _TABLES,
        _TEXT_FLOORS,
    ),
    Shape(
        "csv-two",
        "CSV, 5,000,000 x (id + 2), to CSV with id, label, confidence, 2 probabilities",
        Input("csv", 5_000_000, 2),
        "softmax",
        _FULL,
        "csv",
        _TABLES,
        _TEXT_FLOORS,
    ),
    Shape(
        "npy",
        "NPY float32, 10,000,000 x 10, to NPY",
        Input("npy", 10_000_000, 10, "float32"),
        "softmax",
        _PLAIN,
        "npy",
        _ARRAYS,
        _COPIES,
        aims=_NPY_AIMS,
    ),
    Shape(
        "npy-wide",
        "NPY float32, 100,000 x 1,000, to NPY",
        Input("npy", 100_000, 1_000, "float32"),
        "softmax",
        _PLAIN,
        "npy",
        _ARRAYS,
        _COPIES,
        aims=_NPY_AIMS,
    ),
    Shape(
        "npy-widest",
        "NPY float32, 2,000 x 100,000, to NPY",
        Input("npy", 2_000, 100_000, "float32"),
        "softmax",
        _PLAIN,
        "npy",
        _ARRAYS,
        _COPIES,
    ),
    Shape(
        "npy-float64",
        "NPY float64, 10,000,000 x 10, to NPY",
        Input("npy", 10_000_000, 10, "float64"),
        "softmax",
        _PLAIN,
        "npy",
        _ARRAYS,
        _COPIES,
    ),
    Shape(
        "npy-float16",
        "NPY float16, 10,000,000 x 10, to NPY float32",
        Input("npy", 10_000_000, 10, "float16"),
        "softmax",
        _PLAIN,
        "npy",
        _ARRAYS,
        _COPIES,
    ),
    Shape(
        "sets",
        "NPY float32, 100,000 x 500, multi-label, to CSV with the set of labels that reach 0.5",
        Input("npy", 100_000, 500, "float32", mean=-4.0, spread=2.0),
        "sets",
        ("multilabel", "--quiet", "--columns", "labels"),
        "csv",
        ("numpy", "numpy, logit", "torch", "polars", "pandas"),
    ),
    Shape(
        "parquet",
        "Parquet, 500,000 x (id + 10), to Parquet with id, label, confidence, 10 probabilities",
        Input("parquet", 500_000, 10),
        "softmax",
        _FULL,
        "parquet",
        _TABLES,
        ("cp",),
    ),
    Shape(
        "pipe",
        "A pipe: CSV, 500,000 x (id + 10), from standard input to standard output",
        _CSV,
        "softmax",
        (*_FULL, "--format", "csv"),
        "csv",
        (*_TABLES, "awk"),
        ("cat",),
        pipe=True,
    ),
    Shape(
        "ten-rows",
        "Ten rows of CSV, to CSV (start-up)",
        Input("csv", 10, 10),
        "softmax",
        _FULL,
        "csv",
        (*_TABLES, "awk"),
        _STARTS,
        repeat=3,
        aims=(Aim("wall", 2.1, "import numpy"),),
    ),
    Shape(
        "ten-rows-npy",
        "Ten rows of NPY, to NPY (start-up)",
        Input("npy", 10, 10, "float32"),
        "softmax",
        _PLAIN,
        "npy",
        _ARRAYS,
        _STARTS,
        repeat=3,
        aims=(Aim("wall", 1.6, "import numpy"),),
    ),
    Shape(
        "ten-rows-table",
        "Ten rows of CSV, shown as a table (start-up)",
        Input("csv", 10, 10),
        "nothing",
        (*_PLAIN, "--format", "table"),
        "txt",
        (),
        _STARTS,
        repeat=3,
        aims=(Aim("wall", 2.1, "import numpy"),),
    ),
    Shape(
        "help",
        "The help of a command (start-up)",
        Input("csv", 10, 10),
        "nothing",
        ("softmax", "--help"),
        "txt",
        (),
        _STARTS,
        repeat=3,
        aims=(Aim("wall", 1.2, "import numpy"),),
    ),
)

GROWTHS = tuple(
    Growth(
        f"memory-{suffix}",
        f"CSV, 200,000 and 2,000,000 x (id + 10), to {title}: the peak memory",
        Input("csv", 200_000, 10),
        Input("csv", 2_000_000, 10),
        _FULL,
        suffix,
        ("polars",),
    )
    for suffix, title in (("csv", "CSV"), ("jsonl", "JSON Lines"), ("parquet", "Parquet"))
)
