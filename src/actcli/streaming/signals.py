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
    from collections.abc import Callable, Iterator

__all__ = ["add", "blocked", "end_by", "handle", "is_program", "leave_to_parent", "remove", "tidy", "wait_for"]

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

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
    for number, handler in zip(_ENDING, (_interrupt, _terminate, _terminate), strict=True):
        # The parent process may have it ignored: nohup does, and a script that starts this one with "&".
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def is_program() -> bool:
    """Return whether this process handles signals as the program does, so that it runs nothing else."""
    return _woken is not None


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


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Let signals that end this process wait: a process that is forked in between must not tidy up for this one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_to_parent() -> None:
    """Leave tidying up, and Ctrl-C, to the process that started this one while signals were `blocked`."""
    global _woken  # noqa: PLW0603  see `handle`
    _PENDING.clear()
    _woken = None
    signal.set_wakeup_fd(-1)
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


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
