"""Asking the Hugging Face hub whether it is there, before a client tries for a minute."""

from __future__ import annotations

import threading

import huggingface_hub

PATIENCE = 4.0  # seconds


def ask_hub(url: str) -> None:
    """Return once the hub has answered for ``url``; raise what went wrong after ``PATIENCE`` seconds at most.

    In a thread, because no timeout of the client covers a name server that keeps silent.
    """
    outcome: list[Exception | None] = []

    def ask() -> None:
        try:
            huggingface_hub.get_hf_file_metadata(url, timeout=PATIENCE)
            outcome.append(None)
        except Exception as error:  # handed to the caller below
            outcome.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    error = outcome[0] if outcome else TimeoutError(f'no answer in {PATIENCE:g} seconds')
    if error is not None:
        raise error
