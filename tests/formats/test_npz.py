"""NPZ against NumPy's own reader and writer, and archives that are not what they should be."""

from __future__ import annotations

import io
import json
import shlex
import struct
import subprocess
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actcli.formats import npz
from actcli.streaming.spool import Spool, Strand
from program import SAMPLES, Actcli, command, environment, process

if TYPE_CHECKING:
    from pathlib import Path

SCORES = np.array([[2.0, 1.0, 0.0], [0.0, 4.0, 1.0], [0.5, 0.25, 8.0], [-1.0, -2.0, -3.0]], dtype=np.float32)
LABELS = "0\n1\n2\n0\n"


def labels(actcli: Actcli, *arguments: str | Path) -> str:
    """Return the labels that softmax gives, a line each."""
    result = actcli("softmax", *arguments, "--columns", "label", "--no-output-header", "-f", "csv")
    assert result.code == 0, result.err
    return result.text


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "Fortran"])
def test_the_only_array_is_read(save: Any, order: str, tmp_path: Path, actcli: Actcli) -> None:
    """Stored or deflated, in C or Fortran order, from a file and from a pipe."""
    path = tmp_path / "scores.npz"
    save(path, np.asarray(SCORES, order="F" if order == "Fortran" else "C"))
    assert labels(actcli, path) == LABELS
    piped = process("softmax", "--columns", "label", "--no-output-header", stdin=path.read_bytes())
    assert piped.text == LABELS


@pytest.mark.parametrize(
    ("arrays", "options"),
    [
        (("logits", "embeddings"), ()),
        (("probabilities", "logits"), ()),
        (("first", "second"), ("--key", "first")),
        (("with/slash", "logits"), ("--key", "with/slash")),
    ],
)
def test_which_array_holds_the_scores(
    arrays: tuple[str, str], options: tuple[str, ...], tmp_path: Path, actcli: Actcli
) -> None:
    """The one called logits, or as the option says."""
    path = tmp_path / "scores.npz"
    wanted = options[1] if options else "logits"
    np.savez(path, **{name: SCORES if name == wanted else SCORES[:, ::-1] for name in arrays})  # type: ignore[arg-type]
    assert labels(actcli, path, *options) == LABELS


def test_what_from_says_names_the_array(tmp_path: Path, actcli: Actcli) -> None:
    """So that what actcli wrote is read back without more ado."""
    path = tmp_path / "decided.npz"
    assert actcli("softmax", SAMPLES / "digits_logits.npy", "-o", path).code == 0
    with np.load(path) as arrays:
        assert list(arrays) == ["label", "probability", "probabilities"]
        expected = arrays["label"]
    assert labels(actcli, path, "--from", "probabilities").split() == expected.tolist()


def test_without_an_array_of_that_name_it_is_logits(tmp_path: Path, actcli: Actcli) -> None:
    """Whatever the numbers are said to be, so that the command that inspect proposes can read what inspect has read."""
    path = tmp_path / "scores.npz"
    np.savez(path, other=SCORES, logits=np.array([[0.25, 0.75], [0.5, 0.5]]))
    command = json.loads(actcli("inspect", path).out)["next"]
    assert "--from probabilities" in command
    assert actcli(*shlex.split(command)[1:], "--columns", "label").text == "label\n1\n1\n"


@pytest.mark.parametrize(
    ("arrays", "options", "code", "words"),
    [
        ({"a": SCORES, "b": SCORES}, (), 1, 'none is called "logits": "a", "b"'),
        ({"a": SCORES}, ("--key", "b"), 2, "holds no array 'b'"),
        ({"a": SCORES[0, 0]}, (), 1, 'array "a": has 0 dimensions'),
        ({"a": np.array([[1, "x"]], dtype=object)}, (), 1, "pickles are never loaded"),
        ({"a": np.array([[1.0, np.nan]])}, (), 1, 'array "a": row 1: column "1": NaN'),
    ],
)
def test_what_is_not_clear_is_an_error(
    arrays: dict[str, Any], options: tuple[str, ...], code: int, words: str, tmp_path: Path, actcli: Actcli
) -> None:
    """With the array and what is wrong with it."""
    path = tmp_path / "scores.npz"
    np.savez(path, **arrays)
    result = actcli("softmax", path, *options)
    assert result.code == code
    assert words in result.err


def test_key_is_for_archives(actcli: Actcli) -> None:
    """Elsewhere it is refused."""
    result = actcli("softmax", SAMPLES / "digits_logits.csv", "--key", "logits")
    assert result.code == 2
    assert "--key does not apply" in result.err


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as written:
        for name, data in members:
            written.writestr(name, data)
    return file.getvalue()


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """Return an array as an NPY file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def encrypted(data: bytes) -> bytes:
    """Return an archive that says of its first member that it is encrypted."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[data.index(mark) + offset] |= 1
    return bytes(changed)


def with_claimed_size(data: bytes, size: int) -> bytes:
    """Return an archive whose directory says that its first member has that size unpacked."""
    at = data.index(b"PK\x01\x02") + 24
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


GOOD = archive(("logits.npy", npy(SCORES)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (GOOD[:-10], "cannot be unpacked"),
        (GOOD[: len(GOOD) // 2], "cannot be unpacked"),
        (GOOD.replace(npy(SCORES)[-4:], b"abcd", 1), "Bad CRC-32"),
        (encrypted(GOOD), "is encrypted"),
        (with_claimed_size(GOOD, 10**9), "1000000000 bytes long, but its header says 176"),
        (archive(("logits.npy", npy(SCORES)), method=zipfile.ZIP_LZMA), "a way that NPZ does not use"),
        (archive(("logits.npy", b"text")), "is not NPY"),
        (archive(("logits.npy", b"")), "is not NPY"),
        (archive(("readme.txt", b"text")), 'holds no arrays, but "readme.txt"'),
        (archive(), "holds no arrays"),
        (archive(("logits.npy", npy(SCORES) + b"more")), "bytes long, but its header says"),
        (archive(("model/data.pkl", b"."), ("model/version", b"3")), "it looks like a PyTorch file"),
    ],
)
def test_a_wrong_archive(data: bytes, words: str, tmp_path: Path, actcli: Actcli) -> None:
    """Is an error that says what, and writes nothing."""
    path = tmp_path / "scores.npz"
    path.write_bytes(data)
    result = actcli("softmax", path, "-o", tmp_path / "out.csv")
    assert result.code == 1
    assert words in result.err
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name(tmp_path: Path, actcli: Actcli) -> None:
    """Which of them would be meant is not guessed, even when another is asked for."""
    path = tmp_path / "scores.npz"
    path.write_bytes(archive(("a.npy", npy(SCORES)), ("b.npy", npy(SCORES)), ("a.npy", npy(SCORES[::-1]))))
    result = actcli("softmax", path, "--key", "b")
    assert result.code == 1
    assert 'two arrays called "a"' in result.err


def test_a_directory_that_is_too_large(tmp_path: Path, actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused before it fills the memory."""
    monkeypatch.setattr(npz, "_LARGEST_DIRECTORY", 1000)
    path = tmp_path / "scores.npz"
    np.savez(path, **{f"array{number}": SCORES for number in range(40)})  # type: ignore[arg-type]
    result = actcli("softmax", path, "--key", "array1")
    assert result.code == 1
    assert "its directory is too large" in result.err


@pytest.mark.usefixtures("chunk_bytes")
def test_an_array_for_each_column(tmp_path: Path, actcli: Actcli) -> None:
    """Of the dtype that fits, texts too."""
    table = pa.table(
        {
            "id": ["x", "größer", ""],
            "year": pa.array([1, 2, 3], pa.int16()),
            "weight": [0.5, None, 2.0],
            "seen": [True, False, True],
            "cat": [2.0, 0.0, 5.0],
            "dog": [1.0, 4.0, -5.0],
        }
    )
    source = tmp_path / "scores.parquet"
    pa.parquet.write_table(table, source)
    path = tmp_path / "decided.npz"
    columns = "carried,row,label,index,probability,probabilities,onehot,top_k"
    result = actcli("softmax", source, "--classes", "cat,dog", "--top-k", "2", "--columns", columns, "-o", path)
    assert result.code == 0, result.err
    with np.load(path) as arrays:
        found = {name: arrays[name] for name in arrays}
    assert list(found) == ["id", "year", "weight", "seen", *columns.split(",")[1:]]
    assert found["id"].tolist() == ["x", "größer", ""]
    assert found["year"].dtype == np.int16
    assert found["weight"].tolist()[::2] == [0.5, 2.0]
    assert np.isnan(found["weight"][1])
    assert found["seen"].tolist() == [True, False, True]
    assert found["row"].tolist() == [0, 1, 2]
    assert found["label"].tolist() == ["cat", "dog", "cat"]
    assert found["index"].tolist() == [0, 1, 0]
    assert found["onehot"].tolist() == [[1, 0], [0, 1], [1, 0]]
    assert found["top_k"].tolist() == [[0, 1], [1, 0], [0, 1]]
    expected = np.exp([-np.log1p(np.exp(-difference)) for difference in (1.0, 4.0, 10.0)])
    assert np.allclose(found["probability"], expected, rtol=1e-15)
    assert np.array_equal(found["probability"], found["probabilities"].max(axis=1))


def test_sets_are_joined(tmp_path: Path, actcli: Actcli) -> None:
    """By the separator, as in text."""
    path = tmp_path / "tags.npz"
    options = ("--columns", "labels,count", "--label-separator", "+", "-o", path)
    result = actcli("multilabel", "--class-names", "a,b,c", *options, stdin=b"1,1,-1\n-1,-1,-1\n1,1,1\n")
    assert result.code == 0, result.err
    with np.load(path) as arrays:
        assert arrays["labels"].tolist() == ["a+b", "", "a+b+c"]
        assert arrays["count"].tolist() == [2, 0, 3]


def test_an_integer_array_has_no_empty_cell(tmp_path: Path, actcli: Actcli) -> None:
    """So there is no array, rather than one in which a number stands for nothing."""
    source = tmp_path / "scores.parquet"
    pa.parquet.write_table(pa.table({"id": [1, None], "a": [1.0, 2.0], "b": [2.0, 1.0]}), source)
    result = actcli("softmax", source, "--id", "id", "-o", tmp_path / "decided.npz")
    assert result.code == 1
    assert 'column "id" has an empty cell' in result.err
    assert not (tmp_path / "decided.npz").exists()


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, actcli: Actcli) -> None:
    """No time of writing is in the archive."""
    for name in ("one", "two"):
        assert actcli("softmax", SAMPLES / "digits_logits.csv", "-q", "-o", tmp_path / f"{name}.npz").code == 0
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_more_columns_than_open_files(tmp_path: Path) -> None:
    """The limit of open files is not that of columns (numpy.load)."""
    names = [f"t{number}" for number in range(300)]
    (tmp_path / "wide.csv").write_text(
        "\n".join([",".join([*names, "a", "b"]), *(",".join([*names, "1", str(row)]) for row in (0, 2))]) + "\n",
        encoding="utf-8",
    )
    line = shlex.join(command("softmax", tmp_path / "wide.csv", "-q", "-o", tmp_path / "wide.npz"))
    subprocess.run(["bash", "-c", f"ulimit -n 64; {line}"], check=True, env=environment())
    arrays = np.load(tmp_path / "wide.npz")
    assert [arrays[name].tolist() for name in names] == [[name, name] for name in names]
    assert arrays["label"].tolist() == ["a", "b"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=20))
def test_texts_come_back(texts: list[str]) -> None:
    """Whatever they are and however they are cut."""
    column = npz._Texts(Strand(Spool(), 16))
    column.add(texts[: len(texts) // 2])
    column.add(texts[len(texts) // 2 :])
    shape, dtype = column.described()
    found = np.frombuffer(b"".join(column.pieces()), dtype=dtype)
    assert found.shape == shape
    assert found.tolist() == texts
