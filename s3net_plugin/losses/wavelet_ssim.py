"""Wavelet SSIM loss: structural similarity of images and of their wavelet bands."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s3net_plugin.losses.checks import check_images, check_number
from s3net_plugin.losses.ssim import gaussian_taps, ssim_map
from s3net_plugin.losses.wavelet import WaveletFilters, dwt2, minimum_side, wavelet_filters

HAAR = wavelet_filters('haar')


def wavelet_ssim_loss(
    pred: Tensor,
    target: Tensor,
    *,
    levels: int = 2,
    ratio: float = 0.7,
    filters: WaveletFilters = HAAR,
    window_size: int = 11,
) -> Tensor:
    """Wavelet SSIM loss, a scalar computed in fp32 or better: -2 for equal images, larger the less alike they are.

    ``-SSIM - sum_i (m_i (SSIM(LH_i) + SSIM(HL_i)) + h_i SSIM(HH_i)) - l_L SSIM(LL_L)`` with r the ratio, l_0 = 1,
    l_i = l_(i-1) r^2, m_i = l_(i-1) r (1 - r) and h_i = l_(i-1) (1 - r)^2; level i decomposes the LL band of the one
    before (Yang et al., Y-net, arXiv:2003.13912).

    Args:
        pred: images (..., C, H, W) on the scale of [0, 1].
        target: images of the same shape; receives no gradient.
        levels: how often the images are decomposed, L.
        ratio: r in [0, 1]: the weight of low frequencies against high ones, along one axis.
        filters: of an orthogonal wavelet, from ``wavelet_filters(name)``.
        window_size: side of SSIM's Gaussian window, odd.

    Raises:
        ValueError: the shapes differ, are not (..., C, H, W), or a side is below ``minimum_side(filters, levels)``
            (4 for two levels of Haar); the message names both.

    Example:
        >>> image = torch.rand(1, 3, 16, 16)
        >>> round(wavelet_ssim_loss(image, image).item(), 3)
        -2.0
    """
    check_images('wavelet_ssim_loss', pred, target, min_side=minimum_side(filters, levels))
    dtype = torch.promote_types(pred.dtype, torch.float32)
    pred, target = pred.to(dtype), target.detach().to(dtype)
    loss = -ssim_map(pred, target, window_size).mean()
    low = 1.0
    for level in range(1, levels + 1):
        middle, high, low = low * ratio * (1 - ratio), low * (1 - ratio) ** 2, low * ratio**2
        bands, target_bands, weights = dwt2(pred, filters), dwt2(target, filters), (low, middle, middle, high)
        first = 0 if level == levels else 1  # LL itself counts on the last level only
        # All bands of a level go through one call.
        ssim = ssim_map(torch.cat(bands[first:], dim=-3), torch.cat(target_bands[first:], dim=-3), window_size)
        for weight, band in zip(weights[first:], ssim.chunk(4 - first, dim=-3), strict=True):
            loss = loss - weight * band.mean()
        pred, target = bands.ll, target_bands.ll
    return loss


class S3NetWaveletSSIMLoss(nn.Module):
    """Wavelet SSIM loss :func:`wavelet_ssim_loss` times ``loss_weight``, for ``pixel_opt`` of BasicSR's models.

    Args:
        reduction: ``mean``, as BasicSR's option files say; there is no other.
        wavelet: any orthogonal wavelet of PyWavelets.

    Raises:
        ValueError: an option is of the wrong kind or out of range; the message names it.

    Example:
        >>> video = torch.rand(1, 2, 3, 24, 24)  # (N, T, C, H, W), as in BasicSR's video models
        >>> round(S3NetWaveletSSIMLoss(loss_weight=0.5, wavelet='db2')(video, video).item(), 3)
        -1.0
    """

    def __init__(
        self,
        *,
        loss_weight: float = 1.0,
        reduction: str = 'mean',
        levels: int = 2,
        ratio: float = 0.7,
        wavelet: str = 'haar',
        window_size: int = 11,
    ) -> None:
        super().__init__()
        if reduction != 'mean':
            raise ValueError(f"S3NetWaveletSSIMLoss: reduction can only be 'mean', got {reduction!r}")
        self.loss_weight = check_number(self, 'loss_weight', loss_weight)
        self.levels = check_number(self, 'levels', levels, 1, kind=int)
        self.ratio = check_number(self, 'ratio', ratio, 0, 1)
        self.filters = wavelet_filters(wavelet)
        self.window_size = check_number(self, 'window_size', window_size, 3, kind=int)
        gaussian_taps(window_size)  # complains about an even size here, not at the first call

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = wavelet_ssim_loss(
            pred, target, levels=self.levels, ratio=self.ratio, filters=self.filters, window_size=self.window_size
        )
        return self.loss_weight * loss
