"""SSIM with its window named, since published relighting scores do not say which one they used."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from skimage.metrics import structural_similarity

from s3net_plugin.metrics.images import to_pair
from s3net_plugin.utils.names import did_you_mean


class _Mode(NamedTuple):
    window: int
    options: dict[str, Any]


_MODES = {
    'skimage7': _Mode(7, {'win_size': 7}),
    # sigma 1.5 cut off at 3.5 sigma is the 11 x 11 window of Wang et al.
    'gaussian11': _Mode(11, {'gaussian_weights': True, 'sigma': 1.5, 'use_sample_covariance': False}),
}


def calculate_relight_ssim(
    img: np.ndarray,
    img2: np.ndarray,
    crop_border: int,
    input_order: str = 'HWC',
    mode: str = 'skimage7',
    better: str = 'higher',
    data_range: float | None = None,
) -> float:
    """Return the structural similarity (Wang et al., IEEE TIP 2004), averaged over pixels and channels; 1 is equal.

    Computed by scikit-image on the range [0, 255], on whole windows only: a border of half a window is left out.

    Args:
        img: (H, W, C) or (C, H, W), in [0, ``data_range``].
        img2: the ground truth, as ``img``.
        crop_border: pixels left out at each edge before anything is computed.
        input_order: 'HWC' or 'CHW'.
        mode: 'skimage7', scikit-image's default (7 x 7 uniform window, sample covariance), or 'gaussian11', the paper's
            (11 x 11 Gaussian window, sigma 1.5, population covariance).
        better: taken because BasicSR hands its option ``better`` on to the metric; only 'higher' is right.
        data_range: the largest value that an image can have; None is 255 for uint8 and 1 for floating dtypes.

    Example:
        >>> dark, bright = np.full((2, 16, 16, 3), [[[[40]]], [[[200]]]], dtype=np.uint8)
        >>> round(calculate_relight_ssim(dark, bright, crop_border=0), 4)
        0.3847
        >>> calculate_relight_ssim(dark, dark, crop_border=2, mode='gaussian11')
        1.0

    Raises:
        ValueError: an option is wrong, the images differ in shape or are smaller than the window.
    """
    if mode not in _MODES:
        raise ValueError(f'mode: no SSIM is called {mode!r}{did_you_mean(mode, _MODES)}')
    if better != 'higher':
        raise ValueError(f"better: a higher SSIM is better, got {better!r}; write 'higher' or leave it out")
    first, second = to_pair(img, img2, crop_border, input_order, data_range)
    window, options = _MODES[mode]
    if min(first.shape[:2]) < window:
        height, width = first.shape[:2]
        raise ValueError(
            f'SSIM {mode} needs {window} x {window} pixels at least, got {height} x {width} after cropping'
        )
    return float(structural_similarity(first, second, data_range=255, channel_axis=2, **options))


def describe_ssim(mode: str) -> str:
    """Return the settings of ``calculate_relight_ssim`` in words."""
    return f'SSIM {mode} (scikit-image {version("scikit-image")}), range [0, 255]'
