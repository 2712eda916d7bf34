"""Work on several threads whose results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')


def in_order(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Yield ``function(item)`` of every item, in order, while up to ``ahead`` further ones are at work in ``pool``.

    Items are made in the calling thread, meanwhile. Raises what ``function`` raises, for the first item in order; items
    further on are given up.

    Example:
        >>> with ThreadPoolExecutor(2) as pool:
        ...     list(in_order(pool, len, ['a', 'bcd'], ahead=1))
        [1, 3]
    """
    running: deque[Future[Result]] = deque()
    try:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) > ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
