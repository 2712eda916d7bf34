"""Reading weight files from outside, which are taken as hostile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from s3net_plugin.utils.checkpoint import load_plain


def read_state_dict(path: str | Path) -> dict[str, torch.Tensor]:
    """Read the state dict in ``path`` (``.safetensors``, or anything ``torch.save`` wrote) to the CPU.

    Nothing in the file can run: pickles are read with ``weights_only``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, refused as unsafe, or holds no state dict.
    """
    path = Path(path)
    content = _load_safetensors(path) if path.suffix == '.safetensors' else load_plain(path)
    try:
        return plain_state_dict(content)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def _load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file')
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f'{path}: not a whole checkpoint ({error})') from None


def plain_state_dict(content: Any) -> dict[str, torch.Tensor]:
    """Return the tensors by name that a checkpoint holds, itself or under ``state_dict``, ``model`` or ``params``.

    A leading ``module.``, which DataParallel leaves in every name, is dropped.

    Raises:
        ValueError: There is something else in it.
    """
    for key in ('state_dict', 'model', 'params'):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise ValueError('no state dict in it')
    strange = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if strange:
        raise ValueError(f'not a state dict: {shorten(strange)} hold no tensors')
    return {str(name).removeprefix('module.'): value for name, value in content.items()}


def shorten(names: list[str], limit: int = 8) -> str:
    """Join ``names`` for a message of one line."""
    shown = ', '.join(names[:limit])
    return shown if len(names) <= limit else f'{shown} and {len(names) - limit} more'


def describe_misfit(expected: Mapping[str, torch.Tensor], got: Mapping[str, torch.Tensor]) -> str:
    """Say in one line what keeps ``got`` from being a state dict like ``expected``; empty if nothing does."""
    missing = [name for name in expected if name not in got]
    unknown = [name for name in got if name not in expected]
    shapes = [
        f'{name} is {tuple(got[name].shape)} and should be {tuple(tensor.shape)}'
        for name, tensor in expected.items()
        if name in got and got[name].shape != tensor.shape
    ]
    parts = (('missing: ', missing), ('unknown: ', unknown), ('shapes: ', shapes))
    return '; '.join(title + shorten(names) for title, names in parts if names)
