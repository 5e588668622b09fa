"""The program, run as a process of its own and in a terminal, and what a run leaves."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_data"


class Result(NamedTuple):
    """What a run left."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.text.splitlines()]


class Actcli(Protocol):
    """The `actcli` fixture."""

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Result:
        """Run the program with these arguments and this standard input."""


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of a process that runs the program."""
    return [sys.executable, "-m", "actcli", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """Return an environment that hides no flush and sets nothing about terminals."""
    hidden = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
    return {name: value for name, value in os.environ.items() if name not in hidden} | more


def process(*arguments: str | Path, stdin: bytes = b"", **more: str) -> Result:
    """Run the program as a process of its own."""
    done = subprocess.run(
        command(*arguments), input=stdin, capture_output=True, check=False, env=environment(**more), timeout=60
    )
    return Result(done.returncode, done.stdout, done.stderr.decode())


class Running:
    """The program running, its standard streams pipes; a context that sees it end well."""

    def __init__(self, arguments: Sequence[str | Path]) -> None:
        self.process = subprocess.Popen(
            command(*arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            bufsize=0,
        )

    def send(self, data: bytes) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def line(self) -> bytes:
        """Return its next line of output, which must come without anything more being sent."""
        assert self.process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self.process.stdout], [], [], 30)[0], f"nothing came after {line!r}"
            data = self.process.stdout.read(1)
            if not data:
                break
            line += data
        return line

    def end(self, code: int = 0) -> bytes:
        """Close its input, and return what it still writes; it must end with that exit code."""
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == code
        return out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is None and self.process.poll() is None:
            self.process.communicate(timeout=60)
        else:
            self.process.kill()
            self.process.communicate()


def started(*arguments: str | Path) -> Running:
    """Return the program running."""
    return Running(arguments)


def terminal(
    arguments: Sequence[str], *, width: int = 80, cwd: Path = ROOT, typed: bytes = b"", **more: str
) -> tuple[int, str]:
    """Run a command line in a pseudo-terminal; return its exit code and what stood on the screen."""
    import fcntl
    import struct
    import termios

    child, controller = pty.fork()
    if child == 0:  # pragma: no cover
        os.chdir(cwd)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what it starts would too
        os.execvpe(arguments[0], list(arguments), environment(TERM="dumb") | more)
    fcntl.ioctl(controller, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    if typed:
        os.write(controller, typed)
    shown = b""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([controller], [], [], 1)[0]:
            continue
        try:
            data = os.read(controller, 1 << 16)
        except OSError:
            break
        if not data:
            break
        shown += data
    _, status = os.waitpid(child, 0)
    os.close(controller)
    return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")


def without_escapes(text: str) -> str:
    """Return what a terminal shows of `text`."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def write_csv(path: Path, scores: np.ndarray[Any, Any], header: Sequence[str] | None = None) -> Path:
    """Write scores so that they read back to the same values."""
    lines = [] if header is None else [",".join(header)]
    lines += [",".join(map(repr, row)) for row in scores.tolist()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
