"""The images of BasicSR's metric contract, brought to one form and checked."""

from __future__ import annotations

import math

import numpy as np


def to_pair(
    img: np.ndarray, img2: np.ndarray, crop_border: int, input_order: str, data_range: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return both images as float64 HWC in [0, 255], cropped, their channels in the order they came in.

    Args:
        img: (H, W), (H, W, C) or (C, H, W) with C of 1 or 3, in [0, ``data_range``].
        img2: as ``img``, of the same shape.
        crop_border: pixels left out at each edge.
        input_order: 'HWC' or 'CHW'; without effect on (H, W).
        data_range: the largest value that an image can have; None is 255 for uint8 and 1 for floating dtypes.

    Example:
        >>> image = np.full((4, 6, 3), 51, dtype=np.uint8)
        >>> first, second = to_pair(image, image / 255, 1, 'HWC')
        >>> first.shape, bool(np.allclose(first, second))
        ((2, 4, 3), True)

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
    if data_range is not None and (not isinstance(data_range, (int, float)) or not 0 < data_range < math.inf):
        raise ValueError(f'data_range must be the largest value of an image, above 0, got {data_range!r}')
    first, second = (_to_hwc255(image, crop_border, input_order, data_range) for image in (img, img2))
    return first, second


def _to_hwc255(img: np.ndarray, crop_border: int, input_order: str, data_range: float | None) -> np.ndarray:
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
        if data_range not in (None, 255):
            raise ValueError(f'data_range: a uint8 image has 255, got {data_range:g}')
        return img.astype(np.float64)
    if data_range is None and not np.issubdtype(img.dtype, np.floating):
        raise ValueError(
            f'an image is uint8 in [0, 255] or floating in [0, 1], got {img.dtype}; or name its data_range'
        )
    largest, low, high = data_range or 1, img.min(), img.max()
    if not (low >= 0 and high <= largest):
        hint = '; [0, 255] is for uint8 or data_range: 255' if data_range is None else ''
        raise ValueError(f'a floating image lies in [0, {largest:g}], got values from {low:g} to {high:g}{hint}')
    return img.astype(np.float64) * (255 / largest)
