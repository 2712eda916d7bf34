"""Copies of a network's tensors that follow it during training, updated in a few launches instead of one a tensor."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Statistics:
    """The buffers of a network (BatchNorm's running statistics) as they were after the last good step.

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


class Average:
    """The exponential moving average of a network's parameters.

    Args:
        averaged: the network that holds the average.
        net: the network that is trained.
    """

    def __init__(self, averaged: nn.Module, net: nn.Module) -> None:
        self._averaged: list[Tensor] = list(averaged.parameters())
        self._parameters: list[Tensor] = list(net.parameters())

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """Set the average to ``decay * average + (1 - decay) * parameters``."""
        torch._foreach_lerp_(self._averaged, self._parameters, 1 - decay)
