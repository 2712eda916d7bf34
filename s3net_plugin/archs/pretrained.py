"""Weights that ship with the package, and files like them: safetensors in half precision that say what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from s3net_plugin.utils.checkpoint import SAFETENSORS, plain_state_dict
from s3net_plugin.utils.files import atomic_write

PRETRAINED = 'pretrained'  # what an option file calls them


def pretrained_path() -> Path:
    """Path of the weights in the package."""
    return Path(__file__).parents[1] / 'assets/shading_guided_s3net.safetensors'


def write_pretrained(
    checkpoint: Mapping[str, Any], path: str | Path, *, training: Mapping[str, Any], scores: Mapping[str, Any]
) -> None:
    """Write safetensors in half precision: the averaged weights of a checkpoint, or the only ones; whole or not at all.

    Args:
        checkpoint: BasicSR's, with ``params_ema`` or ``params``, and ``network_g``, the options of its network.
        training: what the weights were trained on and how, for the file's metadata.
        scores: what they reach, for the file's metadata.

    Raises:
        ValueError: there are no weights or no options, or a weight is not finite or too large for half precision, or
            ``path`` does not end in ``.safetensors``.
    """
    path = Path(path)
    if path.suffix != SAFETENSORS:
        raise ValueError(f'{path}: weights are written to a file that ends in {SAFETENSORS}')
    if not checkpoint.get('network_g'):
        raise ValueError('the checkpoint holds no network_g, the options that build its network')
    key = 'params_ema' if checkpoint.get('params_ema') else 'params'
    weights = plain_state_dict(checkpoint.get(key))
    tensors = {name: _in_half(name, tensor) for name, tensor in weights.items()}
    sections = {'network_g': checkpoint['network_g'], 'training': training, 'scores': scores}
    metadata = {name: json.dumps(section, allow_nan=False) for name, section in sections.items()}
    with atomic_write(path) as aside:
        aside.write_bytes(
            save(tensors, metadata={'format': 'pt', 'licence': 'Apache-2.0', 'param_key': key, **metadata})
        )


def _in_half(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():  # counts
        return tensor.contiguous()
    half = tensor.half().contiguous()
    if not torch.isfinite(half).all():
        why = 'is too large for half precision' if torch.isfinite(tensor).all() else 'is not finite'
        raise ValueError(f'{name}: a value {why}, so the weights cannot be written')
    return half
