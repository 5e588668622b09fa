"""Work on arrays in several threads, with the results in order. NumPy releases the lock of Python while it computes."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Item = TypeVar("Item")
Found = TypeVar("Found")

__all__ = ["in_order"]


def in_order(work: Callable[[Item], Found], items: Iterable[Item], jobs: int | None) -> Iterator[Found]:
    """Yield `work(item)` for each item, in the order of the items.

    Parameters
    ----------
    work
        Pure; an error ends the iteration.
    items
        Only a few of them are taken before their result is asked for.
    jobs
        The number of threads, by default the number of processors of this process; 1 starts none.
    """
    jobs = jobs or _processors()
    if jobs == 1:
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    pending: deque[Future[Any]] = deque()
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="actcli")
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
