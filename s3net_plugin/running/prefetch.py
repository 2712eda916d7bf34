"""Loads batches ahead in a thread, as BasicSR's ``prefetch_mode: cpu`` asks for, and hands on what goes wrong there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_END = object()


class PrefetchGenerator:
    """Takes the place of ``basicsr.data.prefetch_dataloader.PrefetchGenerator``: same arguments, same items.

    An error in ``generator`` is raised by ``next``; BasicSR's thread dies of it and leaves ``next`` waiting for ever.
    One that is dropped before its end lets go of ``generator``, and so of a loader's workers; BasicSR's keeps both
    until the process ends, and its trainer drops one at the start. Nothing is loaded before the first ``next`` and
    after the last, since workers that persist serve the next epoch through the same generator, which starts anew.

    Args:
        generator: The batches.
        num_prefetch_queue: How many of them to load ahead.
    """

    def __init__(self, generator: Iterator[Any], num_prefetch_queue: int) -> None:
        self._generator = generator
        self._thread = ThreadPoolExecutor(1)
        self._ahead = num_prefetch_queue
        self._coming: deque[Future[Any]] | None = None  # not started

    def __iter__(self) -> PrefetchGenerator:
        return self

    def __next__(self) -> Any:
        if self._coming is None:
            self._coming = deque(self._load_next() for _ in range(self._ahead))
        item = self._coming.popleft().result() if self._coming else _END
        if item is _END:
            self._coming.clear()
            self._thread.shutdown(cancel_futures=True)
            raise StopIteration
        self._coming.append(self._load_next())
        return item

    def _load_next(self) -> Future[Any]:
        return self._thread.submit(next, self._generator, _END)
