"""One level of the orthogonal two-dimensional wavelet transform, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pywt
import torch
from torch import Tensor

from s3net_plugin.utils.names import did_you_mean


class WaveletFilters(NamedTuple):
    """Decomposition filters as correlation taps: plain numbers, so no call copies anything to a device."""

    low: tuple[float, ...]
    high: tuple[float, ...]


class WaveletBands(NamedTuple):
    """The four bands of one level, each (..., C, h, w); the first letter is the filter along the height."""

    ll: Tensor
    lh: Tensor
    hl: Tensor
    hh: Tensor


def wavelet_filters(wavelet: str) -> WaveletFilters:
    """Wavelet filters that PyWavelets has under a name, of an orthogonal wavelet: 'haar', 'db2', 'sym4', 'coif1', ...

    Raises:
        ValueError: there is no wavelet of that name, or it is not orthogonal.

    Example:
        >>> len(wavelet_filters('db2').low)
        4
    """
    known = pywt.wavelist(kind='discrete')
    if wavelet not in known:
        raise ValueError(f'wavelet: PyWavelets has no discrete wavelet {wavelet!r}{did_you_mean(wavelet, known)}')
    found = pywt.Wavelet(wavelet)
    if not found.orthogonal:
        raise ValueError(f'wavelet: {wavelet!r} is not orthogonal; haar, db2, sym4 and coif1 are')
    return WaveletFilters(low=tuple(reversed(found.dec_lo)), high=tuple(reversed(found.dec_hi)))


def minimum_side(filters: WaveletFilters, levels: int) -> int:
    """Smallest height or width of which ``levels`` decompositions leave one coefficient.

    Example:
        >>> minimum_side(wavelet_filters('haar'), levels=2)
        4
    """
    side = 1
    for _ in range(levels):
        side = 2 * (side - 1) + len(filters.low)
    return side


def dwt2(images: Tensor, filters: WaveletFilters) -> WaveletBands:
    """Discrete wavelet transform of images (..., C, H, W), one level: orthonormal, stride 2, no padding.

    A coefficient stands where the whole filter lies inside the image. With t taps a side of n pixels becomes
    ``n // 2 - t // 2 + 1`` coefficients, those of ``pywt.dwt2`` that do not depend on how it extends the image. For
    Haar that is ``n // 2``: an odd last row or column is dropped.

    Example:
        >>> dwt2(torch.ones(1, 3, 8, 9), wavelet_filters('haar')).ll.shape
        torch.Size([1, 3, 4, 4])
    """
    low, high = _split(images, filters, dim=-2)
    return WaveletBands(*_split(low, filters, dim=-1), *_split(high, filters, dim=-1))


def _split(images: Tensor, filters: WaveletFilters, dim: int) -> tuple[Tensor, Tensor]:
    """Filter along ``dim``, -2 or -1. Even and odd samples are taken apart once, so their gradients interleave once."""
    half = images.shape[dim] // 2
    size = half - len(filters.low) // 2 + 1
    phases = images.narrow(dim, 0, 2 * half).unflatten(dim, (half, 2)).unbind(dim)
    shifted = [phases[k % 2].narrow(dim, k // 2, size) for k in range(len(filters.low))]
    return _weighted_sum(filters.low, shifted), _weighted_sum(filters.high, shifted)


def _weighted_sum(weights: Sequence[float], images: Sequence[Tensor]) -> Tensor:
    total = weights[0] * images[0]
    for weight, image in zip(weights[1:], images[1:], strict=True):
        total = torch.add(total, image, alpha=weight)
    return total
