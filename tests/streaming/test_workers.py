"""Workers and the main process are killed at any moment: no hang, no half output, and nothing goes on afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from actcli.cli.app import main
from actcli.errors import WorkerError
from actcli.streaming.workers import Workers
from program import command, environment, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

KILLS = 200
AT_A_TIME = 2
"""How many run at once."""

DURATION = 0.05
"""About how many seconds the workers of a run live."""

KILLED = (
    "actcli: error: a worker process was killed by SIGKILL\n"
    "hint: if it took the last memory of this machine: --jobs 1 needs the least\n"
)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  only looked at
ENDS = [("npy", "npy"), ("csv", "csv"), ("csv", "parquet"), ("csv", "json")]
"""The formats in and out; JSON is the result of an evaluation."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return inputs of some two megabytes, for which workers start."""
    folder = tmp_path_factory.mktemp("inputs")
    scores = np.random.default_rng(0).normal(size=(60_000, 10)).astype(np.float32)
    np.save(folder / "scores.npy", scores)
    write_csv(folder / "scores.csv", scores[:20_000].round(3))
    truth = "".join(f"{label}\n" for label in scores[:20_000].argmax(axis=1))
    (folder / "truth.txt").write_text(truth, encoding="utf-8")
    return {path.name: path for path in folder.iterdir()}


def arguments(end: tuple[str, str], inputs: dict[str, Path], target: Path, *, jobs: int = 3) -> list[str | Path]:
    """Return a command line that reads and writes what `end` says."""
    source = inputs[f"scores.{end[0]}"]
    options: list[str | Path] = ["softmax"]
    if end[1] == "json":
        options = ["evaluate", "--task", "softmax", "--truth", inputs["truth.txt"]]
    return [*options, source, "-q", "--jobs", str(jobs), "-o", target]


@pytest.fixture(scope="module")
def complete(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], bytes]:
    """Return what one process alone writes."""
    folder = tmp_path_factory.mktemp("complete")
    found = {}
    for end in ENDS:
        target = folder / f"out.{end[1]}"
        assert main(list(map(str, arguments(end, inputs, target, jobs=1)))) == 0
        found[end] = target.read_bytes()
    return found


def children(process: int) -> list[int]:
    """Return the processes that a process has forked."""
    with contextlib.suppress(OSError):
        return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []


def living(group: int) -> list[int]:
    """Return the processes of a group that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group, *_ = path.read_text().rpartition(")")[2].split()
            if int(its_group) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; return whether it is."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.001)
    return found


def _die(value: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return value


def test_all_workers_end_at_once() -> None:
    """Is an error, although the pipe of the results has ended before the main process looks."""
    with Workers(_die, 2, 0, copy=True, write=None) as workers:
        workers.submit(1)
        workers.submit(2)
        assert wait_until(lambda: not any(each.is_alive() for each in workers._processes.values()), 30)
        with pytest.raises(WorkerError, match="was killed by SIGKILL"):
            workers.take()


def kill_one(
    end: tuple[str, str], folder: Path, inputs: dict[str, Path], expected: bytes, victim: str, share: float
) -> str:
    """Run, kill the main process or a worker, and return what became of it: "killed" or "too late"."""
    folder.mkdir()
    target = folder / f"out.{end[1]}"
    run = subprocess.Popen(
        command(*arguments(end, inputs, target)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(TMPDIR=str(folder)),
        start_new_session=True,
    )
    wait_until(lambda: bool(children(run.pid)) or run.poll() is not None, 60)
    time.sleep(share * DURATION)
    victims = [run.pid] if victim == "main" else children(run.pid)
    for process in victims[-1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    _, err = run.communicate(timeout=60)  # the streams end when no process has them any more
    assert wait_until(lambda: not living(run.pid), 10), living(run.pid)
    left = sorted(path.name for path in folder.iterdir())
    if run.returncode == 0:
        assert left == [target.name]
        assert target.read_bytes() == expected
        assert err == b""
        return "too late"
    if victim == "main":
        assert run.returncode == -signal.SIGKILL
        # The temporary file of a killed run is removed by a later one.
        assert all(name.startswith(".actcli-") for name in left) or (target.read_bytes() == expected)
    else:
        assert run.returncode == 1
        assert err.decode() == KILLED
        assert left == []
    return "killed"


def test_kills_at_any_moment(inputs: dict[str, Path], complete: dict[tuple[str, str], bytes], tmp_path: Path) -> None:
    """Of a worker: one line and exit 1. Of the main process: its workers end. Or the run was complete before."""
    random_ = random.Random(0)
    before = set(SHARED_MEMORY.iterdir())
    plans = [
        (number, ENDS[number % len(ENDS)], "main" if number // len(ENDS) % 2 else "worker", random_.random())
        for number in range(KILLS)
    ]

    def one(plan: tuple[int, tuple[str, str], str, float]) -> tuple[str, str]:
        number, end, victim, share = plan
        return victim, kill_one(end, tmp_path / str(number), inputs, complete[end], victim, share)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        outcomes = set(pool.map(one, plans))
    assert {("main", "killed"), ("worker", "killed")} <= outcomes
    assert not {path for path in SHARED_MEMORY.iterdir() if "actcli" in path.name} - before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_workers_too(number: signal.Signals, tmp_path: Path) -> None:
    """While the program waits for more of a pipe, and its workers for more to do."""
    run = subprocess.Popen(
        command("softmax", "-q", "--jobs", "3", "-o", tmp_path / "out.csv"),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    assert run.stdin is not None
    run.stdin.write(b"1.25,2.25,3.25\n" * 200_000)
    run.stdin.flush()
    assert wait_until(lambda: len(children(run.pid)) == 2, 60)
    os.killpg(run.pid, number)
    assert wait_until(lambda: not living(run.pid), 10)
    _, err = run.communicate(timeout=60)
    assert err == b""
    assert run.returncode == (130 if number == signal.SIGINT else -number)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_ends_the_workers(inputs: dict[str, Path]) -> None:
    """As `head` does: the program ends by SIGPIPE, and the workers with it."""
    program = " ".join(command("softmax", inputs["scores.csv"], "-q", "--jobs", "3"))
    line = f"{program} | head -n 1; echo ${{PIPESTATUS[0]}}"
    run = subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE, env=environment(), start_new_session=True)
    out, _ = run.communicate(timeout=60)
    assert out.decode().splitlines()[-1] == "141"
    assert wait_until(lambda: not living(run.pid), 10)
