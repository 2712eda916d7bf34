"""Checkpoints: what BasicSR's models save and load, written whole and read safely, and which of them are kept.

``save_network``, ``save_training_state`` and ``load_network`` are methods for any model of BasicSR.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from basicsr.utils import get_root_logger
from basicsr.utils.dist_util import master_only
from torch import nn

from s3net_plugin.utils.checkpoint import SAFETENSORS, load_weights_only, save_atomic
from s3net_plugin.utils.errors import RunError


def check_finite(net: nn.Module) -> None:
    """Make sure that a network is worth saving.

    Raises:
        RunError: its weights are not finite.
    """
    if not torch.stack(torch._foreach_norm(list(net.parameters()))).isfinite().all():
        raise RunError(
            'the weights of the network are not finite any more, and are not saved; go on with --auto_resume and '
            'train:grad_clip, which leaves out steps whose gradient is not finite, or a lower learning rate'
        )


@master_only
def save_network(
    self: Any,
    net: Any,
    net_label: str,
    current_iter: int | str,
    param_key: str | list[str] = 'params',
    extras: Mapping[str, Any] | None = None,
) -> None:
    """Save one or several networks to ``models/<net_label>_<current_iter>.pth``; -1 stands for ``latest``.

    Args:
        extras: plain values to put beside the weights, which BasicSR's loader ignores.

    Raises:
        OSError: the file cannot be written; the one that was there before is still whole.
    """
    nets = net if isinstance(net, list) else [net]
    keys = param_key if isinstance(param_key, list) else [param_key]
    content: dict[str, Any] = {}
    for key, one in zip(keys, nets, strict=True):
        state = self.get_bare_model(one).state_dict()
        content[key] = {name.removeprefix('module.'): tensor.cpu() for name, tensor in state.items()}
    label = 'latest' if current_iter == -1 else current_iter
    save_atomic({**content, **(extras or {})}, Path(self.opt['path']['models'], f'{net_label}_{label}.pth'))


@master_only
def save_training_state(
    self: Any, epoch: int, current_iter: int, parts: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Save what resuming needs beside the network to ``training_states/<current_iter>.state``; nothing for -1.

    Args:
        parts: states of other parts than optimizers and schedulers by their names: tensors and plain values.

    Raises:
        OSError: the file cannot be written; the one that was there before is still whole.
    """
    if current_iter == -1:
        return
    content = {
        'epoch': epoch,
        'iter': current_iter,
        'optimizers': [optimizer.state_dict() for optimizer in self.optimizers],
        'schedulers': [scheduler.state_dict() for scheduler in self.schedulers],
        **(parts or {}),
    }
    save_atomic(content, Path(self.opt['path']['training_states'], f'{current_iter}.state'))


def load_network(
    self: Any, net: nn.Module, load_path: str, strict: bool = True, param_key: str | None = 'params'
) -> None:
    """Load weights from what BasicSR saved, or from safetensors, where there is one set, whatever ``param_key`` is.

    Args:
        param_key: where they are in the file, which itself holds them for None; ``params`` where there is no such key.
    """
    content = load_weights_only(load_path)
    if Path(load_path).suffix == SAFETENSORS or (param_key is not None and param_key not in content):
        param_key = 'params'
    weights = content if param_key is None else content[param_key]
    weights = {name.removeprefix('module.'): tensor for name, tensor in weights.items()}
    net = self.get_bare_model(net)
    get_root_logger().info(f'Loading {type(net).__name__} model from {load_path}.')
    self._print_different_keys_loading(net, weights, strict)
    net.load_state_dict(weights, strict=strict)


def training_states(folder: Path) -> list[Path]:
    """Return the training states in ``folder``, the earliest iteration first; their stems are the iterations."""
    return sorted((path for path in folder.glob('*.state') if path.stem.isdigit()), key=lambda path: int(path.stem))


def prune(path: Mapping[str, str], keep: int, newest: int) -> None:
    """Prune training states: delete all but ``keep`` of those up to ``newest``, and the checkpoints beside them.

    ``best`` and ``latest`` stay, and so does what is later than ``newest``: a run that went back to an earlier
    iteration must not lose its own states to those it has left behind.

    Args:
        path: the folders ``models`` and ``training_states`` of an experiment.
        keep: how many iterations to keep, at least 1.
        newest: the iteration that has just been saved.
    """
    models, states = Path(path['models']), Path(path['training_states'])
    iterations = [int(file.stem) for file in training_states(states)]
    for iteration in [iteration for iteration in iterations if iteration <= newest][:-keep]:
        # The state first: without it a checkpoint is merely large, without the checkpoint a state is broken.
        (states / f'{iteration}.state').unlink(missing_ok=True)
        (models / f'net_g_{iteration}.pth').unlink(missing_ok=True)
