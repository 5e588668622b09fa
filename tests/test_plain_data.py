"""Everything that the work on a chunk needs is plain data: a fresh process gives the same bytes from its pickles."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from actcli.formats.registry import FORMATS
from actcli.streaming import batch
from actcli.streaming.pipeline import Work
from program import SAMPLES, Actcli, Result, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WRITTEN = [name for name, format in FORMATS.items() if format.sink]
BOTH = [name for name in WRITTEN if FORMATS[name].source]
DIGITS, PROPERTIES, CANCER = "digits", "properties", "cancer"

WORKER = """
import pickle, sys
while True:
    try:
        work, chunk = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    pickle.dump(work.do(chunk), sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


@pytest.fixture(scope="module")
def fresh_process() -> Iterator[Callable[[Work, Any], Any]]:
    """Start a process that never sees the input: it gets work and a chunk as a pickle, and returns the result."""
    lock = threading.Lock()
    with subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as process:

        def work_there(work: Work, chunk: Any) -> Any:
            with lock:
                assert process.stdin is not None
                assert process.stdout is not None
                pickle.dump((work, chunk), process.stdin)
                process.stdin.flush()
                return pickle.load(process.stdout)

        yield work_there
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def both_ways(
    actcli: Actcli, fresh_process: Callable[[Work, Any], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., None]:
    """Run a command in this process, and with every chunk in the fresh one: output, file and messages are the same."""
    monkeypatch.setattr(batch, "CHUNK_BYTES", 2000)

    def check(*arguments: str | Path, output: str = "result.csv", stdin: bytes = b"") -> None:
        chunks = 0

        def elsewhere(work: Work, chunk: Any) -> Any:
            nonlocal chunks
            chunks += 1
            return fresh_process(work, chunk)

        def run() -> tuple[Result, list[bytes]]:
            for path in written:
                path.unlink(missing_ok=True)
            result = actcli(*arguments, "-o", written[0], stdin=stdin)
            assert result.code == 0, result.err
            return result, [path.read_bytes() for path in written if path.exists()]

        written = tmp_path / output, tmp_path / "policy.json"
        here = run()
        with monkeypatch.context() as patch:
            patch.setattr(Work, "do", elsewhere)
            assert run() == here
        assert chunks > 1

    return check


def sample(name: str) -> Path:
    """Return the path of a sample of logits."""
    return SAMPLES / f"{name}_logits.csv"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write the digits in every format, with ids where the format has names for columns."""
    from actcli.cli.app import main

    folder = tmp_path_factory.mktemp("tables")
    paths = {}
    for name in WRITTEN:
        paths[name] = folder / f"digits.{name}"
        columns = "logits" if FORMATS[name].columns or name == "npz" else "id,logits"
        assert not main(["softmax", str(sample(DIGITS)), "--columns", columns, "-o", str(paths[name]), "-q"])
    return paths


def selected(name: str) -> list[str]:
    """Return the options that find the scores in what `tables` writes in a format."""
    return [] if name in ("npy", "npz", "json", "jsonl") else ["--classes", "logit_*"]


@pytest.mark.parametrize("name", BOTH)
def test_every_format_in(name: str, tables: dict[str, Path], both_ways: Callable[..., None]) -> None:
    """From a file and from a pipe."""
    both_ways("softmax", tables[name], *selected(name))
    data = tables[name].read_bytes()
    both_ways("softmax", "-", "--input-format", name, *selected(name), stdin=data)


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_text(suffix: str, both_ways: Callable[..., None], actcli: Actcli, tmp_path: Path) -> None:
    """The bytes are unpacked before they are cut."""
    path = tmp_path / f"packed.csv.{suffix}"
    assert actcli("multilabel", sample(PROPERTIES), "--columns", "id,logits", "-o", path).code == 0
    both_ways("multilabel", path, "--classes", "logit_*")


def test_an_array_by_columns(both_ways: Callable[..., None], tmp_path: Path) -> None:
    """In Fortran order the numbers of a row are far apart."""
    path = tmp_path / "columns.npy"
    np.save(path, np.asfortranarray(np.load(SAMPLES / "digits_logits.npy")))
    both_ways("softmax", path)
    both_ways("softmax", "-", output="piped.npy", stdin=path.read_bytes())


TABLES = {"softmax": DIGITS, "multilabel": PROPERTIES, "binary": CANCER, "compare": DIGITS, "gradient": DIGITS}


@pytest.mark.parametrize(
    ("task", "data", "name"),
    [
        (task, data, name)
        for task, data in TABLES.items()
        for name in WRITTEN
        if task != "compare" or not FORMATS[name].columns  # a comparison has several columns
    ],
)
def test_every_format_out(task: str, data: str, name: str, both_ways: Callable[..., None]) -> None:
    """Of every command that writes a table."""
    both_ways(task, sample(data), "--id", "id", output=f"result.{name}")


@pytest.mark.parametrize(
    "options",
    [
        ["softmax", sample(DIGITS), "--top-k", "3", "--columns", "id,row,file,top_k"],
        ["softmax", sample(DIGITS), "--abstain-margin", "0.5", "--temperature", "2", "--precision", "4"],
        ["softmax", SAMPLES / "digits_logits.npy", "--columns", "row,probabilities,log_probabilities,onehot,entropy"],
        ["multilabel", sample(PROPERTIES), "--at-least-one", "--top-k", "2", "--columns", "id,indices,count,multihot"],
        ["binary", sample(CANCER), "--threshold", "0.7", "--dtype", "float32"],
        ["combine", sample(DIGITS), sample(DIGITS), "--weights", ".7,.3"],
        ["compare", sample(DIGITS), "--threshold", "0.4"],
        ["gradient", sample(DIGITS), "--of", "sigmoid"],
        ["gradient", sample(DIGITS), "--of", "cross-entropy", "--truth", SAMPLES / "digits_truth.csv"],
    ],
    ids=lambda options: " ".join(map(str, (options[0], *options[2:]))).replace(str(SAMPLES), "."),
)
def test_options(options: list[str | Path], both_ways: Callable[..., None]) -> None:
    """Whatever decides, and whatever is written."""
    both_ways(*options)


@pytest.mark.parametrize("name", ["json", "npy"])
def test_rows_that_are_left_out(name: str, both_ways: Callable[..., None], tmp_path: Path) -> None:
    """What is wrong with them comes back from the other process."""
    lines = sample(DIGITS).read_text(encoding="utf-8").splitlines()
    lines[5] = lines[5].replace(",", ",x", 1)
    lines[100] = lines[100] + ",1"
    path = tmp_path / "damaged.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    both_ways("softmax", path, "--on-bad-row", "skip", output=f"result.{name}")


def truth(name: str) -> list[str | Path]:
    """Return the options that name the truth of a sample."""
    return [sample(name), "--id", "id", "--truth", SAMPLES / f"{name}_truth.csv"]


@pytest.mark.parametrize(
    "options",
    [
        ["inspect", sample(DIGITS)],
        ["evaluate", *truth(DIGITS), "--bootstrap", "20"],
        ["evaluate", *truth(DIGITS), "--binning", "equal-mass", "--top-k", "2"],
        ["evaluate", *truth(PROPERTIES), "--task", "multilabel", "--bootstrap", "20"],
        ["evaluate", *truth(CANCER), "--task", "binary", "--positive", "malignant", "--negative", "benign"],
        ["suspects", *truth(DIGITS)],
        ["suspects", *truth(PROPERTIES), "--task", "multilabel"],
        ["plot", "reliability", *truth(DIGITS)],
        ["plot", "roc", *truth(DIGITS)],
        ["plot", "thresholds", *truth(PROPERTIES), "--task", "multilabel"],
    ],
    ids=lambda options: " ".join(map(str, options)).replace(str(SAMPLES), "."),
)
def test_results(options: list[str | Path], both_ways: Callable[..., None]) -> None:
    """Of every command whose result is no table."""
    both_ways(*options, output="result.json")


@pytest.mark.parametrize(
    "options",
    [
        ["calibrate", *truth(DIGITS), "--method", "vector"],
        ["tune", *truth(PROPERTIES)],
        ["conformal", *truth(DIGITS), "--score", "aps"],
    ],
    ids=lambda options: options[0],
)
def test_fits(options: list[str | Path], both_ways: Callable[..., None], tmp_path: Path) -> None:
    """The rows of a fit are gathered from the other process."""
    both_ways(*options, "--policy", tmp_path / "policy.json", output="result.json")


@pytest.mark.parametrize("names", [[], ["--class-names", SAMPLES / "digits_classes.txt"]], ids=["inferred", "named"])
def test_labels_without_probabilities(
    names: list[str | Path], actcli: Actcli, both_ways: Callable[..., None], tmp_path: Path
) -> None:
    """Labels are decoded in the other process; so are the rows that the truth leaves out."""
    labels = tmp_path / "labels.csv"
    assert actcli("softmax", sample(DIGITS), "--columns", "id,label", "-o", labels).code == 0
    lines = (SAMPLES / "digits_truth.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "truth.csv").write_text("\n".join([lines[0], *reversed(lines[100:])]) + "\n", encoding="utf-8")
    options = ["--truth", tmp_path / "truth.csv", "--join", "inner"]
    both_ways("evaluate", labels, *options, *names, output="labels.json")
    both_ways("evaluate", sample(DIGITS), "--id", "id", *options, "--top-k", "2", output="scores.json")
