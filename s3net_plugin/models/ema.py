"""Exponential moving average (EMA) of a network, and its buffers: updated in a few launches instead of one a tensor."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


def ema_update(averaged: list[Tensor], parameters: list[Tensor], decay: float) -> None:
    """EMA: set ``averaged``, in place, to ``decay * averaged + (1 - decay) * parameters``.

    Example:
        >>> averaged = [torch.zeros(2)]
        >>> ema_update(averaged, [torch.ones(2)], decay=0.75)
        >>> averaged
        [tensor([0.2500, 0.2500])]
    """
    get_ema_multi_avg_fn(decay)(averaged, parameters, 0)


class BufferSnapshot:
    """Snapshot of a network's buffers (BatchNorm's running statistics) as they were after the last good step.

    Args:
        net: the network that is trained.
        kept: where to keep them: the averaged network, whose buffers are these; without one, tensors of its own.
    """

    def __init__(self, net: nn.Module, kept: nn.Module | None = None) -> None:
        buffers = list(net.buffers())
        copies = [buffer.clone() for buffer in buffers] if kept is None else list(kept.buffers())
        # One kind at a time: a list of mixed types is copied tensor by tensor.
        self._pairs = [
            tuple(zip(*((b, c) for b, c in zip(buffers, copies, strict=True) if b.dtype == dtype), strict=True))
            for dtype in {buffer.dtype for buffer in buffers}
        ]
        self.keep()

    @torch.no_grad()
    def keep(self) -> None:
        """Take the buffers of the network as they are now."""
        for buffers, copies in self._pairs:
            torch._foreach_copy_(copies, buffers)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the network's buffers back to what was kept."""
        for buffers, copies in self._pairs:
            torch._foreach_copy_(buffers, copies)


def share_buffers(*networks: nn.Module | None) -> None:
    """Give every process the buffers of the first, which are the ones that are saved."""
    for network in networks:
        for buffer in network.buffers() if network is not None else ():
            torch.distributed.broadcast(buffer, 0)
