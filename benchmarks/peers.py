"""What else does the job, each as its expert would write it: ``python peers.py PEER TASK INPUT OUTPUT``.

Formats go by suffix; ``-`` is CSV through standard input and output. The tasks:

``softmax``
    From a table: id, label, confidence and the probabilities. From NPY: the probabilities as NPY.
``label``
    From a table: id and label.
``sets``
    From NPY: the labels whose sigmoid reaches 0.5, joined by ``|``, as CSV.

A peer imports what it needs and no more, and nothing is measured here: a process is one run, start-up included.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

THRESHOLD = 0.5

PEERS: dict[tuple[str, str], Callable[[str, str], None]] = {}
"""By peer and task."""

NEEDS = {
    "polars": ("polars",),
    "pandas": ("pandas", "scipy", "pyarrow"),
    "duckdb": ("duckdb",),
    "numpy": ("numpy",),
    "numpy, logit": ("numpy",),
    "scipy": ("numpy", "scipy"),
    "torch": ("numpy", "torch"),
}
"""The packages that a peer imports; one that is not here is a program of the system."""


def does(peer: str, task: str) -> Callable[[Callable[[str, str], None]], Callable[[str, str], None]]:
    """Enter a function as what a peer does for a task."""

    def enter(function: Callable[[str, str], None]) -> Callable[[str, str], None]:
        PEERS[peer, task] = function
        return function

    return enter


# polars: lazy expressions on the streaming engine, from scan to sink


def _polars_scan(input: str) -> tuple[Any, list[str]]:
    import polars as pl

    if input == "-":
        frame = pl.scan_csv(sys.stdin.buffer)
    else:
        frame = pl.scan_csv(input) if input.endswith(".csv") else pl.scan_parquet(input)
    return frame, frame.collect_schema().names()[1:]


def _polars_label(classes: Sequence[str]) -> Any:
    """Return the first class that has the largest score: faster than a list and its `arg_max`, also for 1,000."""
    import polars as pl

    equal = (pl.when(pl.col(name) == pl.col("largest")).then(pl.lit(name)) for name in classes)
    return pl.coalesce(*equal).alias("label")


def _polars_sink(frame: Any, output: str) -> None:
    if output == "-":
        frame.sink_csv(sys.stdout.buffer, engine="streaming")
    elif output.endswith(".parquet"):
        frame.sink_parquet(output, compression="snappy", engine="streaming")
    elif output.endswith(".jsonl"):
        frame.sink_ndjson(output, engine="streaming")
    else:
        frame.sink_csv(output, engine="streaming")


@does("polars", "softmax")
def polars_softmax(input: str, output: str) -> None:
    """Subtract the largest, take exponentials, divide by their sum; the confidence is one over it."""
    import polars as pl

    frame, classes = _polars_scan(input)
    # A column for the largest: within each expression, it makes plans that take longer than the work.
    frame = (
        frame.with_columns(pl.max_horizontal(classes).alias("largest"))
        .select("id", _polars_label(classes), *((pl.col(name) - pl.col("largest")).exp() for name in classes))
        .with_columns((1 / pl.sum_horizontal(classes)).alias("probability"))
        .select(
            "id",
            "label",
            "probability",
            *((pl.col(name) * pl.col("probability")).alias(f"p_{name}") for name in classes),
        )
    )
    _polars_sink(frame, output)


@does("polars", "label")
def polars_label(input: str, output: str) -> None:
    """Take the class with the largest score; no probability is needed for that."""
    import polars as pl

    frame, classes = _polars_scan(input)
    frame = frame.with_columns(pl.max_horizontal(classes).alias("largest"))
    _polars_sink(frame.select("id", _polars_label(classes)), output)


@does("polars", "sets")
def polars_sets(input: str, output: str) -> None:
    """Join, of each row, the names whose sigmoid reaches the threshold."""
    import numpy as np
    import polars as pl

    scores = np.load(input, mmap_mode="r")
    names = [str(number) for number in range(scores.shape[1])]
    reached = (pl.when(1 / (1 + (-pl.col(name)).exp()) >= THRESHOLD).then(pl.lit(name)) for name in names)
    frame = pl.from_numpy(scores, schema=names).lazy()
    frame.select(pl.concat_str(*reached, separator="|", ignore_nulls=True).alias("labels")).sink_csv(
        output, engine="streaming"
    )


# duckdb: one COPY statement


def _duckdb_copy(query: str, output: str) -> None:
    import duckdb

    options = "FORMAT parquet, COMPRESSION snappy" if output.endswith(".parquet") else "FORMAT csv, HEADER"
    target = "/dev/stdout" if output == "-" else output
    connection = duckdb.connect()
    # A sum of 1,000 columns is an expression 1,000 deep.
    connection.execute("SET max_expression_depth TO 100000")
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"COPY ({query}) TO '{target}' ({options})")


def _duckdb_table(input: str) -> tuple[str, list[str]]:
    """Return what to select from, and the names of the classes."""
    import duckdb

    if input == "-":
        # A pipe can be read once: the names come first, and duckdb gets what follows.
        with open(0, "rb", buffering=0, closefd=False) as raw:
            names = raw.readline().decode().strip().split(",")
        columns = ", ".join(f"'{name}': '{'VARCHAR' if name == 'id' else 'DOUBLE'}'" for name in names)
        return f"read_csv('/dev/stdin', header = false, auto_detect = false, columns = {{{columns}}})", names[1:]
    table = f"read_csv('{input}')" if input.endswith(".csv") else f"read_parquet('{input}')"
    return table, duckdb.sql(f"SELECT * FROM {table} LIMIT 0").columns[1:]


def _duckdb_label(classes: Sequence[str]) -> str:
    whens = " ".join(f"WHEN {name} THEN '{name}'" for name in classes)
    return f"CASE largest {whens} END AS label"


@does("duckdb", "softmax")
def duckdb_softmax(input: str, output: str) -> None:
    """Find the largest, then exponentials, then their sum, each in a query around the last."""
    table, classes = _duckdb_table(input)
    largest = f"SELECT *, greatest({', '.join(classes)}) AS largest FROM {table}"
    exponentials = ", ".join(f"exp({name} - largest) AS e_{name}" for name in classes)
    powers = f"SELECT id, {_duckdb_label(classes)}, {exponentials} FROM ({largest})"
    total = " + ".join(f"e_{name}" for name in classes)
    scaled = f"SELECT *, 1 / ({total}) AS probability FROM ({powers})"
    probabilities = ", ".join(f"e_{name} * probability AS p_{name}" for name in classes)
    _duckdb_copy(f"SELECT id, label, probability, {probabilities} FROM ({scaled})", output)


@does("duckdb", "label")
def duckdb_label(input: str, output: str) -> None:
    """Take the class with the largest score."""
    table, classes = _duckdb_table(input)
    largest = f"SELECT *, greatest({', '.join(classes)}) AS largest FROM {table}"
    _duckdb_copy(f"SELECT id, {_duckdb_label(classes)} FROM ({largest})", output)


# pandas with scipy


@does("pandas", "softmax")
def pandas_softmax(input: str, output: str) -> None:
    """Read with Arrow's parser, the fastest there is; a pipe in parts, which that parser does not know."""
    import pandas as pd

    if input == "-":
        for number, part in enumerate(pd.read_csv(sys.stdin.buffer, chunksize=50_000)):
            _pandas_probabilities(part).to_csv(sys.stdout, index=False, header=number == 0)
        return
    frame = pd.read_csv(input, engine="pyarrow") if input.endswith(".csv") else pd.read_parquet(input)
    result = _pandas_probabilities(frame)
    if output.endswith(".parquet"):
        result.to_parquet(output, index=False, compression="snappy")
    else:
        result.to_csv(output, index=False)


def _pandas_probabilities(frame: Any) -> Any:
    import pandas as pd
    from scipy.special import softmax

    classes = frame.columns[1:]
    probabilities = softmax(frame[classes].to_numpy(), axis=1)
    best = probabilities.argmax(axis=1)
    result = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in classes])
    result.insert(0, "id", frame["id"].to_numpy())
    result.insert(1, "label", classes.to_numpy()[best])
    result.insert(2, "probability", probabilities[range(len(best)), best])
    return result


@does("pandas", "label")
def pandas_label(input: str, output: str) -> None:
    """Take the class with the largest score."""
    import pandas as pd

    frame = pd.read_csv(input, engine="pyarrow")
    classes = frame.columns[1:]
    best = frame[classes].to_numpy().argmax(axis=1)
    pd.DataFrame({"id": frame["id"], "label": classes.to_numpy()[best]}).to_csv(output, index=False)


@does("pandas", "sets")
def pandas_sets(input: str, output: str) -> None:
    """Group the cells that reach the threshold by row: a join of names for each row."""
    import numpy as np
    import pandas as pd
    from scipy.special import expit

    scores = np.load(input, mmap_mode="r")
    rows, classes = np.nonzero(expit(scores) >= THRESHOLD)
    names = pd.Series(classes.astype(str)).groupby(rows).agg("|".join)
    names.reindex(range(len(scores)), fill_value="").rename("labels").to_csv(output, index=False)


# NumPy: the usual lines


@does("numpy", "softmax")
def numpy_softmax(input: str, output: str) -> None:
    """Subtract the largest, take exponentials, divide by their sum, all in place."""
    import numpy as np

    scores = np.load(input)
    if scores.dtype == np.float16:
        scores = scores.astype(np.float32)
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    np.save(output, scores)


@does("numpy", "sets")
def numpy_sets(input: str, output: str) -> None:
    """Take the sigmoid of every cell and compare it with the threshold."""
    import numpy as np

    scores = np.load(input)
    np.negative(scores, out=scores)
    np.exp(scores, out=scores)
    scores += 1
    np.reciprocal(scores, out=scores)
    _write_sets(scores >= THRESHOLD, output)


@does("numpy, logit", "sets")
def numpy_sets_by_logit(input: str, output: str) -> None:
    """Compare the scores with the logit of the threshold, which spares the sigmoid."""
    import math

    import numpy as np

    _write_sets(np.load(input, mmap_mode="r") >= math.log(THRESHOLD / (1 - THRESHOLD)), output)


def _write_sets(reached: Any, output: str) -> None:
    """Write the names of the columns that are true, of each row; `reached` has the shape (N, C)."""
    import numpy as np

    rows, classes = np.nonzero(reached)
    names = [str(number) for number in range(reached.shape[1])]
    members = [names[number] for number in classes.tolist()]
    ends = np.searchsorted(rows, np.arange(1, len(reached) + 1)).tolist()
    with open(output, "w", encoding="utf-8") as file:
        file.write("labels\n")
        start = 0
        for end in ends:
            # A row that is one empty cell would be a blank line.
            file.write("|".join(members[start:end]) + "\n" if end > start else '""\n')
            start = end


# scipy and torch


@does("scipy", "softmax")
def scipy_softmax(input: str, output: str) -> None:
    """Call `scipy.special.softmax` on the mapped file."""
    import numpy as np
    from scipy.special import softmax

    scores = np.load(input, mmap_mode="r")
    if scores.dtype == np.float16:
        scores = scores.astype(np.float32)
    np.save(output, softmax(scores, axis=1))


@does("torch", "softmax")
def torch_softmax(input: str, output: str) -> None:
    """Call `torch.softmax` on the mapped file, on all processors."""
    import numpy as np
    import torch

    # Mapped as private and writable, since torch warns of memory that it could not write to.
    scores = torch.from_numpy(np.load(input, mmap_mode="c"))
    with torch.inference_mode():
        # A float16 file is computed in float32, without a copy of it in float32.
        dtype = torch.float32 if scores.dtype == torch.float16 else None
        np.save(output, torch.softmax(scores, dim=1, dtype=dtype).numpy())


@does("torch", "sets")
def torch_sets(input: str, output: str) -> None:
    """Call `torch.sigmoid`; the texts are made as NumPy's are."""
    import numpy as np
    import torch

    scores = torch.from_numpy(np.load(input, mmap_mode="c"))
    with torch.inference_mode():
        _write_sets((torch.sigmoid(scores) >= THRESHOLD).numpy(), output)


if __name__ == "__main__":
    peer, task, input, output = sys.argv[1:]
    PEERS[peer, task](input, output)
