"""Structural similarity (SSIM) as a map, differentiable in its first argument."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2


def gaussian_taps(window_size: int) -> tuple[float, ...]:
    """Gaussian window: ``window_size`` taps of a standard deviation of 1.5 pixels, which sum to 1.

    Raises:
        ValueError: ``window_size`` is even.

    Example:
        >>> [round(tap, 2) for tap in gaussian_taps(3)]
        [0.31, 0.38, 0.31]
    """
    if window_size % 2 == 0:
        raise ValueError(f'window_size: SSIM needs an odd number of taps, got {window_size}')
    values = [math.exp(-((k - window_size // 2) ** 2) / (2 * SIGMA**2)) for k in range(window_size)]
    return tuple(value / sum(values) for value in values)


class _Blur(torch.autograd.Function):
    """Separable correlation with a symmetric window of odd size and zero padding.

    It is its own adjoint, so its backward is the same filter again, where autograd would scatter once a tap. Sums of
    shifted images instead of convolutions: on a CPU they are faster than a depthwise convolution even uncompiled, a
    compiler fuses them, their taps are plain numbers that live on no device, and no TF32 rounds them on a GPU.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, taps: tuple[float, ...]) -> Tensor:
        ctx.taps = taps
        # PyTorch 2.11 compiles a Function that works in place into one with wrong gradients, and a compiler has no use
        # for it; without one it saves half the time.
        add = torch.add if torch.compiler.is_compiling() else Tensor.add_
        half = len(taps) // 2
        for dim, padding in ((-2, (0, 0, half, half)), (-1, (half, half, 0, 0))):
            size = images.shape[dim]
            padded = F.pad(images, padding)
            images = taps[0] * padded.narrow(dim, 0, size)
            for k in range(1, len(taps)):
                images = add(images, padded.narrow(dim, k, size), alpha=taps[k])
        return images

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return _Blur.apply(grads[0], ctx.taps), None


def ssim_map(pred: Tensor, target: Tensor, window_size: int = 11) -> Tensor:
    """SSIM map: structural similarity at every pixel of every channel, (..., C, H, W), in fp32 or better.

    Gaussian window with sigma 1.5, zero padding, C1 = 0.01^2, C2 = 0.03^2 (Wang et al., Image quality assessment: from
    error visibility to structural similarity, IEEE TIP 2004).

    Args:
        pred: images (..., C, H, W) on the scale of [0, 1].
        target: images of the same shape; receives no gradient.
        window_size: side of the window, odd.

    Example:
        >>> image = torch.rand(2, 3, 16, 16)
        >>> ssim_map(image, image).shape
        torch.Size([2, 3, 16, 16])
    """
    dtype = torch.promote_types(pred.dtype, torch.float32)
    pred, target = pred.to(dtype), target.detach().to(dtype)
    taps = gaussian_taps(window_size)
    # Both variances only occur in a sum: one blur serves the two.
    moments = torch.cat((pred, pred.square() + target.square(), pred * target), dim=-3)
    mean_pred, mean_squares, mean_product = _Blur.apply(moments, taps).chunk(3, dim=-3)
    mean_target = _Blur.apply(target, taps)
    product = mean_pred * mean_target
    squares = mean_pred.square() + mean_target.square()
    numerator = (2 * product + C1) * (2 * (mean_product - product) + C2)
    return numerator / ((squares + C1) * (mean_squares - squares + C2))
