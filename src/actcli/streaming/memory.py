"""A limit of the operating system on the memory of this process, so that no input can fill the machine.

An allocation beyond the limit fails: Python, NumPy and Arrow raise an error then, which becomes one line. The limit
counts what the process can write to and shares with nobody (RLIMIT_DATA). Linux enforces it; macOS does not.

Source: setrlimit(2), proc_pid_statm(5).
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
from typing import Any

from actcli.errors import DataError, UsageError, visible
from actcli.streaming import signals

__all__ = [
    "BYTES_PER_JOB",
    "CRASHED",
    "allow",
    "catch_crashes",
    "check_room",
    "count_input",
    "exceeded",
    "expect",
    "is_exhausted",
    "keep",
    "parse_size",
    "set_limit",
    "start",
    "start_worker",
]

_DEFAULT = 1 << 30
"""How many bytes a process may take above what it takes at its start."""

BYTES_PER_JOB = 48 << 20
"""How much the limit of each process grows for the chunk that it works on, and for what is left of the one before."""

CRASHED = 86
"""The exit code of a worker that crashes at the limit; the process that started it says what happened."""

_BYTES_PER_INPUT_BYTE = 32
"""How much the limit grows for each byte of input, for a command that keeps numbers of its rows.

Bins of equal mass take up to 26 bytes for a score, and the shortest score in a file takes one or two.
"""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT_BLOCK = 1 << 24
_KEPT_IN_ALL = 1 << 26

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_EXHAUSTED = (
    "alloc of size",
    "bad_alloc",
    "can't start new thread",
    "cannot allocate memory",
    "failed to launch worker thread",
    "failed to map segment",
    "out of memory",
    "without exception set",
    "without setting an exception",
)
"""What errors say that come from a failed allocation, of Arrow, of Python's threads, of the loader of libraries."""

_SHORT_OF_LIMIT = 256 << 20
"""A crash with less left than this is taken for one of a failed allocation."""

_LEAST = 128 << 20
"""The smallest limit: the libraries alone take some 80 MiB."""


class _Limit:
    """What the limit is made of."""

    start: int | None = None
    """How many bytes the process had when it started; None while there is no limit, as in a library."""

    allowed = _DEFAULT
    fixed = False
    """Whether the user chose the limit, so that it does not grow."""

    gathers = False

    is_worker = False

    handler: Any = None
    """What is called on a crash; it must live as long as the process."""


def start() -> None:
    """Set the default limit. The process must be one that runs the command line and nothing else."""
    with contextlib.suppress(OSError):
        _Limit.start = _data_bytes()
        _apply()


def start_worker() -> None:
    """Note that this process works for another one. It has the same limit, above what it has at its start."""
    _Limit.is_worker = True
    if _Limit.start is not None:
        with contextlib.suppress(OSError):
            _Limit.start = _data_bytes()
            _apply()


def keep() -> None:
    """Have the C library keep the memory that a chunk frees, for the next chunk.

    By default, glibc returns blocks of this size to the system at once. On a virtual machine, getting them again page
    by page costs as much as the arithmetic. Other C libraries have no such function or do not need it.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BLOCK)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_IN_ALL)


def set_limit(size: int | None) -> None:
    """Set the limit to `size` bytes above the start, for good; None removes it."""
    if _Limit.start is None:
        return
    _Limit.fixed = True
    if size is None:
        _Limit.start = None
        _set_soft_limit(resource.RLIM_INFINITY)
    else:
        _Limit.allowed = size
        _apply()


def expect(*, gathering: bool) -> None:
    """Let the limit grow with the input if the command keeps numbers of its rows in memory."""
    _Limit.gathers = gathering


def allow(size: int) -> None:
    """Raise the limit by `size` bytes, unless the user chose it."""
    if _Limit.start is not None and not _Limit.fixed:
        _Limit.allowed += size
        _apply()


def count_input(size: int) -> None:
    """Raise the limit for `size` bytes of input, where the command gathers its rows."""
    if _Limit.gathers:
        allow(_BYTES_PER_INPUT_BYTE * size)


def catch_crashes() -> None:
    """Have a crash at the limit end the process with the usual message.

    Some native code does not check each allocation: orjson writes to a null pointer, Arrow's CSV parser aborts, and a
    `std::bad_alloc` that nobody catches aborts too. A crash far from the limit stays what it is.
    """
    import ctypes

    if _Limit.start is None or _Limit.handler is not None:
        return
    library = ctypes.CDLL(None)

    def end(number: int) -> None:
        _set_soft_limit(resource.RLIM_INFINITY)
        ctypes.pythonapi.PyErr_Clear()
        if _Limit.start is None or _data_bytes() + _SHORT_OF_LIMIT < _Limit.start + _Limit.allowed:
            library.signal(number, None)  # the default: the same instruction fails again
            return
        if _Limit.is_worker:
            os._exit(CRASHED)
        error = exceeded()
        signals.tidy()
        with contextlib.suppress(OSError):
            os.write(2, f"actcli: error: {error.message}\nhint: {error.hint}\n".encode())
        os._exit(error.exit_code)

    _Limit.handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    for number in (signal.SIGSEGV, signal.SIGABRT):
        library.signal(number, _Limit.handler)
    with contextlib.suppress(OSError, AttributeError):
        # Without this, the C++ library says what it ends by.
        ctypes.CDLL("libstdc++.so.6")["_ZSt13set_terminatePFvvE"](library.abort)  # std::set_terminate


def parse_size(text: str) -> int | None:
    """Return the number of bytes that `text` says, such as "2GiB", "500M" or "1000000000"; None for "none".

    Raises
    ------
    UsageError
        If it is no size, or less than the program needs.
    """
    if text.strip().lower() == "none":
        return None
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*(?:([kmgt]?)(?:i?b)?)\s*", text, re.ASCII | re.IGNORECASE)
    size = int(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if size < 1:
        raise UsageError(
            f"--memory-limit: {visible(text)!r} is no size",
            hint="for instance 2GiB, 500MiB, 1000000000 (bytes) or none",
        )
    if size < _LEAST:
        raise UsageError(f"--memory-limit: {visible(text)!r} is too little: the program itself needs {_shown(_LEAST)}")
    return size


def is_exhausted(error: BaseException) -> bool:
    """Return whether `error` says that an allocation failed."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _EXHAUSTED)


def exceeded(name: str | None = None) -> DataError:
    """Return the error of a run that reached the limit; `name` is the file that was being read or written."""
    subject = "this" if name is None else f"{name}:"
    if _Limit.start is None:
        return DataError(f"{subject} needs more memory than there is", hint="--jobs 1 needs less")
    return DataError(
        f"{subject} needs more than {_shown(_Limit.allowed)} of memory", hint="--memory-limit SIZE raises the limit"
    )


def check_room(size: int, name: str) -> None:
    """Refuse at once what is known to take at least `size` bytes for the file `name`; some libraries abort instead.

    Raises
    ------
    DataError
        If that is more than the limit.
    """
    if _Limit.start is not None and size > _Limit.allowed:
        raise exceeded(name)


def _shown(size: int) -> str:
    return f"{size / (1 << 30):,.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):,.1f} MiB"


def _data_bytes() -> int:
    """Return how many bytes of this process count for the limit."""
    with open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read().split()[5]) * resource.getpagesize()


def _apply() -> None:
    assert _Limit.start is not None
    _set_soft_limit(_Limit.start + _Limit.allowed)


def _set_soft_limit(size: int) -> None:
    """Set the limit; the hard limit stays, since only an administrator could raise it again."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY and (size == resource.RLIM_INFINITY or size > hard):
        size = hard
    with contextlib.suppress(OSError, ValueError, OverflowError):
        resource.setrlimit(resource.RLIMIT_DATA, (size, hard))
