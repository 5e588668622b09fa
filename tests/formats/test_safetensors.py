"""safetensors against NPY of the same numbers; the files are put together here, as the format says."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from actcli.formats.row_ranges import RowDecoder
from program import SAMPLES, Actcli, process

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
}


def tensors(**arrays: tuple[str, Array]) -> bytes:
    """Return a file of tensors, one after the other: the dtype as the format names it, and the numbers."""
    header, data = {}, b""
    for name, (dtype, array) in arrays.items():
        place = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": place}
        data += array.tobytes()
    text = json.dumps({"__metadata__": {"format": "pt"}} | header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("chunk_bytes")
def test_the_same_as_npy(dtype: str, actcli: Actcli, tmp_path: Path) -> None:
    """To the last bit, whatever the dtype, also beside other tensors."""
    scores = (np.abs(np.load(SAMPLES / "digits_logits.npy")[:20]) * 5).astype(DTYPES[dtype])
    np.save(tmp_path / "x.npy", scores)
    beside = ("F32", np.zeros(7, dtype=np.float32))
    (tmp_path / "x.safetensors").write_bytes(tensors(bias=beside, logits=(dtype, scores), more=beside))
    found = [actcli("softmax", tmp_path / f"x.{format}").out for format in ("npy", "safetensors")]
    assert found[0] == found[1]


def test_every_bfloat16() -> None:
    """Is the float32 whose lower half is zero (struct)."""
    bits = np.arange(1 << 16, dtype=np.uint16)
    decoded = RowDecoder("x", 0, bits.dtype, 1, None, bfloat16=True).decode(bits.reshape(-1, 1), 0).scores
    expected = [struct.unpack("<f", struct.pack("<HH", 0, each))[0] for each in bits.tolist()]
    np.testing.assert_array_equal(decoded[:, 0], np.array(expected, dtype=np.float32))
    assert decoded.dtype == np.float32


@pytest.mark.usefixtures("chunk_bytes")
def test_bfloat16_scores(actcli: Actcli, tmp_path: Path) -> None:
    """Are computed in float32, from a file and from a pipe."""
    scores = np.load(SAMPLES / "digits_logits.npy")[:20].astype("<f4")
    upper = np.ascontiguousarray(scores.view("<u2").reshape(20, 10, 2)[:, :, 1])
    np.save(tmp_path / "x.npy", (upper.astype("<u4") << 16).view("<f4"))
    data = tensors(logits=("BF16", upper))
    (tmp_path / "x.safetensors").write_bytes(data)
    expected = actcli("softmax", tmp_path / "x.npy").out
    assert actcli("softmax", tmp_path / "x.safetensors").out == expected
    assert process("softmax", stdin=data).out == expected


@pytest.mark.usefixtures("chunk_bytes")
def test_a_truth(actcli: Actcli, tmp_path: Path) -> None:
    """May be a tensor too, of codes or of 0 and 1."""
    scores = np.eye(4)[[0, 1, 2, 1]]
    np.save(tmp_path / "x.npy", scores)
    (tmp_path / "y.safetensors").write_bytes(tensors(y=("I64", np.array([0, 1, 2, 3]))))
    result = actcli("evaluate", tmp_path / "x.npy", "--truth", tmp_path / "y.safetensors")
    assert json.loads(result.text)["metrics"]["accuracy"] == 0.75
    (tmp_path / "y.safetensors").write_bytes(tensors(y=("BOOL", scores.astype(bool))))
    result = actcli("evaluate", tmp_path / "x.npy", "--truth", tmp_path / "y.safetensors", "--task", "multilabel")
    assert json.loads(result.text)["metrics"]["subset_accuracy"] == 0


def test_several_files(actcli: Actcli, tmp_path: Path) -> None:
    """Are one table, in any mixture of formats."""
    scores = np.load(SAMPLES / "digits_logits.npy")[:10].astype("<f4")
    np.save(tmp_path / "x.npy", scores[:4])
    (tmp_path / "y.safetensors").write_bytes(tensors(x=("F32", scores[4:])))
    np.save(tmp_path / "z.npy", scores)
    assert (
        actcli("softmax", tmp_path / "x.npy", tmp_path / "y.safetensors").out
        == actcli("softmax", tmp_path / "z.npy").out
    )
