"""Checkpoints and training states: written whole or not at all, read without running anything that is in them, and put
only into the network that they belong to."""

from __future__ import annotations

import inspect
import os
import pickle
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from pydantic_core import from_json
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.files import atomic_write
from s3net_plugin.utils.names import shorten

SAFETENSORS = '.safetensors'


def save_atomic(content: dict[str, Any], path: str | Path) -> None:
    """Write ``content`` with ``torch.save`` so that ``path`` is either what it was before or the whole new file.

    Raises:
        OSError: the disk is full or not writable; the message names the file, and what was there before is still there.
    """
    path = Path(path)
    try:
        with atomic_write(path) as aside, aside.open('wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        if 'unexpected pos' in reason:  # what PyTorch says of a write that was cut short
            reason = 'no space left, or a limit on the size of files'
        raise OSError(f'{path}: cannot be saved ({reason}); what was there before is unchanged') from error


def load_weights_only(path: str | Path) -> dict[str, Any]:
    """Return the dict of tensors and plain values in a checkpoint, on the CPU; nothing in it can run.

    Safetensors are read as BasicSR's checkpoints: ``params``, in float32, and ``network_g``, the options of the network
    that they were written of, if the file has them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is torn, no checkpoint, or holds anything but tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file')
    try:
        if path.suffix == SAFETENSORS:
            return _load_safetensors(path)
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # of damaged bytes the readers make errors of every kind
        if isinstance(error, pickle.UnpicklingError) and re.search(r'GLOBAL|[Uu]nsupported (global|class)', str(error)):
            raise ValueError(f'{path}: refused, it holds more than tensors and plain values') from None
        reason = str(error).partition('\n')[0] if path.suffix == SAFETENSORS else 'torn, or another kind of file'
        raise ValueError(f'{path}: not a whole checkpoint ({reason})') from None
    if not isinstance(content, dict):
        raise ValueError(f'{path}: a checkpoint is a dict, this is a {type(content).__name__}')
    return content


def _load_safetensors(path: Path) -> dict[str, Any]:
    with safe_open(path, framework='pt') as file:
        options = (file.metadata() or {}).get('network_g')
    params = {
        name.removeprefix('module.'): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in load_file(path).items()
    }
    try:
        return {'params': params, **({'network_g': from_json(options, allow_inf_nan=False)} if options else {})}
    except ValueError as error:
        raise ValueError(f'network_g in its metadata is no JSON: {error}') from None


def read_state_dict(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the state dict in a checkpoint, wherever it lies in it; see ``plain_state_dict``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, refused as unsafe, or holds no state dict.
    """
    content = load_weights_only(path)
    try:
        return plain_state_dict(content)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


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


def state_dict_mismatch(expected: Mapping[str, torch.Tensor], got: Mapping[str, Any]) -> str:
    """Say in one line what keeps ``got`` from being a state dict like ``expected``; empty if nothing does."""
    strange = [name for name, value in got.items() if not isinstance(value, Tensor)]
    if strange:
        return f'{shorten(strange)} are no weights'
    missing = [name for name in expected if name not in got]
    unknown = [name for name in got if name not in expected]
    shapes = [
        f'{name} is {tuple(got[name].shape)} and should be {tuple(tensor.shape)}'
        for name, tensor in expected.items()
        if name in got and got[name].shape != tensor.shape
    ]
    parts = (('missing: ', missing), ('unknown: ', unknown), ('shapes: ', shapes))
    return '; '.join(title + shorten(names) for title, names in parts if names)


def without_pretraining(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a network whose weights are about to be set, so that no file is asked for twice."""
    return {name: None if name == 'encoder_weights' else deepcopy(value) for name, value in options.items()}


def plain(value: Any) -> Any:
    """Dicts, lists, numbers and text only, which is what a ``weights_only`` reader admits."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, 'item') else value


def check_fit(
    net: nn.Module, name: str, options: Mapping[str, Any], content: Any, params: Mapping[str, Any], where: str
) -> None:
    """Check that the weights ``params`` in a checkpoint's ``content`` belong to a network with ``options``.

    Options that leave all shapes as they are can change what the network computes. Of this package's archs all do; of
    others, where some do not, only what does not fit is refused.

    Args:
        name: of the network's section, such as ``network_g``; ``options`` are that section.
        content: the checkpoint, of which ``params`` are the weights to load.
        where: begins the message: the file.

    Raises:
        OptionError: it does not; the message says which options differ, if it can be known, or which tensors do.
    """
    difference = describe_difference(content.get(name), options)
    misfit = state_dict_mismatch(
        net.state_dict(), {str(key).removeprefix('module.'): value for key, value in params.items()}
    )
    if difference and (misfit or type(net).__module__.startswith('s3net_plugin.')):
        raise OptionError(f'{where} was trained with another {name}: {difference}; make them equal')
    if misfit:
        raise OptionError(f'{where} does not fit {name}: {misfit}')


def describe_difference(stored: Any, wanted: Mapping[str, Any]) -> str:
    """Say which options differ between a checkpoint and an option file; empty if none does or none are stored.

    What either leaves out has the arch's default. Where weights came from first makes no difference.
    """
    if not isinstance(stored, Mapping) or 'type' not in stored:
        return ''
    if stored['type'] != wanted['type']:
        return f'type is {stored["type"]} there and {wanted["type"]} here'
    there, here = _effective(stored), _effective(wanted)
    return ', '.join(
        f'{name} is {as_yaml(there.get(name))} there and {as_yaml(here.get(name))} here'
        for name in sorted({*there, *here} - {'encoder_weights'})
        if there.get(name) != here.get(name)
    )


def _effective(options: Mapping[str, Any]) -> dict[str, Any]:
    from basicsr.utils.registry import ARCH_REGISTRY

    parameters = inspect.signature(ARCH_REGISTRY.get(options['type'])).parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    return plain({**defaults, **without_pretraining(options)})


def as_yaml(value: Any) -> str:
    """Return a plain value as an option file has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
