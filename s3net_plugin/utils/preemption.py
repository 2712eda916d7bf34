"""Leaving on SIGTERM or SIGUSR1, which schedulers send some time before they take a machine away, and on Ctrl-C."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

# sysexits.h: EX_TEMPFAIL, "try again later". Nothing else in a run exits with it.
EXIT_STOPPED = 75
# Windows has no SIGUSR1, and sends SIGBREAK where a terminal is closed.
_NAMES = ('SIGTERM', 'SIGUSR1', 'SIGINT', 'SIGBREAK')
SIGNALS: tuple[signal.Signals, ...] = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
# A terminal and a launcher may both hand on one Ctrl-C.
ONE_CTRL_C = 1.0  # seconds

_received: list[tuple[int, float]] = []


def _note(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    earlier = [when for other, when in _received if other == number == signal.SIGINT]
    if earlier and now - earlier[0] > ONE_CTRL_C:
        raise KeyboardInterrupt
    _received.append((number, now))
    if number == signal.SIGINT and not earlier:
        print('Ctrl-C: saving after this step; once more leaves at once, without saving', file=sys.stderr, flush=True)


def listen() -> None:
    """Note the signals from now on instead of dying of them. Only the main thread can; elsewhere nothing changes."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # a shell spares what runs in the background Ctrl-C
                signal.signal(number, _note)


def requested() -> bool:
    """Whether this process has been asked to stop."""
    return bool(_received)


def shield_workers(loader: Any) -> None:
    """Keep the workers of a ``DataLoader`` that has not started any alive through signals that go to a whole job.

    Without this they die of a SIGTERM that a scheduler sends to all processes, and their death ends the run before it
    has saved.
    """
    loader.worker_init_fn = functools.partial(_start_worker, loader.worker_init_fn)


def _start_worker(init: Callable[[int], None] | None, worker: int) -> None:
    if hasattr(signal, 'sigwaitinfo'):
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        threading.Thread(target=_obey_parent_only, daemon=True).start()
    else:  # macOS and Windows do not tell who sent a signal: SIGTERM, by which a loader ends its workers, is obeyed
        for number in set(SIGNALS) - {signal.SIGTERM}:
            signal.signal(number, signal.SIG_IGN)
    if init is not None:
        init(worker)


def _obey_parent_only() -> None:
    """Leave when the run itself ends this worker, which ``DataLoader`` does by SIGTERM; no other sender counts."""
    parent = multiprocessing.parent_process()
    while True:
        received = signal.sigwaitinfo(SIGNALS)
        if parent is not None and received.si_signo == signal.SIGTERM and received.si_pid == parent.pid:
            os._exit(0)
