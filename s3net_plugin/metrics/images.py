"""The images of BasicSR's metric contract, brought to one form and checked."""

from __future__ import annotations

import numpy as np


def to_pair(img: np.ndarray, img2: np.ndarray, crop_border: int, input_order: str) -> tuple[np.ndarray, np.ndarray]:
    """Return both images as float64 HWC in [0, 255], cropped, their channels in the order they came in.

    Args:
        img: (H, W), (H, W, C) or (C, H, W) with C of 1 or 3; uint8 in [0, 255] or floating in [0, 1], as its dtype is.
        img2: as ``img``, of the same shape.
        crop_border: pixels left out at each edge.
        input_order: 'HWC' or 'CHW'; without effect on (H, W).

    Raises:
        ValueError: the shapes differ or are no images, a dtype or value is not one of the above, an option is wrong, or
            nothing is left after cropping.
    """
    if img.shape != img2.shape:
        raise ValueError(f'the images differ in shape: {img.shape} and {img2.shape}')
    if input_order not in ('HWC', 'CHW'):
        raise ValueError(f"input_order must be 'HWC' or 'CHW', got {input_order!r}")
    if not isinstance(crop_border, int) or isinstance(crop_border, bool) or crop_border < 0:
        raise ValueError(f'crop_border must be a whole number of pixels from 0, got {crop_border!r}')
    return _to_hwc255(img, crop_border, input_order), _to_hwc255(img2, crop_border, input_order)


def _to_hwc255(img: np.ndarray, crop_border: int, input_order: str) -> np.ndarray:
    shape = img.shape
    if img.ndim == 2:
        img = img[..., None]
    elif img.ndim == 3 and input_order == 'CHW':
        img = img.transpose(1, 2, 0)
    if img.ndim != 3 or img.shape[2] not in (1, 3):
        raise ValueError(f'an image of 1 or 3 channels in order {input_order} is wanted, got shape {shape}')
    height, width = img.shape[:2]
    if min(height, width) <= 2 * crop_border:
        raise ValueError(f'nothing is left of an image of shape {shape} after cropping {crop_border} pixels an edge')
    img = img[crop_border : height - crop_border, crop_border : width - crop_border]
    if img.dtype == np.uint8:
        return img.astype(np.float64)
    if not np.issubdtype(img.dtype, np.floating):
        raise ValueError(f'an image is uint8 in [0, 255] or floating in [0, 1], got {img.dtype}')
    low, high = img.min(), img.max()
    if not (low >= 0 and high <= 1):
        raise ValueError(f'a floating image lies in [0, 1], got values from {low:g} to {high:g}; [0, 255] is for uint8')
    return img.astype(np.float64) * 255
