"""Work on blocks of arrays in several threads.

Threads pay because NumPy releases Python's global lock while it computes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from .progress import Result

Item = TypeVar("Item")

MOST_THREADS = 8
"""Most threads, for each holds the temporary arrays of one block. Chosen."""


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, in order, computed ahead in several threads.

    There are as many threads as the machine has cores, but at most :data:`MOST_THREADS`, and at most one more result
    than threads is computed ahead. An exception that ``work`` raises for an item is raised in place of its result;
    calls that have not started by then never start.
    """
    count = min(os.cpu_count() or 1, MOST_THREADS)
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
