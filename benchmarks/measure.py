"""Run programs and say what each took; make the environments that they run in. Standard library only.

A process that starts another one counts in the peak memory of that one until the new program is loaded. So whatever
measures stays small: it imports nothing large, and never holds data itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from shapes import Input

__all__ = [
    "HERE",
    "PACKAGES",
    "ROOT",
    "Places",
    "Ratio",
    "Run",
    "Settings",
    "add_settings",
    "machine",
    "made",
    "measured",
    "number",
    "own_peak",
    "prepared",
    "rewrite",
    "say",
    "table",
]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

PACKAGES = ("numpy", "scipy", "pandas", "polars", "duckdb", "pyarrow", "torch")
"""What the environment of the peers holds."""

_SECONDS_BETWEEN_LOOKS = 0.05

_UNIT_OF_PEAK = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Run:
    """What a program took, with all that it started.

    Parameters
    ----------
    wall
        Seconds from its start to its end; of a pipeline, to the end of its last part.
    processor
        Seconds of processor time, of all threads, in the program and in the system on its behalf.
    peak
        The most memory that was resident, in bytes. What the measuring process itself holds is the least that shows. Of
        a program with several processes, the most that was seen of their sum, in which memory that several of them
        share counts once.
    failure
        Why it did not end well; None if it did.
    """

    wall: float
    processor: float
    peak: int
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """One time over another, round by round."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
        """Return the ratios of pairs, in the order in which they were measured."""
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


def measured(
    command: Sequence[str], *, feed: Path | None = None, output: Path | None = None, limit: float = 600.0
) -> Run:
    """Run a program and return what it took.

    Parameters
    ----------
    command
        Its arguments.
    feed
        A file that comes to its standard input through a pipe.
    output
        A file that its standard output goes to: through a pipe if there is a `feed`, which needs one, else directly.
        Without one it is thrown away.
    limit
        Seconds after which it is killed, which is a failure.
    """
    with tempfile.TemporaryFile() as errors, contextlib.ExitStack() as ends:
        source: int | IO[bytes] = subprocess.DEVNULL
        target: int | IO[bytes] = subprocess.DEVNULL
        around: list[subprocess.Popen[bytes]] = []
        if output is not None:
            target = ends.enter_context(output.open("wb"))
        start = time.perf_counter()
        if feed is not None:
            feeder = subprocess.Popen(["cat", feed], stdout=subprocess.PIPE)
            source = ends.enter_context(_given(feeder.stdout))
            drain = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=target)
            target = ends.enter_context(_given(drain.stdin))
            around = [feeder, drain]
        process = subprocess.Popen(command, stdin=source, stdout=target, stderr=errors, env=_environment())
        # The ends that the program has now must be open nowhere else, or no pipe would ever end.
        ends.close()
        late = threading.Event()
        timer = threading.Timer(limit, _end, (process, late))
        timer.daemon = True
        timer.start()
        together = _Together(process.pid)
        together.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            for part in around:
                part.wait()
        finally:
            timer.cancel()
            together.ended.set()
            together.join()
            for part in (process, *around):
                if part.returncode is None:  # interrupted
                    part.kill()
                    part.wait()
        wall = time.perf_counter() - start
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    failure = None
    if process.returncode:
        failure = f"not done after {limit:g} s" if late.is_set() else f"exit code {process.returncode}"
        failure += f": {said[-1][:200]}" if said else ""
    peak = max(usage.ru_maxrss * _UNIT_OF_PEAK, together.peak)
    return Run(wall, usage.ru_utime + usage.ru_stime, peak, failure)


class _Together(threading.Thread):
    """Looks every now and then how much memory a process and those that it has started take together, on Linux.

    Source: proportional set size, see proc_pid_smaps(5): what n processes share counts as an nth for each.
    """

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.peak = 0
        self._process = process

    def run(self) -> None:
        """Look, until the process has ended."""
        while not self.ended.wait(_SECONDS_BETWEEN_LOOKS):
            # A process of its own is not looked at: the system knows its peak, and looking takes time.
            started = _descendants(self._process)
            if started:
                self.peak = max(self.peak, sum(map(_proportional_bytes, [self._process, *started])))


def _descendants(process: int) -> list[int]:
    """Return the processes that a process has started, and those that they have started."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return [*found, *(each for child in found for each in _descendants(child))]


def _proportional_bytes(process: int) -> int:
    """Return the proportional set size of a process; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0


def _given(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    # It is not waited for yet, so its number is still its own.
    os.kill(process.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """Return an environment without what would change how Python starts, or how a table looks."""
    hidden = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "NO_COLOR", "FORCE_COLOR", "COLUMNS"}
    return {name: value for name, value in os.environ.items() if name not in hidden}


def own_peak() -> int:
    """Return how much memory the measuring process has held at most: nothing smaller can be seen."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT_OF_PEAK


# Where things are


@dataclass(frozen=True, slots=True)
class Places:
    """The programs, and the folder for what they read and write.

    Parameters
    ----------
    actcli
        The program.
    python
        The Python that it runs in, where that is known.
    peers
        The Python of the peers.
    packages
        The versions of the packages that are installed there; one that is missing is not in it.
    work
        The folder.
    """

    actcli: Path
    python: Path | None
    peers: Path
    packages: dict[str, str]
    work: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that all benchmarks have."""

    places: Places
    rounds: int
    quick: bool
    limit: float

    @property
    def rounds_in_words(self) -> str:
        """How many rounds there are."""
        return f"{self.rounds} round{'' if self.rounds == 1 else 's'}"


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options that all benchmarks have."""
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "actcli-benchmarks",
        help="where environments and inputs are made, and kept for the next time (default: %(default)s)",
    )
    parser.add_argument(
        "--work", type=Path, help="where inputs and outputs are instead; it takes 7 GB (default: CACHE/work)"
    )
    parser.add_argument("--peers", type=Path, help="an environment that has the peers already")
    parser.add_argument("--actcli", type=Path, help="the program to measure instead of a fresh installation")
    parser.add_argument("--rounds", type=int, help="how often everything is run, the warm-up aside (default: 5)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds after which a program is stopped")
    parser.add_argument("--quick", action="store_true", help="a thousandth of the rows, one round: a smoke test")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")


def prepared(options: argparse.Namespace) -> Settings:
    """Make what is missing, and return the options in the form that the benchmarks take."""
    rounds = options.rounds or (1 if options.quick else 5)
    if rounds < 1:
        raise SystemExit("--rounds: must be at least 1")
    if options.write and options.quick:
        raise SystemExit("--write: the tables of a smoke test are not worth keeping")
    cache = options.cache.resolve()
    work = (options.work or cache / "work").resolve()
    work.mkdir(parents=True, exist_ok=True)
    peers = _python_of(options.peers.absolute()) if options.peers else _peers(cache / "peers")
    actcli, python = (options.actcli.absolute(), None) if options.actcli else _installed(cache / "actcli")
    if not os.access(actcli, os.X_OK):
        raise SystemExit(f"{actcli}: there is no such program")
    beside = actcli.with_name("python")
    python = python or (beside if beside.exists() else None)
    places = Places(actcli, python, peers, _versions(peers, PACKAGES), work)
    return Settings(places, rounds, options.quick, options.limit)


def _python_of(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"{folder}: is no environment of Python: there is no bin/python")
    return python


def _peers(folder: Path) -> Path:
    """Return the Python of an environment with the peers, made if it is not there."""
    python = _environment_at(folder)
    if len(_versions(python, PACKAGES)) < len(PACKAGES):
        say(f"installing {', '.join(PACKAGES)} in {folder}")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True, stdout=sys.stderr)
    return python


def _installed(folder: Path) -> tuple[Path, Path]:
    """Return actcli and its Python, installed as a user would: this source as it is now, without extras."""
    python = _environment_at(folder)
    say(f"installing actcli in {folder}")
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, ROOT], check=True, stdout=sys.stderr)
    # The version says nothing about what changed in the source since the last time.
    subprocess.run([*pip, "--force-reinstall", "--no-deps", ROOT], check=True, stdout=sys.stderr)
    return python.with_name("actcli"), python


def _environment_at(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, stdout=sys.stderr)
    return python


def _versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    code = (
        "import importlib.metadata as m, json, sys\nfound = {}\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n        found[name] = m.version(name)\n"
        "    except m.PackageNotFoundError:\n        pass\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run([python, "-c", code, *packages], check=True, capture_output=True, text=True)
    return {str(name): str(version) for name, version in json.loads(done.stdout).items()}


def made(input: Input, places: Places) -> Path:
    """Return the file of an input, made if it is not there, in the environment of the peers."""
    path = places.work / input.name
    if not path.exists():
        say(f"  making {path.name}")
        settings = [input.kind, input.rows, input.classes, input.dtype, input.mean, input.spread, path]
        subprocess.run([places.peers, HERE / "inputs.py", *map(str, settings)], check=True)
    return path


# What is said


def machine(places: Places) -> list[str]:
    """Return lines that say what was measured, and on what."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    own = _versions(places.python, ("numpy", "pyarrow")) if places.python else {}
    ours = _first_line([str(places.actcli), "--version"])
    commit = _first_line(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    beside = ", ".join(f"{name} {version}" for name, version in own.items()) or "what is installed beside it"
    peers = ", ".join(f"{name} {version}" for name, version in places.packages.items())
    here = f"{platform.system()}, Python {platform.python_version()}"
    return [
        f"- {time.strftime('%Y-%m-%d')}: {processors} processors ({_processor()}), {memory:.0f} GiB of memory, {here}.",
        f"- {ours}{f' at {commit}' if commit else ''}, with {beside}.",
        f"- Peers: {peers}; {_cp()}; {_awk()}.",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _cp() -> str:
    return _first_line(["cp", "--version"]) or "the system's cp"


def _awk() -> str:
    program = os.path.realpath(shutil.which("awk") or "awk")
    found = _first_line([program, "-W", "version"]) or _first_line([program, "--version"])
    return found.split(",")[0] if found else "no awk"


def _first_line(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines and not done.returncode else ""


def number(value: float) -> str:
    """Return a number with as many digits as a measurement has: three, and no more than three after the point."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return f"{value:,.{digits}f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table, its first column text and the others numbers."""
    lines = [list(header), ["---", *["---:"] * (len(header) - 1)], *map(list, rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def say(text: str) -> None:
    """Tell how far it is, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def rewrite(name: str, lines: Sequence[str], page: Path = HERE / "README.md") -> None:
    """Put `lines` into a page, between the two comments that are called `name`, instead of what is there."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"{page}: there must be one {begin} and one {end}")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}{after}", encoding="utf-8")
