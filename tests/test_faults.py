"""Signals and full disks at any moment: what is left is the old file or the complete new one, and nothing else."""

from __future__ import annotations

import errno
import os
import random
import shlex
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from actcli.cli.app import main
from actcli.formats import FORMATS
from program import command, environment

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = [format.name for format in FORMATS.values() if format.sink]
ROWS = 8_000
OLD = b"what was there before\n"
SIGNALS = 140
FULL = 60
AT_A_TIME = 2
"""How many run at once."""


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that takes a while."""
    path = tmp_path_factory.mktemp("faults") / "scores.npy"
    np.save(path, np.random.default_rng(0).normal(size=(ROWS, 10)).astype(np.float32))
    return path


@pytest.fixture(scope="module")
def complete(scores: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return what a run without faults writes, in every format."""
    folder = tmp_path_factory.mktemp("complete")
    found = {}
    for name in WRITTEN:
        assert main(["softmax", str(scores), "-q", "-o", str(folder / f"out.{name}")]) == 0
        found[name] = (folder / f"out.{name}").read_bytes()
    return found


def attempt(folder: Path, scores: Path, name: str, *, old: bool, limit: int | None = None) -> subprocess.Popen[bytes]:
    """Start a run in a folder of its own, where the output exists already or not."""
    folder.mkdir()
    target = folder / f"out.{name}"
    if old:
        target.write_bytes(OLD)
    arguments = command("softmax", scores, "-q", "-o", target)
    if limit is not None:
        # Python ignores the signal that comes with this limit: a write fails, as it does on a full disk.
        arguments = ["bash", "-c", f'ulimit -f {max(4, limit >> 10)}; exec "$@"', "bash", *arguments]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(TMPDIR=str(folder))
    )


def left(folder: Path, name: str, complete: bytes, *, old: bool) -> str:
    """Return what the target is now: "old", "new" or "" for nothing; there must be nothing else."""
    target = folder / f"out.{name}"
    entries = sorted(path.name for path in folder.iterdir())
    assert entries in ([], [target.name])
    if not entries:
        assert not old
        return ""
    found = target.read_bytes()
    if old and found == OLD:
        return "old"
    assert found == complete
    return "new"


def test_signals_at_any_moment(scores: Path, complete: dict[str, bytes], tmp_path: Path) -> None:
    """SIGTERM and SIGINT: from the start of the process on, or from the first byte of the output on."""
    random_ = random.Random(0)
    started = time.monotonic()
    attempt(tmp_path / "timed", scores, "csv", old=False).communicate(timeout=60)
    duration = time.monotonic() - started

    def one(number: int, name: str, kind: signal.Signals, share: float) -> tuple[int, str]:
        folder, old = tmp_path / str(number), number % 2 == 0
        run = attempt(folder, scores, name, old=old)
        while number % 3 and run.poll() is None and len(list(folder.iterdir())) <= old:
            time.sleep(0.001)
        time.sleep(share * duration / (2 if number % 3 else 1))
        run.send_signal(kind)
        out, err = run.communicate(timeout=60)
        assert out == b""
        # Python ends in ways of its own when it is interrupted before it has come to the program.
        assert b"actcli/cli" not in err
        assert run.returncode in (0, 130, -kind) or b"KeyboardInterrupt" in err
        return run.returncode, left(folder, name, complete[name], old=old)

    plans = [
        (number, WRITTEN[number % len(WRITTEN)], random_.choice((signal.SIGINT, signal.SIGTERM)), random_.random())
        for number in range(SIGNALS)
    ]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        outcomes = list(pool.map(lambda plan: one(*plan), plans))
    assert all(what == "new" for code, what in outcomes if code == 0)
    assert {"old", "new", ""} == {what for _, what in outcomes}


def test_a_disk_that_fills_at_any_moment(scores: Path, complete: dict[str, bytes], tmp_path: Path) -> None:
    """Here, a limit on the size of a file: one line, exit 1, and all is as it was."""
    random_ = random.Random(1)

    def one(number: int, name: str, share: float) -> str:
        folder, old = tmp_path / str(number), number % 2 == 0
        run = attempt(folder, scores, name, old=old, limit=int(share * len(complete[name])))
        out, err = run.communicate(timeout=60)
        assert out == b""
        assert run.returncode == 1
        [line] = err.decode().splitlines()
        assert line.startswith("actcli: error: ")
        assert line.endswith(f"cannot be written: {os.strerror(errno.EFBIG)}")
        return left(folder, name, complete[name], old=old)

    plans = [(number, WRITTEN[number % len(WRITTEN)], random_.random()) for number in range(FULL)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        outcomes = list(pool.map(lambda plan: one(*plan), plans))
    assert outcomes == ["" if number % 2 else "old" for number in range(FULL)]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_disk_that_is_full(name: str, scores: Path, complete: dict[str, bytes], tmp_path: Path) -> None:
    """A real one, as small as the output is not, where a user may have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    kibibytes = len(complete[name]) // 1024 // 2
    script = (
        f"mount -t tmpfs -o size={kibibytes}k none {folder} || exit 99; printf old > {folder}/out.{name}; "
        f"{shlex.join(command('softmax', scores, '-q', '-o', folder / f'out.{name}'))}; "
        f'echo "$?"; ls -A {folder}; cat {folder}/out.{name}'
    )
    enter = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", script]
    if shutil.which(enter[0]) is None:
        pytest.skip("there is no way to a disk of one's own here")
    done = subprocess.run(enter, capture_output=True, check=False, env=environment(), timeout=60)
    if not done.stdout:
        pytest.skip("a user may not have a disk of one's own here")
    assert done.stdout.decode() == f"1\nout.{name}\nold"
    assert done.stderr.decode().endswith(f"cannot be written: {os.strerror(errno.ENOSPC)}\n")


ENVIRONMENTS = {
    "colour is forced": {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"},
    "GitHub Actions": {"GITHUB_ACTIONS": "1", "CI": "true"},
    "a dumb terminal": {"TERM": "dumb"},
    "an unknown terminal": {"TERM": "x" * 100},
    "locale C": {"LC_ALL": "C", "LANG": "C"},
    "locale C, no UTF-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "UTF-16": {"PYTHONIOENCODING": "utf-16"},
    "narrow": {"COLUMNS": "1", "LINES": "1"},
    "no such width": {"COLUMNS": "many"},
    "another home": {"HOME": "/nonexistent"},
    "all of them": {
        "FORCE_COLOR": "1",
        "GITHUB_ACTIONS": "1",
        "TERM": "dumb",
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    },
}
TABLE = 'näme,cat 🐱,"dog\x1b[31m"\né\u202e,1,2\n[red],4,3\n'.encode()


@pytest.mark.parametrize("more", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_the_environment_changes_no_data(more: dict[str, str], tmp_path: Path) -> None:
    """In every format, with no home, in a directory that cannot be written; and messages and tables can be shown."""
    folder = tmp_path / "here"
    folder.mkdir(mode=0o555)
    (tmp_path / "table.csv").write_bytes(TABLE)
    bare = {key: value for key, value in environment().items() if key not in ("HOME", "LANG", "LC_ALL", "TERM")}

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command(*arguments), capture_output=True, check=False, cwd=folder, env=bare | variables, timeout=60
        )

    for name in WRITTEN if len(more) > 5 else ["csv"]:
        changed = run("softmax", "../table.csv", "-f", name, **more)
        assert (changed.returncode, changed.stdout) == (0, run("softmax", "../table.csv", "-f", name).stdout)
        assert changed.stdout
    shown = run("softmax", "../table.csv", "-f", "table", **more)
    assert (shown.returncode, b"Traceback" in shown.stderr) == (0, False)
    assert b"\x1b[31m" not in shown.stdout
    wrong = run("softmax", "../table.csv", "--classes", "né🐶\udcff", **more)
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 2 or more.get("PYTHONIOENCODING") == "utf-16"
    if len(more) > 5:
        assert run("--help", **more).returncode == run("softmax", "--help", **more).returncode == 0
        unwritable = run("softmax", "../table.csv", "-o", "out.csv", **more)
        assert unwritable.returncode == (1 if os.geteuid() else 0)
        for path in folder.iterdir():
            path.unlink()
