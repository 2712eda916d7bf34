"""Downloading weights: a server is asked whether it is there first, since a client tries for a minute."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

import huggingface_hub.constants

PATIENCE = 3.0  # seconds: with building a network, an error comes within five

T = TypeVar('T')


def download(place: str, what: str, url: str, fetch: Callable[[], T], instead: str) -> T:
    """Return what ``fetch`` returns, once the Hugging Face hub or another server has answered for ``url``.

    Args:
        place: begins the message: the option that asks for the weights.
        what: they are.
        url: one file of them.
        fetch: downloads them.
        instead: what to do with a file that was fetched on another machine, and what serves without one.

    Raises:
        FileNotFoundError: they are not to be had; said within ``PATIENCE`` seconds if nothing answers.
    """
    hub = url.startswith(huggingface_hub.constants.ENDPOINT)
    ask = huggingface_hub.get_hf_file_metadata if hub else urllib.request.urlopen
    try:
        _in_time(lambda: ask(url, timeout=PATIENCE))
        return fetch()
    except Exception as error:  # the classes differ between clients and their versions
        reason = str(error).strip().partition('\n')[0] or type(error).__name__
        raise FileNotFoundError(
            f'{place}: cannot download {what} ({reason}); fetch {url} on a machine that can and {instead}'
        ) from error


def _in_time(ask: Callable[[], object]) -> None:
    """In a thread, because no timeout of a client covers a name server that keeps silent."""
    answer: Future[object] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # raised by result() below
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()  # a pool's threads would be waited for at exit
    if not wait([answer], PATIENCE).done:
        raise TimeoutError(f'no answer in {PATIENCE:g} seconds')
    answer.result()
