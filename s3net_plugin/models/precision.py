"""Mixed precision and the verdict on a step: what a network computes in, and whether its result may be used."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn

from s3net_plugin.archs import S3Net
from s3net_plugin.archs.padding import pad_channels
from s3net_plugin.utils.errors import OptionError, RunError

TYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}


class Precision:
    """Autocast for the forward pass and, for float16, a scaler for the backward one; ``amp`` as in ``TYPES``."""

    def __init__(self, amp: str | None, device: torch.device) -> None:
        self.device = device
        self.dtype = TYPES.get(amp or '')
        self.scaler = torch.amp.GradScaler(device.type, enabled=amp == 'float16')

    def scale(self) -> float | None:
        """The factor on the loss, None where there is no scaler; waits for the GPU.

        Raises:
            RunError: the factor has fallen so far that every step before must have been skipped.
        """
        if not self.scaler.is_enabled():
            return None
        scale = self.scaler.get_scale()
        if scale < 1:
            raise RunError(
                f'the gradient is not finite in float16, even with the loss scaled by {scale:g}; '
                'set train:amp to bfloat16 or ~'
            )
        return scale

    def autocast(self) -> AbstractContextManager:
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)

    def state(self) -> dict[str, Any]:
        return {'scaler': self.scaler.state_dict()} if self.scaler.is_enabled() else {}

    def load_state(self, state: dict[str, Any]) -> None:
        if self.scaler.is_enabled() and state.get('scaler'):
            self.scaler.load_state_dict(state['scaler'])


class StepStatus:
    """Whether a step failed (a loss that is not finite) and whether to stop, the same in all processes.

    The answer is copied from a GPU while the backward pass still runs there, so that asking for it does not hold up
    what comes next.
    """

    def __init__(self, total: Tensor, stop: bool, distributed: bool) -> None:
        # Filled on the device: a tensor that is made on the CPU would be waited for.
        flags = torch.stack([~torch.isfinite(total), torch.full_like(total, stop, dtype=torch.bool)]).int()
        if distributed:
            torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
        self._event = None
        if flags.is_cuda:
            self._flags = torch.empty(2, dtype=torch.int32, pin_memory=True)
            self._flags.copy_(flags, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._flags = flags

    def read(self) -> tuple[bool, bool]:
        """Return (failed, stop)."""
        if self._event is not None:
            self._event.synchronize()
        failed, stop = self._flags.tolist()
        return bool(failed), bool(stop)


def apply_memory_format(net: nn.Module, train_opt: dict[str, Any]) -> nn.Module:
    """Lay out a network's tensors in memory as the options of ``train`` say."""
    if train_opt.get('pad_channels'):
        pad_channels(cast(S3Net, net))
    if train_opt.get('channels_last'):
        net = net.to(memory_format=torch.channels_last)
    return net


def prepare_network(net: nn.Module, train_opt: dict[str, Any], distributed: bool, device: torch.device) -> nn.Module:
    """Apply the speed options of ``train`` to a network that is about to be trained.

    Raises:
        OptionError: ``sync_bn`` without GPUs or without a launcher.
    """
    if train_opt.get('sync_bn'):
        if not distributed or device.type != 'cuda':
            raise OptionError('train:sync_bn needs GPUs and a launcher: SyncBatchNorm does not work on the CPU')
        from timm.layers import convert_sync_batchnorm

        # timm's, which knows its layers that are BatchNorm and activation in one; PyTorch's drops the activation.
        net = convert_sync_batchnorm(net)
    net = apply_memory_format(net, train_opt)
    if train_opt.get('compile'):
        # In place, so that names in checkpoints stay what they are. Static shapes: crops have one size, and dynamic
        # ones are slower.
        net.compile(dynamic=False)
    return net
