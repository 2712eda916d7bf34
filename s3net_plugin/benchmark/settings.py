"""What the benchmark measures, how large, and with which of the options that make things fast."""

from __future__ import annotations

from typing import NamedTuple

import torch

SEED = 0


class Settings(NamedTuple):
    """One benchmark.

    Attributes:
        device: where everything runs.
        encoder: of the network, plain and fast.
        dtype: what the fast network computes in, and VGG19 with it; the plain ones are float32.
        channels_last: whether the fast network is trained in NHWC; for inference it always runs so.
        pad_channels: whether the fast network is trained with widths that suit tensor cores; for inference it has them.
        compile: whether whatever is fast is compiled.
        inference_side: height and width of the images for inference.
        train_shapes: (batch, side) by the name of each training step.
        loss_shape: (batch, side) for the losses.
        rounds: how many samples of each time are taken.
    """

    device: torch.device
    encoder: str
    dtype: torch.dtype
    channels_last: bool
    pad_channels: bool
    compile: bool
    inference_side: int
    train_shapes: dict[str, tuple[int, int]]
    loss_shape: tuple[int, int]
    rounds: int


def choose_settings(
    device: torch.device,
    *,
    dtype: torch.dtype | None = None,
    compile: bool | None = None,
    rounds: int | None = None,
    quick: bool = False,
) -> Settings:
    """Return what suits ``device``; what is None is chosen for it as well.

    On a GPU: bfloat16 in NHWC, compiled, images of 1024 x 1024. On the CPU: float32, not compiled, images of 256 x 256
    and less; there NHWC makes inference faster and training slower.

    Args:
        quick: a small encoder on small images; tells that everything runs, and nothing about speed.
    """
    cuda = device.type == 'cuda'
    settings = Settings(
        device=device,
        encoder='res2net101d',
        dtype=dtype or (torch.bfloat16 if cuda else torch.float32),
        channels_last=cuda,
        pad_channels=cuda,
        compile=cuda if compile is None else compile,
        inference_side=1024 if cuda else 256,
        train_shapes={'train_step': (3, 1024), 'train_step_512': (4, 512)} if cuda else {'train_step': (2, 128)},
        loss_shape=(4, 512) if cuda else (2, 256),
        rounds=rounds or (2 if quick else 15 if cuda else 9),
    )
    if quick:
        small: dict[str, tuple[int, int]] = {'train_step': (2, 32)}
        return settings._replace(encoder='resnet10t', inference_side=32, train_shapes=small, loss_shape=(1, 32))
    return settings
