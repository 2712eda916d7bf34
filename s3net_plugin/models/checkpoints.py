"""What models save, written whole, and read: methods of ``S3NetModel``, and of stock models while a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from basicsr.models.base_model import BaseModel
from basicsr.utils import get_root_logger
from basicsr.utils.dist_util import master_only
from torch import nn

from s3net_plugin.archs.pretrained import SUFFIX, read_checkpoint
from s3net_plugin.utils.checkpoint import save_atomic
from s3net_plugin.utils.errors import RunError

_stock_load_network = BaseModel.load_network


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
    self: Any, net: Any, net_label: str, current_iter: int | str, param_key: str | list[str] = 'params'
) -> None:
    """Save one or several networks to ``models/<net_label>_<current_iter>.pth``; -1 stands for ``latest``.

    A model with ``checkpoint_extras()`` adds plain values to the file, which BasicSR's loader ignores.

    Raises:
        OSError: the file cannot be written; the one that was there before is still whole.
    """
    nets = net if isinstance(net, list) else [net]
    keys = param_key if isinstance(param_key, list) else [param_key]
    content: dict[str, Any] = {}
    for key, one in zip(keys, nets, strict=True):
        state = self.get_bare_model(one).state_dict()
        content[key] = {name.removeprefix('module.'): tensor.cpu() for name, tensor in state.items()}
    if hasattr(self, 'checkpoint_extras'):
        content.update(self.checkpoint_extras())
    label = 'latest' if current_iter == -1 else current_iter
    save_atomic(content, Path(self.opt['path']['models'], f'{net_label}_{label}.pth'))


@master_only
def save_training_state(self: Any, epoch: int, current_iter: int) -> None:
    """Save what resuming needs beside the network to ``training_states/<current_iter>.state``; nothing for -1.

    A model with ``state_extras()`` adds tensors and plain values.

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
    }
    if hasattr(self, 'state_extras'):
        content.update(self.state_extras())
    save_atomic(content, Path(self.opt['path']['training_states'], f'{current_iter}.state'))


def load_network(self: Any, net: Any, load_path: str, strict: bool = True, param_key: str | None = 'params') -> None:
    """Load as BasicSR does, or from safetensors, where there is one set of weights, whatever ``param_key`` is."""
    if Path(load_path).suffix != SUFFIX:
        _stock_load_network(self, net, load_path, strict, param_key)
        return
    net = self.get_bare_model(net)
    weights = read_checkpoint(load_path)['params']
    get_root_logger().info(f'Loading {type(net).__name__} model from {load_path}.')
    self._print_different_keys_loading(net, weights, strict)
    net.load_state_dict(weights, strict=strict)
