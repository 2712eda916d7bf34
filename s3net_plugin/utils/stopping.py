"""Leaving on SIGTERM or SIGUSR1: schedulers send them some time before they take a machine away."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

# sysexits.h: EX_TEMPFAIL, "try again later". Nothing else in a run exits with it.
EXIT_STOPPED = 75
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)

_received: list[int] = []


def _note(number: int, frame: FrameType | None) -> None:
    _received.append(number)


def listen() -> None:
    """Note the signals from now on instead of dying of them. Only the main thread can; elsewhere nothing changes."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, _note)


def requested() -> bool:
    """Whether this process has been asked to stop."""
    return bool(_received)


def spare_workers(loader: Any) -> None:
    """Keep the workers of a ``DataLoader`` that has not started any alive through signals that go to a whole job.

    Without this they die of a SIGTERM that a scheduler sends to all processes, and their death ends the run before it
    has saved.
    """
    loader.worker_init_fn = functools.partial(_start_worker, loader.worker_init_fn)


def _start_worker(init: Callable[[int], None] | None, worker: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    threading.Thread(target=_obey_parent_only, daemon=True).start()
    if init is not None:
        init(worker)


def _obey_parent_only() -> None:
    """Leave when the run itself ends this worker, which ``DataLoader`` does by SIGTERM; no other sender counts."""
    parent = multiprocessing.parent_process()
    while True:
        received = signal.sigwaitinfo(SIGNALS)
        if parent is not None and received.si_signo == signal.SIGTERM and received.si_pid == parent.pid:
            os._exit(0)
