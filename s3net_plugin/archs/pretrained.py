"""Weights that ship with the package, and files like them: safetensors in half precision that say what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from s3net_plugin.utils.checkpoint import load_weights_only, plain_state_dict, read_state_dict
from s3net_plugin.utils.files import atomic_write

PRETRAINED = 'pretrained'  # what an option file calls them
SUFFIX = '.safetensors'
_LARGEST_HEADER = 2**22  # bytes; it takes about 100 a tensor


def pretrained_path() -> Path:
    """Return the path of the weights in the package."""
    return Path(__file__).parents[1] / 'assets/shading_guided_s3net.safetensors'


def write_pretrained(
    checkpoint: Mapping[str, Any], path: str | Path, *, training: Mapping[str, Any], scores: Mapping[str, Any]
) -> None:
    """Write the averaged weights of a checkpoint, or the only ones, in half precision; whole or not at all.

    Args:
        checkpoint: BasicSR's, with ``params_ema`` or ``params``, and ``network_g``, the options of its network.
        path: to write; ends in ``.safetensors``.
        training: what the weights were trained on and how, for the file's metadata.
        scores: what they reach, for the file's metadata.

    Raises:
        ValueError: there are no weights or no options, or a weight is not finite or too large for half precision.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(f'{path}: weights are written to a file that ends in {SUFFIX}')
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


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a safetensors file, which is taken as hostile; no tensor is read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or its header is larger than that of any network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file')
    with path.open('rb') as file:
        header = int.from_bytes(file.read(8), 'little')
    if header > _LARGEST_HEADER:
        raise ValueError(f'{path}: not a whole checkpoint (a header of {header} bytes)')
    try:
        with safe_open(path, framework='pt') as content:
            return content.metadata() or {}
    except Exception as error:  # of damaged bytes the reader makes errors of several kinds
        raise ValueError(f'{path}: not a whole checkpoint ({str(error).splitlines()[0]})') from None


def read_options(path: str | Path) -> dict[str, Any] | None:
    """Return ``network_g``, the options of the network that a safetensors file was written of; None if it has none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or what it gives as ``network_g`` are no options.
    """
    text = read_metadata(path).get('network_g')
    if text is None:
        return None
    try:
        options = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ValueError(f'{path}: network_g in its metadata is no JSON') from None
    if not isinstance(options, dict) or not isinstance(options.get('type'), str):
        raise ValueError(f'{path}: network_g in its metadata has no type, so it builds no network')
    return options


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is no JSON')


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint of BasicSR, or a safetensors file as one: ``params`` in float32, ``network_g`` if it has it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or refused as unsafe.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        return load_weights_only(path)
    options = read_options(path)
    weights = {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in read_state_dict(path).items()
    }
    return {'params': weights, **({'network_g': options} if options else {})}
