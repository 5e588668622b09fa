"""Signals: removing temporary files and showing the cursor again before a signal ends the process.

An exception from a signal handler can be lost in a callback that ignores it, or while a lock is waited for. So the
handlers tidy up themselves, and then end the process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["add", "end_by", "handle", "remove", "tidy", "wait_for"]

_PENDING: list[Callable[[], None]] = []
_woken: int | None = None
"""The end of a pipe that becomes readable when a signal arrives."""


def add(tidy: Callable[[], None]) -> None:
    """Call `tidy` if a signal ends the process, until it is removed."""
    _PENDING.append(tidy)


def remove(tidy: Callable[[], None]) -> None:
    """Do not call `tidy` any more."""
    if tidy in _PENDING:
        _PENDING.remove(tidy)


def handle() -> None:
    """Tidy up and end this process on Ctrl-C, with exit code 130, and on SIGTERM and SIGHUP."""
    global _woken
    _woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number, handler in ((signal.SIGINT, _interrupt), (signal.SIGTERM, _terminate), (signal.SIGHUP, _terminate)):
        # The parent process may have it ignored: nohup does, and a script that starts this one with "&".
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def wait_for(descriptor: int) -> None:
    """Wait until there is something to read, or a signal to handle.

    Without this, a signal that arrives just before a blocking read would be handled only after the read.
    """
    if _woken is None:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.register(_woken, select.POLLIN)
    poll.poll()


def end_by(number: int) -> None:
    """End this process by a signal without a handler, so that the shell sees which signal it was."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def tidy() -> None:
    """Do all that a signal that ends the process would do first."""
    while _PENDING:
        with contextlib.suppress(OSError):
            _PENDING.pop()()


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    tidy()
    os._exit(130)


def _terminate(number: int, frame: object) -> None:  # noqa: ARG001
    tidy()
    end_by(number)
