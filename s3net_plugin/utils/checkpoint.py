"""Checkpoints and training states: written whole or not at all, read without running anything that is in them."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from s3net_plugin.utils.files import written_aside


def save_whole(content: dict[str, Any], path: str | Path) -> None:
    """Write ``content`` with ``torch.save`` so that ``path`` is either what it was before or the whole new file.

    Raises:
        OSError: the disk is full or not writable; the message names the file, and what was there before is still there.
    """
    path = Path(path)
    try:
        with written_aside(path) as aside, aside.open('wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        if 'unexpected pos' in reason:  # what PyTorch says of a write that was cut short
            reason = 'no space left, or a limit on the size of files'
        raise OSError(f'{path}: cannot be saved ({reason}); what was there before is unchanged') from error


def load_plain(path: str | Path) -> dict[str, Any]:
    """Return the dict of tensors and plain values in a checkpoint, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is torn, no checkpoint, or holds anything but tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        if re.search(r'GLOBAL|[Uu]nsupported (global|class)', str(error)):
            raise ValueError(f'{path}: refused, it holds more than tensors and plain values') from None
        raise ValueError(f'{path}: not a whole checkpoint (torn, or another kind of file)') from None
    except Exception:  # of damaged bytes the reader makes errors of every kind
        raise ValueError(f'{path}: not a whole checkpoint (torn, or another kind of file)') from None
    if not isinstance(content, dict):
        raise ValueError(f'{path}: a checkpoint is a dict, this is a {type(content).__name__}')
    return content
