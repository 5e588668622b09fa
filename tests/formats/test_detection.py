"""Files of formats that actcli does not read: they are named, and the hint says how to export the scores."""

from __future__ import annotations

import bz2
import io
import lzma
import pickle
import sqlite3
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.orc
import pytest
import scipy.io

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from program import Actcli

TABLE = pa.table({"cat": [1.0, 2.0], "dog": [2.0, 1.0]})


def archive(*names: str) -> bytes:
    """Return a zip archive with members of these names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name in names:
            target.writestr(name, "cat,dog\n1,2\n")
    return file.getvalue()


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    """Return what a function writes."""
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def database() -> bytes:
    """Return an SQLite database."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE scores (cat REAL)")
        content = connection.serialize()
    connection.close()
    return content


FILES = {
    "pickle": (pickle.dumps([1.0]), "a Python pickle", "np.save"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "an HDF5 file", "h5py"),
    "xls": (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504), "an Excel file", "read_excel"),
    "xlsx": (archive("[Content_Types].xml", "xl/workbook.xml"), "an Excel file", "read_excel"),
    "zip": (archive("scores.csv"), "a zip archive of other files", "unzip -p"),
    "avro": (b"Obj\x01\x04\x14avro.codec", "an Avro file", "fastavro"),
    "orc": (written(lambda file: pyarrow.orc.write_table(TABLE, file)), "an ORC file", "pyarrow.orc"),
    "mat": (written(lambda file: scipy.io.savemat(file, {"a": np.ones((2, 2))})), "a MATLAB file", "scipy.io"),
    "bz2": (bz2.compress(b"cat,dog\n1,2\n"), "a bzip2 file", "bzip2 -dc"),
    "empty-bz2": (bz2.compress(b""), "a bzip2 file", "bzip2 -dc"),
    "xz": (lzma.compress(b"cat,dog\n1,2\n"), "an xz file", "xz -dc"),
    "sqlite": (database(), "an SQLite database", "sqlite3 -header -csv"),
    "duckdb": (bytes(8) + b"DUCK" + bytes(100), "a DuckDB database", "duckdb -csv"),
    "stata": (b"<stata_dta><header>", "a Stata file", "read_stata"),
    "old-stata": (b"\x72\x02\x01\0" + bytes(100), "a Stata file", "read_stata"),
    "feather": (b"FEA1\0\0\0\0" + bytes(40), "a Feather file of version 1", "write_feather"),
    "torch": (archive("model/data.pkl"), "a PyTorch file", "scores.detach().float().cpu().numpy()"),
}


@pytest.mark.parametrize("suffix", ["", ".csv", ".npz"])
@pytest.mark.parametrize("name", FILES)
def test_a_foreign_file_is_named(name: str, suffix: str, tmp_path: Path, actcli: Actcli) -> None:
    """Whatever its suffix claims."""
    content, what, export = FILES[name]
    path = tmp_path / f"scores{suffix}"
    path.write_bytes(content)
    result = actcli("softmax", path)
    assert result.code == 1
    message, hint = result.err.splitlines()
    if name in ("xlsx", "zip") and suffix != ".csv":
        assert "holds no arrays" in message
        assert f"this is {what}" in hint
    else:
        assert message.endswith(f"it looks like {what}")
    assert export in hint


@pytest.mark.parametrize("header", [b"ORC,ELF", b"BZh,xz", b"FEA1,Obj", b"DUCK,ORC"])
def test_classes_called_like_first_bytes(header: bytes, actcli: Actcli) -> None:
    """A table whose first class has the name of a format is a table."""
    result = actcli("softmax", "--columns", "label", stdin=header + b"\n1,2\n")
    assert result.text == "label\n" + header.decode().split(",")[1] + "\n"
