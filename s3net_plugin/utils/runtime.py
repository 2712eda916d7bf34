"""How a process of ours waits for its threads, keeps its memory and looks for garbage."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import platform
from typing import Any

# Parameters of glibc's mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8
MOST = 2**31 - 1  # bytes that it can be told
_IMPORTED = 500_000  # objects: PyTorch makes half as many, training and relighting import more


def tune_runtime() -> None:
    """Set it for a command, before it imports PyTorch; what the environment says of it comes first."""
    if not {'OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME'} & os.environ.keys():
        # Threads that spin while they wait make a busy machine ten times slower; waking one that sleeps takes longer
        # than many a small operation: so they spin shortly. GNU's OpenMP counts that in turns, LLVM's and Intel's,
        # which are those of macOS and Windows, in milliseconds.
        os.environ.update(OMP_WAIT_POLICY='passive', GOMP_SPINCOUNT='1000', KMP_BLOCKTIME='1')
    if not any(name.startswith('MALLOC_') or name == 'GLIBC_TUNABLES' for name in os.environ):
        keep_freed_memory()
    pass_over_imports()


@functools.cache  # a second call would take the first one's threshold for the usual one, and keep it
def pass_over_imports() -> None:
    """Look for garbage only when as many objects are there as imports make, and never among those.

    Modules stay. Looking through them again and again took a quarter of the time that importing them takes.
    """
    usual = gc.get_threshold()

    def begin(phase: str, _: dict[str, int]) -> None:
        if gc.get_threshold()[0] == _IMPORTED:
            gc.freeze()
            gc.set_threshold(*usual)

    gc.callbacks.append(begin)  # stays: whoever leaves that list while it is gone through makes another be passed over
    gc.set_threshold(_IMPORTED)


def keep_freed_memory(most: int = MOST) -> None:
    """Keep memory that is freed, ``most`` bytes of it, for the next array; 0 gives it back as glibc does by itself.

    glibc gives arrays of more than 32 MiB back to the system at once, and the next one is made of pages of zeros again:
    that took up to a third of the network's time. All threads share one heap then, since others than the main one
    cannot hold large arrays. Where there is no glibc nothing happens.
    """
    if mallopt := _mallopt():
        mallopt(_MMAP_MAX, 0 if most else 65536)
        mallopt(_TRIM_THRESHOLD, most or 2**26)
        mallopt(_MMAP_THRESHOLD, 2**25)  # where the default ends up; not asked where nothing is mapped
        if most:
            mallopt(_ARENA_MAX, 1)


@functools.cache
def _mallopt() -> Any:
    return ctypes.CDLL(None).mallopt if platform.libc_ver()[0] == 'glibc' else None
