"""Every format read against every format written: the same decisions on the same rows."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from actcli.formats import FORMATS
from program import SAMPLES, Actcli

if TYPE_CHECKING:
    from pathlib import Path

READ = [format.name for format in FORMATS.values() if format.source]
WRITTEN = [format.name for format in FORMATS.values() if format.sink]
OPTIONS = ("--dtype", "float32", "-q")


def probabilities(data: bytes, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return the probabilities in an output of any format."""
    if name in ("csv", "tsv"):
        rows = list(csv.DictReader(io.StringIO(data.decode()), delimiter="," if name == "csv" else "\t"))
        values = [[row[key] for key in row if key.startswith("p_")] for row in rows]
    elif name in ("json", "jsonl"):
        objects = json.loads(data) if name == "json" else map(json.loads, data.splitlines())
        values = [list(row["probabilities"].values()) for row in objects]
    elif name == "npy":
        return np.asarray(np.load(io.BytesIO(data)))
    elif name == "npz":
        with np.load(io.BytesIO(data)) as arrays:
            return np.asarray(arrays["probabilities"])
    else:
        table = pa.parquet.read_table(io.BytesIO(data)) if name == "parquet" else pa.ipc.open_stream(data).read_all()
        values = [list(row.values()) for row in table.to_pylist()]
    return np.array(values, dtype=np.float32)


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("source", READ)
def test_the_same_decisions(source: str, tmp_path: Path, actcli: Actcli) -> None:
    """To the last bit, in chunks of any size."""
    path = tmp_path / f"scores.{source}"
    array = tmp_path / "of_all.npy"
    np.save(array, np.load(SAMPLES / "digits_logits.npy")[:23])
    made = actcli("softmax", array, "--columns", "logits", "-o", path)
    assert made.code == 0
    prefixed = () if source in ("json", "jsonl", "npy", "npz") else ("--classes", "logit_*")
    expected = np.load(io.BytesIO(actcli("softmax", array, *OPTIONS, "-f", "npy").out))
    for sink in WRITTEN:
        result = actcli("softmax", path, *prefixed, *OPTIONS, "--columns", "probabilities", "-f", sink)
        assert result.code == 0
        assert np.array_equal(probabilities(result.out, sink), expected)
