"""Processes that work on chunks: the tasks go to them, and the results come back, in shared memory.

::

    main      cuts the input      ─ slot, number of the slot ─>  any worker that is free
    main      <─ slot, number of the slot ─                      decode, decide, encode
    main      gives the results to the sink, in order

The numbers go through two pipes, in messages that are too short to be split. A worker that is killed is noticed by the
system's word of its end; when the main process ends in any way, the pipe of the tasks ends, and the workers with it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import sys
import threading
import traceback
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from actcli.errors import ActcliError, WorkerError
from actcli.streaming import exchange, memory, signals
from actcli.streaming.exchange import Parcel, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess
    from typing import TypeAlias

    Write: TypeAlias = Callable[[Any, int], None] | None

__all__ = ["IN_FLIGHT_PER_JOB", "Workers"]

IN_FLIGHT_PER_JOB = 2
"""The most chunks in flight for each worker: one in work and one waiting, so that no worker is idle."""

_SLOTS_PER_JOB = 3
"""Those in flight, and one that is being written."""

_MESSAGE = struct.Struct("<qqqq")
"""The number of a slot, the parcel in it, and for a result that is to be written, its place."""

_TASK = -1
_WRITTEN = Parcel(-1, -1)


class _Failure(NamedTuple):
    """What came of a chunk instead of a result."""

    error: BaseException


class _Here(NamedTuple):
    """What came of a value in the main process."""

    result: Any


class _Channel(NamedTuple):
    """What a worker needs to hear from the main process: the ends of two pipes, and the slots.

    Parameters
    ----------
    tasks
        The descriptor from which tasks are read.
    results
        The descriptor to which results are written.
    slots
        The slots.
    others
        The descriptors of the main process, which a forked process must close: the pipes would not end.
    """

    tasks: int
    results: int
    slots: tuple[Slot, ...]
    others: tuple[int, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make it in a process that is not forked, while `multiprocessing` starts that."""
        from multiprocessing.reduction import DupFd

        descriptors = (self.tasks, self.results, *(slot.descriptor for slot in self.slots))
        return _received, tuple(map(DupFd, descriptors))


def _received(*descriptors: Any) -> _Channel:
    tasks, results, *slots = (descriptor.detach() for descriptor in descriptors)
    return _Channel(tasks, results, tuple(map(Slot, slots)), ())


class Workers:
    """Processes that call a function for many values; use it as a context.

    They are forked where no other thread can be in the way, and otherwise started afresh. The function is then pickled.

    Parameters
    ----------
    function
        What is called.
    count
        The number of processes.
    first
        The first of the values, which has in common with others what forked processes inherit.
    write
        What writes a result to its place, in any process that has inherited it.
    copy
        Whether the results are kept. Otherwise each can be used only until it is given back.

    Raises
    ------
    OSError
        If the system gives no shared memory or no process.
    """

    def __init__(self, function: Callable[[Any], Any], count: int, first: Any, *, copy: bool, write: Write) -> None:
        self._function = function
        self._write = write
        self._count = count
        self._forked = _may_fork()
        self._copy = copy
        self._slots: list[Slot] = []
        self._free: deque[int] = deque()
        self._pending: deque[int | _Here] = deque()
        self._here = 0
        self._done: dict[int, Parcel] = {}
        self._lent: tuple[int, Parcel] | None = None
        self._writing: set[int] = set()
        self._processes: dict[int, BaseProcess] = {}
        self._poll = select.poll()
        self._tasks = self._results = -1
        self._closed = False
        signals.add(self._kill)
        try:
            self._start(first)
        except BaseException:
            self._end()
            raise

    def _start(self, first: Any) -> None:
        import multiprocessing

        for number in range(_SLOTS_PER_JOB * self._count):
            self._slots.append(Slot())
            self._free.append(number)
        exchange.begin(first if self._forked else None)
        tasks, self._tasks = os.pipe()
        self._results, results = os.pipe()
        try:
            channel = _Channel(tasks, results, tuple(self._slots), (self._tasks, self._results))
            context: Any = multiprocessing.get_context("fork" if self._forked else "spawn")
            with signals.blocked(), warnings.catch_warnings():
                # Libraries may have threads, which wait. OpenBLAS ends its own before a fork, and Arrow begins anew.
                warnings.simplefilter("ignore", DeprecationWarning)
                for _ in range(self._count):
                    arguments = self._function, self._write if self._forked else None, channel
                    process = context.Process(target=_serve, args=arguments, daemon=True)
                    process.start()
                    self._processes[process.sentinel] = process
        finally:
            os.close(tasks)
            os.close(results)
        self._poll.register(self._results, select.POLLIN)
        for sentinel in self._processes:
            self._poll.register(sentinel, select.POLLIN)

    @property
    def idle(self) -> bool:
        """Whether there is room for another value."""
        in_flight = len(self._pending) - self._here
        return bool(self._free) and in_flight < IN_FLIGHT_PER_JOB * self._count

    @property
    def full(self) -> bool:
        """Whether a result must be taken before there is another one, wherever it is from."""
        return not self.idle and self._here >= IN_FLIGHT_PER_JOB

    @property
    def ready(self) -> bool:
        """Whether the next result can be taken without waiting."""
        if not self._pending:
            return False
        first = self._pending[0]
        if isinstance(first, _Here):
            return True
        if first not in self._done:
            self._hear(0)
        return first in self._done

    def __len__(self) -> int:
        """Return how many results are to be taken."""
        return len(self._pending)

    def submit(self, value: Any) -> None:
        """Have a worker call the function for a value."""
        number = self._free.popleft()
        self._pending.append(number)
        os.write(self._tasks, _MESSAGE.pack(number, *self._slots[number].put(value), _TASK))

    def do(self, value: Any) -> None:
        """Call the function for a value in this process."""
        self._here += 1
        try:
            self._pending.append(_Here(self._function(value)))
        except Exception as error:  # noqa: BLE001  it is raised when those before it have their results
            self._pending.append(_Here(_Failure(error)))

    def finish(self) -> None:
        """Say that no further value will be submitted: workers end when there is nothing left to do."""
        self._closed = True
        os.close(self._tasks)
        self._tasks = -1

    def take(self) -> Any:
        """Return the next result, in the order of the values; `give_back` follows before the next one is taken.

        Raises
        ------
        WorkerError
            If a worker has died.
        BaseException
            What the function raised for this value.
        """
        first = self._pending.popleft()
        if isinstance(first, _Here):
            self._here -= 1
            result = first.result
        else:
            while first not in self._done:
                self._hear(None)
            self._lent = first, self._done.pop(first)
            result = self._slots[first].get(self._lent[1], copy=self._copy)
        if isinstance(result, _Failure):
            raise result.error
        return result

    def give_back(self) -> None:
        """Let the memory of the result that was taken be used again."""
        if self._lent is not None:
            self._give_back(self._lent[0])
            self._lent = None

    def _give_back(self, number: int) -> None:
        self._slots[number].trim()
        self._free.append(number)

    @property
    def can_write(self) -> bool:
        """Whether a worker can write the result that was taken."""
        return self._forked and self._lent is not None and not self._closed

    def write(self, place: int) -> None:
        """Have a worker write the result that was taken to its place; `settle` waits for it."""
        assert self._lent is not None
        number, parcel = self._lent
        self._lent = None
        self._writing.add(number)
        os.write(self._tasks, _MESSAGE.pack(number, *parcel, place))

    def settle(self) -> None:
        """Wait until everything is written.

        Raises
        ------
        WorkerError
            If a worker has died.
        BaseException
            What the writing raised.
        """
        while self._writing:
            self._hear(None)

    def _hear(self, timeout: float | None) -> None:
        """Note which results are there, and whether workers have ended; wait for one of both."""
        ready = [descriptor for descriptor, _ in self._poll.poll(timeout)]
        if self._results in ready:
            messages = os.read(self._results, _MESSAGE.size << 6)
            for number, start, end, _ in _MESSAGE.iter_unpack(messages):
                self._note(number, Parcel(start, end))
            if messages:
                return
            # All workers have ended. The pipe would say so again and again; their sentinels say how.
            self._poll.unregister(self._results)
            ready.remove(self._results)
        for sentinel in ready:
            self._poll.unregister(sentinel)
            process = self._processes[sentinel]
            process.join()
            if process.exitcode or not self._closed:
                raise _error_of(process.exitcode or 0)

    def _note(self, number: int, parcel: Parcel) -> None:
        """Note what a worker has done in a slot."""
        if number not in self._writing:
            self._done[number] = parcel
        elif parcel == _WRITTEN:
            self._writing.remove(number)
            self._give_back(number)
        else:
            failure: _Failure = self._slots[number].get(parcel, copy=True)
            raise failure.error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None:
            self._kill()
        self._end()

    def _kill(self) -> None:
        """End the workers at once."""
        for process in self._processes.values():
            process.kill()

    def _end(self) -> None:
        """Wait until the workers have ended, and give all back."""
        if self._tasks >= 0:
            self.finish()
        for process in self._processes.values():
            process.join()
        signals.remove(self._kill)
        if self._results >= 0:
            os.close(self._results)
        for slot in self._slots:
            slot.close()


def _may_fork() -> bool:
    """Return whether a fork is safe: in a process that only runs the program, on a system whose libraries allow it."""
    return sys.platform == "linux" and signals.is_program() and threading.active_count() == 1


def _error_of(exit_code: int) -> ActcliError:
    """Return the error of a worker that has ended with this code, or by the signal that it stands for if negative."""
    if exit_code == memory.CRASHED:
        return memory.exceeded()
    how = f"was killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with exit code {exit_code}"
    return WorkerError(
        f"a worker process {how}", hint="if it took the last memory of this machine: --jobs 1 needs the least"
    )


def _serve(function: Callable[[Any], Any], write: Write, channel: _Channel) -> None:
    """Do tasks until there are none, and end this process."""
    signals.leave_to_parent()
    memory.start_worker()
    for descriptor in channel.others:
        os.close(descriptor)
    code = 1
    with contextlib.suppress(BrokenPipeError):  # the main process has ended
        for number, start, end, place in _messages(channel.tasks):
            slot, parcel = channel.slots[number], Parcel(start, end)
            answer = _answered(function, slot, parcel) if place == _TASK else _written(write, slot, parcel, place)
            os.write(channel.results, _MESSAGE.pack(number, *answer, place))
        code = 0
    os._exit(code)


def _messages(descriptor: int) -> Iterator[tuple[int, ...]]:
    while message := os.read(descriptor, _MESSAGE.size):
        yield _MESSAGE.unpack(message)


def _answered(function: Callable[[Any], Any], slot: Slot, parcel: Parcel) -> Parcel:
    """Call the function for the value in a slot, and put the result behind it."""
    try:
        return slot.put(function(slot.get(parcel, copy=False)), parcel.end)
    except BaseException as error:  # noqa: BLE001  the main process raises it
        return slot.put(_Failure(_portable(error)), parcel.end)


def _written(write: Write, slot: Slot, parcel: Parcel, place: int) -> Parcel:
    """Write the result in a slot to its place."""
    assert write is not None
    try:
        write(slot.get(parcel, copy=False), place)
    except BaseException as error:  # noqa: BLE001  the main process raises it
        return slot.put(_Failure(_portable(error)), parcel.end)
    return _WRITTEN


def _portable(error: BaseException) -> BaseException:
    """Return an error that can be pickled: this one, or one that says the same."""
    if isinstance(error, ActcliError):
        return error
    what = "".join(traceback.format_exception_only(error)).strip()
    found: BaseException = MemoryError(what) if memory.is_exhausted(error) else RuntimeError(what)
    found.add_note("".join(traceback.format_exception(error)))
    return found
