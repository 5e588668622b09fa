"""`python -m actcli`, and the script of that name."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

__all__ = ["run"]


def run() -> None:
    """Run the command line as a process of its own, and end the process.

    A process that does one job needs no search for reference cycles, and, once all is written and closed, no orderly
    dismantling of NumPy, Arrow and Typer: together these would take as long as importing Arrow.
    """
    gc.disable()
    try:
        from actcli.cli import main

        code = main()
    except KeyboardInterrupt:
        code = 130
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
