"""Criterion: the losses of a training run, built from its option file, and their gradient."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import nullcontext
from typing import Any

import torch
from basicsr.losses import build_loss
from torch import Tensor, nn

from s3net_plugin.models.precision import Precision, StepStatus
from s3net_plugin.utils import preemption

# What BasicSR calls its two losses in the log; every other `<name>_opt` logs `l_<name>`.
LOG_NAMES = {'pixel_opt': 'l_pix', 'perceptual_opt': 'l_percep'}


class Criterion:
    """Criterion of any number of losses, by their names in the log.

    Args:
        train_opt: the section ``train`` of the option file; each of its keys that ends in ``_opt`` is a loss, and all
            are compiled if it says ``compile``.
        precision: in which a loss computes that says ``follows_autocast``, and the network; all other losses see
            float32 only.
    """

    def __init__(self, train_opt: dict[str, Any], precision: Precision) -> None:
        self._losses = [
            (LOG_NAMES.get(key, f'l_{key.removesuffix("_opt")}'), build_loss(options).to(precision.device))
            for key, options in train_opt.items()
            if key.endswith('_opt') and options
        ]
        if train_opt.get('compile'):
            for _, loss in self._losses:
                loss.compile(dynamic=False)
        self._precision = precision
        self._slices = train_opt.get('accumulate') or 1
        self._channels_last = train_opt.get('channels_last')

    def __call__(self, output: Tensor, target: Tensor) -> OrderedDict[str, Tensor]:
        """Return the weighted value of every loss, as scalars, for two (N, 3, H, W) images in float32.

        Losses that share a name in the log are added up.
        """
        values: OrderedDict[str, Tensor] = OrderedDict()
        for name, loss in self._losses:
            with self._precision.autocast() if getattr(loss, 'follows_autocast', False) else nullcontext():
                found = loss(output, target)
            # BasicSR's perceptual losses: (perceptual, style), either may be None
            pair = found if isinstance(found, tuple) else (found, None)
            for key, value in zip((name, 'l_style'), pair, strict=True):
                if value is not None:
                    values[key] = values[key] + value if key in values else value
        return values

    def backward(
        self, net: nn.Module, lq: Tensor, gt: Tensor, distributed: bool
    ) -> tuple[dict[str, Tensor], StepStatus]:
        """Gradient accumulation: run forward and backward over equal slices of the batch ``lq``, ``gt``.

        Processes exchange gradients on the last slice, and agree on the status while its backward pass runs.

        Returns:
            The mean of every loss over the slices, and the status of the step.
        """
        values: dict[str, Tensor] = {}
        pairs = list(zip(lq.chunk(self._slices), gt.chunk(self._slices), strict=True))
        for i, (x, y) in enumerate(pairs, 1):
            is_last = i == len(pairs)
            with nullcontext() if is_last or not distributed else net.no_sync():  # type: ignore[operator]
                if self._channels_last:
                    x = x.contiguous(memory_format=torch.channels_last)
                with self._precision.autocast():
                    output = net(x)
                losses = self(output.float(), y)
                total = torch.stack(list(losses.values())).sum() / len(pairs)
                for name, value in losses.items():
                    values[name] = values.get(name, 0) + value.detach() / len(pairs)
                if is_last:
                    status = StepStatus(torch.stack(list(values.values())).sum(), preemption.requested(), distributed)
                self._precision.scaler.scale(total).backward()
        return values, status
