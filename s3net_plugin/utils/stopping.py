"""Leaving on SIGTERM or SIGUSR1: schedulers send them some time before they take a machine away."""

from __future__ import annotations

import signal
import threading
from types import FrameType

# sysexits.h: EX_TEMPFAIL, "try again later". Nothing else in a run exits with it.
EXIT_STOPPED = 75

_received: list[int] = []


def _note(number: int, frame: FrameType | None) -> None:
    _received.append(number)


def listen() -> None:
    """Note the signals from now on instead of dying of them. Only the main thread can; elsewhere nothing changes."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, _note)


def requested() -> bool:
    """Whether this process has been asked to stop."""
    return bool(_received)
