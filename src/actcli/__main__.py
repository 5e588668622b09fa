"""`python -m actcli`, and the script of that name."""

from __future__ import annotations

import os
import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until `run` handles signals: an exception in an import would show a traceback.
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))  # noqa: ARG005

import contextlib
import gc
import sys

from actcli.streaming import memory
from actcli.streaming.signals import handle

__all__ = ["run"]


def run() -> None:
    """Run the command line as a process of its own, and end the process.

    A process that does one job needs no search for reference cycles, and, once all is written and closed, no orderly
    dismantling of NumPy, Arrow and Typer: together these would take as long as importing Arrow.
    """
    gc.disable()
    _occupy_standard_streams()
    handle()
    memory.start()
    # NumPy's own threads wait by spinning, on the processors that the work needs.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from actcli.cli.app import main

    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _occupy_standard_streams() -> None:
    """Open the standard streams that are missing, so that no file gets their numbers; using them fails."""
    for descriptor, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)


if __name__ == "__main__":
    run()
