"""Reading, computing and writing at the same time, each on another item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar('Item')
Content = TypeVar('Content')
Result = TypeVar('Result')
Written = TypeVar('Written')


def overlapped(
    items: Iterable[Item],
    read: Callable[[Item], Content],
    compute: Callable[[Content], Result],
    write: Callable[[Item, Content, Result], Written],
) -> Iterator[tuple[Item, Future[Written]]]:
    """Yield each of ``items``, in order, with what became of it: what ``write`` returned, or whatever was raised.

    ``compute`` runs in the calling thread, on what ``read`` made of the item; meanwhile one item is read ahead and the
    one before is written, each in a thread of its own. No more than these three are held, if results are waited for.

    Example:
        >>> done = overlapped([2, 0], read=float, compute=lambda x: 1 / x, write=lambda item, x, y: f'1 / {x} is {y}')
        >>> [future.exception() or future.result() for _, future in done]
        ['1 / 2.0 is 0.5', ZeroDivisionError('float division by zero')]
    """
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        coming = ((item, reader.submit(read, item)) for item in items)
        ahead, behind = next(coming, None), None
        while ahead:
            (item, content), ahead = ahead, next(coming, None)
            try:
                written = writer.submit(write, item, content.result(), compute(content.result()))
            except Exception as error:  # the item's; the others can be done
                written = Future()
                written.set_exception(error)
            if behind:
                yield behind
            behind = item, written
        if behind:
            yield behind
