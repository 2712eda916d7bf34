"""Asking a server of weights whether it is there, before a client tries for a minute."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable

import huggingface_hub

PATIENCE = 3.0  # seconds: with building a network, an error comes within five


def ask_hub(url: str) -> None:
    """Return once the Hugging Face hub has answered for ``url``; raise what went wrong within ``PATIENCE`` seconds."""
    _in_time(lambda: huggingface_hub.get_hf_file_metadata(url, timeout=PATIENCE))


def ask_server(url: str) -> None:
    """Return once ``url`` has answered; raise what went wrong within ``PATIENCE`` seconds."""
    _in_time(lambda: urllib.request.urlopen(url, timeout=PATIENCE).close())


def _in_time(ask: Callable[[], object]) -> None:
    """In a thread, because no timeout of a client covers a name server that keeps silent."""
    outcome: list[Exception | None] = []

    def run() -> None:
        try:
            ask()
            outcome.append(None)
        except Exception as error:  # handed to the caller below
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    error = outcome[0] if outcome else TimeoutError(f'no answer in {PATIENCE:g} seconds')
    if error is not None:
        raise error
