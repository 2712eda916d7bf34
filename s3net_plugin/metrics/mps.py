"""The mean perceptual score by which the relighting challenges ranked their entries."""

from __future__ import annotations

import numpy as np

from s3net_plugin.metrics.lpips import calculate_lpips
from s3net_plugin.metrics.ssim import calculate_relight_ssim


def calculate_mps(
    img: np.ndarray,
    img2: np.ndarray,
    crop_border: int,
    input_order: str = 'HWC',
    mode: str = 'skimage7',
    net: str = 'alex',
    weights: str | None = None,
    device: str | None = None,
    better: str = 'higher',
    data_range: float | None = None,
) -> float:
    """Return MPS = (SSIM + 1 - LPIPS) / 2 (NTIRE 2021 depth guided image relighting challenge); 1 is equal.

    Images and options are those of ``calculate_relight_ssim`` (``mode``) and ``calculate_lpips`` (``net``, ``weights``,
    ``device``), ``data_range`` is that of both, and so are the errors.
    """
    if better != 'higher':
        raise ValueError(f"better: a higher MPS is better, got {better!r}; write 'higher' or leave it out")
    ssim = calculate_relight_ssim(img, img2, crop_border, input_order, mode, data_range=data_range)
    lpips = calculate_lpips(img, img2, crop_border, input_order, net, weights, device, data_range=data_range)
    return (ssim + 1 - lpips) / 2
