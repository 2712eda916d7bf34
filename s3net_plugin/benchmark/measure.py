"""Time by ``torch.utils.benchmark``, plain and fast in turns, and peak memory; for JSON and as a table."""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from s3net_plugin.benchmark.cases import Case, Work, all_cases
from s3net_plugin.benchmark.settings import DTYPE_NAMES, BenchmarkSettings
from s3net_plugin.report.environment import hardware
from s3net_plugin.report.table import markdown_table
from s3net_plugin.utils.runtime import MOST, keep_freed_memory

WARM_UP = 3  # compile, record a CUDA graph, replay it
SECONDS = 0.1  # of one turn, at least
LONG_ROUNDS = 3
MATRIX_SIDE = {'cpu': 2048, 'cuda': 8192}
HEAD = ('work', 'input', 'plain, ms', 'fast, ms', 'speed-up', 'plain, MiB', 'fast, MiB', 'fast is')
Result = TypeVar('Result')


def run_benchmark(
    settings: BenchmarkSettings, announce: Callable[[str], None] = print, only: Collection[str] = ()
) -> dict[str, Any]:
    """Measure everything, or what has one of the names in ``only``; ``announce`` is told what comes next.

    Raises:
        ValueError: there is no work of a name in ``only``.

    Returns:
        ``machine``; ``matrix_product``, what a large one reaches here, in floating-point operations a second by dtype;
        ``rows``, those of ``measure``; ``speedup_over_plain``, ratios of medians by name.
    """
    everything = all_cases(settings)
    names = [name for case in everything for name in case.fast]
    if unknown := [name for name in only if name not in names]:
        raise ValueError(f'{unknown[0]}: no such work; there are {", ".join(names)}')
    cases = [case for case in everything if not only or set(only) & set(case.fast)]
    found, rows = machine(settings.device), []
    torch.backends.cudnn.benchmark = True  # as in BasicSR's trainer; for the plain way, too
    peak = matrix_products(settings)
    for case in cases:
        announce(f'{", ".join(case.fast)}: {" x ".join(map(str, case.shape))}')
        rows += measure(case, settings)
        # What was compiled, CUDA graphs and their memory
        torch.compiler.reset()
        gc.collect()
    ratios = {row['name']: _speedup(row) for row in rows if 'failure' not in row}
    return {'machine': found, 'matrix_product': peak, 'rows': rows, 'speedup_over_plain': ratios}


def measure(case: Case, settings: BenchmarkSettings) -> list[dict[str, Any]]:
    """Return a row for each fast way of one case: ``name``, ``input`` (its shape), ``fast_is``, ``plain`` and ``fast``
    with ``seconds`` and ``peak_bytes``, and ``operations`` where they are known.

    What cannot be measured, for want of memory or of a compiler, has ``failure``, the reason, instead.
    """
    works: dict[str, Work] = {}
    peaks: dict[str, int] = {}
    failures: dict[str, str] = {}
    for name, build in {'plain': case.plain, **{name: fast.build for name, fast in case.fast.items()}}.items():
        try:
            work, peaks[name] = _settle(build, settings.device, 0 if case.long else WARM_UP)
            works[name] = _with_memory(work, most=0 if name == 'plain' else MOST)
        except RuntimeError as error:  # so are running out of memory and all that the compiler complains about
            failures[name] = str(error).strip().partition('\n')[0] or type(error).__name__
    rounds = min(settings.rounds, LONG_ROUNDS) if case.long else settings.rounds
    seconds = time_in_turns(works, rounds, once=case.long) if 'plain' in works else {}
    counted = {'operations': case.operations()} if case.operations and seconds else {}

    def figures(name: str) -> dict[str, Any]:
        of_one = {what: taken / case.times for what, taken in seconds[name].items()}
        return {'seconds': of_one, 'peak_bytes': peaks[name]}

    rows = []
    for name, fast in case.fast.items():
        row: dict[str, Any] = {'name': name, 'input': case.shape, 'fast_is': fast.how}
        if failure := failures.get('plain') or failures.get(name):
            rows.append({**row, 'failure': failure})
        else:
            rows.append({**row, **counted, 'plain': figures('plain'), 'fast': figures(name)})
    return rows


def _with_memory(work: Work, most: int) -> Work:
    """Memory that is freed is kept as the commands keep it, or, for the plain way, given back as glibc does."""

    def run() -> object:
        keep_freed_memory(most)
        return work()

    return run


def _settle(build: Callable[[], Work], device: torch.device, warm_up: int) -> tuple[Work, int]:
    """Build, warm up with so many calls, and return the work and the memory it needs, with weights and all it keeps."""

    def prepare() -> Work:
        work = build()
        for _ in range(warm_up):
            work()
        return work

    work, held, _ = allocations(prepare, device)
    return work, held + allocations(work, device)[2]


def matrix_products(settings: BenchmarkSettings) -> dict[str, float]:
    """Return the floating-point operations a second of a large square matrix product, in float32 and what is fast.

    It is written as a convolution of 1 x 1, for the library that computes the network's: PyTorch's other one for
    matrices is half as fast on AMD's CPUs.
    """
    side = MATRIX_SIDE[settings.device.type] if settings.inference_side > 32 else 64
    works: dict[str, Work] = {}
    for dtype in dict.fromkeys((torch.float32, settings.dtype, getattr(torch, settings.precision))):
        matrix = torch.rand(side, side, device=settings.device).to(dtype)
        rows = matrix.view(1, side // 32, 32, side).permute(0, 3, 1, 2)  # NHWC
        works[DTYPE_NAMES[dtype]] = partial(F.conv2d, rows, matrix[:, :, None, None])
    return {dtype: 2 * side**3 / taken['median'] for dtype, taken in time_in_turns(works, settings.rounds).items()}


def time_in_turns(works: Mapping[str, Work], rounds: int, *, once: bool = False) -> dict[str, dict[str, float]]:
    """Return ``median``, ``lower`` and ``upper`` quartile of the seconds that a call of each of ``works`` takes.

    They take turns, ``rounds`` (two or more) of them, every other time in reverse order: so whatever else keeps the
    machine busy, or warms it up, hits all of them alike. A turn lasts ``SECONDS`` or longer, or is one call.
    """
    from torch.utils.benchmark import Timer  # it warns where there is no CUDA runtime

    threads = torch.get_num_threads()
    timers = [(name, Timer('work()', globals={'work': work}, num_threads=threads)) for name, work in works.items()]
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name, timer in timers if number % 2 == 0 else reversed(timers):
            times[name] += (timer.timeit(1) if once else timer.blocked_autorange(min_run_time=SECONDS)).times
    quantiles = {name: np.quantile(taken, (0.5, 0.25, 0.75)).tolist() for name, taken in times.items()}
    return {name: dict(zip(('median', 'lower', 'upper'), of_one, strict=True)) for name, of_one in quantiles.items()}


def allocations(work: Callable[[], Result], device: torch.device) -> tuple[Result, int, int]:
    """Call ``work``; return its result, the bytes it left allocated, and the most that it had, in addition.

    On a GPU that is memory taken from it (``reserved``): what lives inside a CUDA graph counts in no other figure. On
    the CPU it is tensors, which the profiler sees come and go, from the calling thread.
    """
    gc.collect()
    if device.type == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved()
        torch.cuda.reset_peak_memory_stats()
        result = work()
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_reserved()
        torch.cuda.empty_cache()
        return result, torch.cuda.memory_reserved() - before, peak - before
    # The profiler's C++ side has a log of its own, which tells about every start.
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = work()
    events: Any = profiler.profiler.kineto_results.events()
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == '[memory]':
            held += event.nbytes()
            peak = max(peak, held)
    return result, held, peak


def machine(device: torch.device) -> dict[str, Any]:
    """Return hardware, threads, versions, and ``load``: how many processes have wanted a core in the last minute."""
    return {
        **hardware(device),
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
        'instructions': torch.backends.cpu.get_cpu_capability(),
        'load': round(os.getloadavg()[0], 2) if hasattr(os, 'getloadavg') else None,
        'torch': torch.__version__,
        'python': platform.python_version(),
    }


def describe(result: Mapping[str, Any]) -> str:
    """Return what ``run_benchmark`` found as a table to read on the screen."""
    facts = ', '.join(f'{name} {value}' for name, value in result['machine'].items() if value is not None)
    return '\n'.join(
        [
            f'Measured on: {facts}',
            '',
            markdown_table(HEAD, map(_cells, result['rows'])),
            '',
            'Medians, with the quartiles in brackets; plain and fast took turns. MiB: the most memory that one needs,',
            'its weights included (tensors on the CPU; on a GPU what was taken from it). VGG19 has random weights.',
            *_limits(result),
        ]
    )


def _limits(result: Mapping[str, Any]) -> list[str]:
    """What the hardware could do, and which share of it is reached: a line each."""
    peak = result['matrix_product']
    reached = ', '.join(f'{1e-9 * rate:.0f} GFLOP/s in {dtype}' for dtype, rate in peak.items())
    lines = [f'A large matrix product reaches {reached}. Of that:'] if peak else []
    for row in result['rows']:
        if 'operations' in row:
            dtype = next(name for name in peak if name in row['fast_is'])
            shares = [
                100 * row['operations'] / row[way]['seconds']['median'] / peak[of]
                for way, of in (('plain', 'float32'), ('fast', dtype))
            ]
            lines.append(
                f'{row["name"]}, {1e-9 * row["operations"]:.3g} GFLOP: {shares[0]:.0f} % plain, {shares[1]:.0f} % fast'
            )
    return lines


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    start = (row['name'], ' x '.join(map(str, row['input'])))
    if 'failure' in row:
        return (*start, *5 * ('not measured',), f'{row["fast_is"]}: {row["failure"]}')
    ways = (row['plain'], row['fast'])
    milliseconds = [[_number(1e3 * value) for value in way['seconds'].values()] for way in ways]
    times = [f'{median} ({lower} to {upper})' for median, lower, upper in milliseconds]
    return (
        *start,
        *times,
        f'{_speedup(row):.2f} x',
        *(_number(way['peak_bytes'] / 2**20) for way in ways),
        row['fast_is'],
    )


def _speedup(row: Mapping[str, Any]) -> float:
    return row['plain']['seconds']['median'] / row['fast']['seconds']['median']


def _number(value: float) -> str:
    """Three digits are worth reading."""
    return f'{value:.0f}' if value >= 100 else f'{value:.3g}'
