"""Taking times so that they can be compared on a machine that has other things to do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

Work = Callable[[], object]


class Spread(NamedTuple):
    """Median and quartiles of the seconds that a call takes."""

    median: float
    lower: float
    upper: float


def spread(samples: Sequence[float]) -> Spread:
    """Return median and quartiles of two or more ``samples``."""
    lower, median, upper = statistics.quantiles(samples, n=4, method='inclusive')
    return Spread(median, lower, upper)


def time_alternately(works: Sequence[Work], device: torch.device, *, rounds: int, seconds: float) -> list[Spread]:
    """Time a call of each of ``works`` in turn, ``rounds`` times over, every other time in reverse order.

    So whatever else keeps the machine busy, or warms it up, hits all of them alike.

    Args:
        seconds: what a sample should last: a work that is done sooner is called as often as that takes.
    """
    calls = [max(1, round(seconds / _clock(work, 1, device))) for work in works]
    samples: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        order = range(len(works))
        for index in order if number % 2 == 0 else reversed(order):
            samples[index].append(_clock(works[index], calls[index], device))
    return [spread(taken) for taken in samples]


def _clock(work: Work, calls: int, device: torch.device) -> float:
    """Return the seconds that one of ``calls`` calls takes."""
    wait(device)
    start = time.perf_counter()
    for _ in range(calls):
        work()
    wait(device)
    return (time.perf_counter() - start) / calls


def wait(device: torch.device) -> None:
    """Return when ``device`` has done what it was asked."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
