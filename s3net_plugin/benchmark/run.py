"""Running the benchmark."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from s3net_plugin.benchmark.cases import Case, all_cases
from s3net_plugin.benchmark.memory import PeakMemory
from s3net_plugin.benchmark.settings import Settings
from s3net_plugin.benchmark.timing import Spread, Work, time_alternately

WARM_UP = 3  # compile, record a CUDA graph, replay it
SECONDS = 0.1


class Measured(NamedTuple):
    """Seconds a call, and the most bytes of memory that it needs, its weights and what it keeps included."""

    seconds: Spread
    peak_bytes: int


class Outcome(NamedTuple):
    """One fast way beside the plain one; in ``failure`` stands why there are no figures."""

    name: str
    shape: tuple[int, ...]
    how: str
    plain: Measured | None = None
    fast: Measured | None = None
    failure: str = ''


def run(settings: Settings, announce: Callable[[str], None]) -> list[Outcome]:
    """Measure everything; ``announce`` is told what comes next.

    Works that cannot be measured, for want of memory or of a compiler, say so in their ``Outcome``.
    """
    torch.backends.cudnn.benchmark = True  # as in BasicSR's trainer; for the plain way, too
    outcomes: list[Outcome] = []
    for case in all_cases(settings):
        announce(f'{", ".join(case.fast)}: {" x ".join(map(str, case.shape))}')
        outcomes += measure(case, settings)
        # What was compiled, CUDA graphs and their memory
        torch.compiler.reset()
        gc.collect()
    return outcomes


def measure(case: Case, settings: Settings) -> Iterator[Outcome]:
    """Measure one case: yield an outcome for each of its fast ways."""
    works: dict[str, Work] = {}
    peaks: dict[str, int] = {}
    failures: dict[str, str] = {}
    for name, build in [('plain', case.plain), *((name, fast.build) for name, fast in case.fast.items())]:
        try:
            works[name], peaks[name] = _settle(build, settings.device)
        except RuntimeError as error:  # so are running out of memory and all that the compiler complains about
            failures[name] = _first_line(error)
    spreads: dict[str, Spread] = {}
    if 'plain' in works:
        taken = time_alternately(list(works.values()), settings.device, rounds=settings.rounds, seconds=SECONDS)
        spreads = dict(zip(works, taken, strict=True))
    for name, fast in case.fast.items():
        outcome = Outcome(name, case.shape, fast.how)
        failure = failures.get('plain') or failures.get(name)
        if failure:
            yield outcome._replace(failure=failure)
        else:
            plain, quick = (Measured(spreads[way], peaks[way]) for way in ('plain', name))
            yield outcome._replace(plain=plain, fast=quick)


def _settle(build: Callable[[], Work], device: torch.device) -> tuple[Work, int]:
    """Build, warm up, and return the work and the memory it needs."""
    memory = PeakMemory(device)

    def prepare() -> Work:
        work = build()
        for _ in range(WARM_UP):
            work()
        return work

    work, held, _ = memory.during(prepare)
    _, _, peak = memory.during(work)
    return work, held + peak


def _first_line(error: Exception) -> str:
    return str(error).strip().partition('\n')[0] or type(error).__name__
