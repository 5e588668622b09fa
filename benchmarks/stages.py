"""Run actcli and write how long each stage took: ``python stages.py RESULT.json softmax ...``, in actcli's Python.

Processor time is that of the main process, so what it waits for (a worker, the disk) is not in it; the time by the
clock is beside it. With one processor, the main process does everything, so that all stages are seen. With more, it
is seen what the main process still does. Nothing in actcli knows of this: the methods of the chunks, the sink and the
workers are wrapped when the loop begins.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from actcli.cli.app import main
from actcli.streaming import output, pipeline, signals, workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Clock:
    """Sums of seconds, by stage: processor time and time by the clock, and how often."""

    def __init__(self) -> None:
        self.sums: dict[str, list[float]] = {}
        self._lock = threading.Lock()
        self._wrapped: set[tuple[type, str]] = set()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what happens within to a stage."""
        wall, processor = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            found = (time.thread_time() - processor, time.perf_counter() - wall, 1.0)
            with self._lock:
                self.sums[name] = [a + b for a, b in zip(self.sums.get(name, [0.0] * 3), found, strict=True)]

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose calls are a stage."""

        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **options)

        return call

    def wrap(self, kind: type, *names: str) -> None:
        """Make stages of methods of a class, once."""
        for name in names:
            if (kind, name) not in self._wrapped:
                self._wrapped.add((kind, name))
                setattr(kind, name, self.timed(name, getattr(kind, name)))


def run_with(arguments: list[str]) -> tuple[int, dict[str, list[float]]]:
    """Run actcli; return its exit code and the sums."""
    clock = Clock()
    original = pipeline.run

    def cuts(chunks: Any) -> Iterator[Any]:
        iterator = iter(chunks)
        while True:
            with clock.stage("cut"):
                chunk = next(iterator, cuts)
            if chunk is cuts:
                return
            if chunk is not None:
                clock.wrap(type(chunk), "decode")
            yield chunk

    def run(chunks: Any, decide: Any, sink: Any, **options: Any) -> None:
        clock.wrap(type(sink.encoder), "encode")
        kind: Any = type(sink)
        # Where each result has a place, any process writes it, and the main process only what it made itself.
        has_places = getattr(sink, "any_order", False) or hasattr(sink, "reserve")
        kind.accept = clock.timed("place" if has_places else "accept", kind.accept)
        clock.wrap(kind, "finish", *(["reserve"] if hasattr(sink, "reserve") else []))
        with clock.stage("run"):
            original(cuts(chunks), clock.timed("decide", decide), sink, **options)

    pipeline.run = run
    clock.wrap(output.Output, "commit")
    clock.wrap(workers.Workers, "_start", "submit", "take", "write", "give_back")
    code = main(arguments)
    return code, clock.sums


if __name__ == "__main__":
    path, *rest = sys.argv[1:]
    signals.handle()  # this process runs the program and nothing else, so its workers are forked
    code, found = run_with(rest)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file)
    sys.exit(code)
