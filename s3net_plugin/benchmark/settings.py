"""Where, how large and in what precision everything is measured."""

from __future__ import annotations

from typing import NamedTuple

import torch

from s3net_plugin.archs.deploy import fast_precision

DTYPE_NAMES = {torch.float32: 'float32', torch.bfloat16: 'bfloat16'}


class BenchmarkSettings(NamedTuple):
    """One benchmark.

    Attributes:
        device: where everything runs.
        encoder: of the network, plain and fast.
        dtype: what the fast network computes in, and VGG19 with it; the plain ones are float32.
        pad_channels: whether the fast network is trained with widths that suit tensor cores; for inference it has them.
        compile: whether whatever is fast is compiled.
        inference_side: height and width of the images for inference.
        train_shapes: (batch, side) by the name of each training step.
        loss_shape: (batch, side) for the losses.
        test_shape: (pictures, side) of the set that is tested.
        start_shape: (scenes, side) of the set that training begins on.
        photo_shape: height and width of the photos that are relit.
        precision: what they are relit in; sets are tested and networks trained in it, too.
        rounds: how many samples of each time are taken.
    """

    device: torch.device
    encoder: str
    dtype: torch.dtype
    pad_channels: bool
    compile: bool
    inference_side: int
    train_shapes: dict[str, tuple[int, int]]
    loss_shape: tuple[int, int]
    test_shape: tuple[int, int]
    start_shape: tuple[int, int]
    photo_shape: tuple[int, int]
    precision: str
    rounds: int


def choose_settings(
    device: torch.device,
    *,
    dtype: torch.dtype | None = None,
    compile: bool | None = None,
    rounds: int | None = None,
    quick: bool = False,
) -> BenchmarkSettings:
    """Return what suits ``device``; what is None is chosen for it as well.

    On a GPU: bfloat16 in NHWC, compiled, images of 1024 x 1024. On the CPU: float32, not compiled, images of 256 x 256
    and less. Photos are relit, and sets tested and networks trained once more, in what suits the processor.

    Args:
        quick: a small encoder on small images; tells that everything runs, and nothing about speed.
    """
    cuda = device.type == 'cuda'
    settings = BenchmarkSettings(
        device=device,
        encoder='res2net101d',
        dtype=dtype or (torch.bfloat16 if cuda else torch.float32),
        pad_channels=cuda,
        compile=cuda if compile is None else compile,
        inference_side=1024 if cuda else 256,
        train_shapes={'train_step': (3, 1024), 'train_step_512': (4, 512)} if cuda else {'train_step': (2, 128)},
        loss_shape=(4, 512) if cuda else (2, 256),
        test_shape=(16, 512),
        start_shape=(300, 128),
        photo_shape=(3000, 4000),
        precision=DTYPE_NAMES[dtype or (torch.bfloat16 if cuda else fast_precision(device))],
        rounds=rounds or (2 if quick else 15 if cuda else 9),
    )
    if not quick:
        return settings
    return settings._replace(
        encoder='resnet10t',
        inference_side=32,
        train_shapes={'train_step': (2, 32)},
        loss_shape=(1, 32),
        test_shape=(3, 32),
        start_shape=(3, 32),
        photo_shape=(48, 64),
    )
