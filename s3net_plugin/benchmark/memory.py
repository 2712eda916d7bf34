"""How much memory a piece of work needs."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.profiler import ProfilerActivity, profile

Result = TypeVar('Result')


class PeakMemory:
    """Counts what the allocator of one device hands out.

    On a GPU that is memory taken from it (``reserved``): what lives inside a CUDA graph counts in no other figure. On
    the CPU it is tensors, which the profiler sees come and go, from the calling thread.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == 'cuda'
        # The profiler's C++ side has a log of its own, which tells about every start.
        os.environ.setdefault('KINETO_LOG_LEVEL', '99')

    def during(self, work: Callable[[], Result]) -> tuple[Result, int, int]:
        """Call ``work``; return its result, the bytes it left allocated, and the most that it had, in addition."""
        gc.collect()
        return self._during_cuda(work) if self._cuda else self._during_cpu(work)

    def _during_cuda(self, work: Callable[[], Result]) -> tuple[Result, int, int]:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved()
        torch.cuda.reset_peak_memory_stats()
        result = work()
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_reserved()
        torch.cuda.empty_cache()
        return result, torch.cuda.memory_reserved() - before, peak - before

    def _during_cpu(self, work: Callable[[], Result]) -> tuple[Result, int, int]:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            result = work()
        held = peak = 0
        results: Any = profiler.profiler.kineto_results
        for event in sorted(results.events(), key=lambda event: event.start_ns()):
            if event.name() == '[memory]':
                held += event.nbytes()
                peak = max(peak, held)
        return result, held, peak
