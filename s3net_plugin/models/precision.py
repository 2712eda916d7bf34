"""Mixed precision, and whether the result of a step may be used: the processes of a job decide alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn

from s3net_plugin.archs import S3Net
from s3net_plugin.archs.deploy import fast_precision
from s3net_plugin.archs.padding import pad_channels
from s3net_plugin.utils.distributed import all_gather_object
from s3net_plugin.utils.errors import OptionError, RunError

TYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}


class Precision:
    """Mixed precision: autocast for the forward pass and, for float16, a scaler for the backward one.

    Args:
        amp: one of ``TYPES``; 'auto' for bfloat16 where ``device`` has it in hardware; None or 'float32' for float32.
        device: where the network computes.
    """

    def __init__(self, amp: str | None, device: torch.device) -> None:
        self.device = device
        self.dtype = TYPES.get(amp or '')
        if amp == 'auto' and fast_precision(device) == torch.bfloat16:
            self.dtype = torch.bfloat16
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

    def clip_gradient(self, optimizer: torch.optim.Optimizer, limit: float | None) -> bool:
        """Clip the norm of the gradient; whether it can be used (the scaler of float16 decides that itself)."""
        self.scaler.unscale_(optimizer)
        if not limit:
            return True
        norm = nn.utils.clip_grad_norm_(optimizer.param_groups[0]['params'], limit)
        return self.scaler.is_enabled() or bool(torch.isfinite(norm))

    def state_dict(self) -> dict[str, Any]:
        """The state of the scaler, empty where there is none."""
        return self.scaler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, if both this run and the one before scale the loss."""
        if state and self.scaler.is_enabled():
            self.scaler.load_state_dict(dict(state))


class StepStatus:
    """Status of a step: whether it failed (a loss that is not finite) and whether to stop, the same in all processes.

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


class NonFiniteGuard:
    """Non-finite guard: counts the steps left out for a loss or gradient that is not finite, ends a run of too many.

    Args:
        limit: how many in a row are too many; ``train:max_nonfinite``.
    """

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._limit = limit
        self._in_a_row = 0

    def state_dict(self) -> dict[str, int]:
        return {'count': self.count}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.count = state['count']

    def reset(self) -> None:
        """A step has been taken."""
        self._in_a_row = 0

    def add(self, iteration: int, finite: bool, paths: Sequence[str]) -> str:
        """Count one more and say so in a line that names the samples; all processes leave out the same steps.

        Args:
            iteration: the one whose step is left out.
            finite: whether this process's own losses were finite.
            paths: this process's samples.

        Raises:
            RunError: it is one too many in a row.
        """
        self.count += 1
        self._in_a_row += 1
        parts = all_gather_object((finite, list(map(str, paths))))
        to_blame = [part for part in parts if not part[0]] or parts
        samples = ', '.join(path for _, paths in to_blame for path in paths)
        if self._in_a_row >= self._limit:
            raise RunError(
                f'iteration {iteration}: loss or gradient was not finite {self._limit} times in a row '
                f'(train:max_nonfinite); last samples: {samples}. Lower the learning rate, or set train:grad_clip'
            )
        return (
            f'iteration {iteration}: loss or gradient not finite, step skipped ({self.count} so far); '
            f'samples: {samples}'
        )


def apply_memory_format(net: nn.Module, train_opt: dict[str, Any]) -> nn.Module:
    """Memory format: lay out a network's tensors as ``channels_last`` and ``pad_channels`` of ``train`` say."""
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
    if train_opt.get('cudnn_benchmark') is not None:
        torch.backends.cudnn.benchmark = train_opt['cudnn_benchmark']
    if train_opt.get('compile'):
        # In place, so that names in checkpoints stay what they are. Static shapes: crops have one size, and dynamic
        # ones are slower.
        net.compile(dynamic=False)
    return net
