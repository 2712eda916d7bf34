"""The losses of a training run, built from its option file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from basicsr.losses import build_loss
from torch import Tensor

# What BasicSR calls its two losses in the log; every other `<name>_opt` logs `l_<name>`.
LOG_NAMES = {'pixel_opt': 'l_pix', 'perceptual_opt': 'l_percep'}


class Criterion:
    """Any number of losses, by their names in the log.

    Args:
        train_opt: the section ``train`` of the option file; each of its keys that ends in ``_opt`` is a loss, and all
            are compiled if it says ``compile``.
        device: where the losses compute.
        autocast: the context in which a loss computes that says ``follows_autocast``; all others see float32 only.
    """

    def __init__(
        self, train_opt: dict[str, Any], device: torch.device, autocast: Callable[[], AbstractContextManager]
    ) -> None:
        self._losses = [
            (LOG_NAMES.get(key, f'l_{key.removesuffix("_opt")}'), build_loss(options).to(device))
            for key, options in train_opt.items()
            if key.endswith('_opt') and options
        ]
        if train_opt.get('compile'):
            for _, loss in self._losses:
                loss.compile(dynamic=False)
        self._autocast = autocast

    def __call__(self, output: Tensor, target: Tensor) -> OrderedDict[str, Tensor]:
        """Return the weighted value of every loss, as scalars, for two (N, 3, H, W) images in float32.

        Losses that share a name in the log are added up.
        """
        values: OrderedDict[str, Tensor] = OrderedDict()
        for name, loss in self._losses:
            with self._autocast() if getattr(loss, 'follows_autocast', False) else nullcontext():
                found = loss(output, target)
            # BasicSR's perceptual losses: (perceptual, style), either may be None
            pair = found if isinstance(found, tuple) else (found, None)
            for key, value in zip((name, 'l_style'), pair, strict=True):
                if value is not None:
                    values[key] = values[key] + value if key in values else value
        return values
