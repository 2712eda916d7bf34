"""Bringing a light change from the size the network works at to the full resolution of the photo.

Resizing the relit picture would cost the photo its detail. Instead the detail that the small picture lost is taken from
the photo and multiplied by how much the network brightened or darkened that place:

    full = up(relit) + up(gain) * (photo - up(small)),    small = down(photo), relit = network(small).

``gain`` is the slope of a guided filter (He et al., TPAMI 2013; upsampled as in He and Sun, "Fast Guided Filter",
2015) that predicts ``relit`` from ``small`` in every window, except that its ridge term pulls towards the ratio of
their means and not towards 0: where a window has no texture to fit, light multiplies the surface.

It is written with OpenCV's box filter because the libraries at hand have no joint upsampling: ``cv2.ximgproc`` is in
another wheel that replaces OpenCV, and Kornia's guided filter takes both pictures in full size.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

RIDGE = 0.01  # the variance of a window, for values in [0, 1], at which fit and ratio weigh the same
DARK = 0.02  # added to both sides of the ratio, so that noise in shadows stays noise
STRIP_ROWS = 16  # what a strip needs stays in a core's cache


def light_gain(small: np.ndarray, relit: np.ndarray) -> np.ndarray:
    """Return the slope of ``relit`` over ``small`` in windows of 3 x 3, channel by channel.

    Args:
        small, relit: (h, w, 3), float32 in [0, 1].

    Returns:
        (h, w, 3), float32.
    """

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(x, -1, (3, 3), borderType=cv2.BORDER_REFLECT)

    mean_small, mean_relit = mean(small), mean(relit)
    covariance = mean(small * relit) - mean_small * mean_relit
    variance = mean(small * small) - mean_small**2
    ratio = (mean_relit + DARK) / (mean_small + DARK)
    return (covariance + RIDGE * ratio) / (variance + RIDGE)


def guided_upsample(photo: np.ndarray, small: np.ndarray, relit: np.ndarray) -> np.ndarray:
    """Light ``photo`` as the network lit its small version.

    It is done in strips, by as many threads as OpenCV takes; beside the photo and the result it needs memory for a few
    dozen rows only.

    Args:
        photo: (H, W, 3), uint8 or uint16.
        small: ``photo`` at the size of ``relit``, (h, w, 3), float32 in [0, 1].
        relit: What the network made of ``small``, (h, w, 3), float32 in [0, 1].

    Returns:
        (H, W, 3) of the type of ``photo``.
    """
    height, width = photo.shape[:2]
    peak = np.float32(np.iinfo(photo.dtype).max)
    maps = (small * peak, light_gain(small, relit), relit * peak)
    result = np.empty_like(photo)

    def light_rows(top: int) -> None:
        rows = slice(top, min(top + STRIP_ROWS, height))
        lit, gain, light = (_upsampled_rows(each, rows, height, width) for each in maps)
        np.subtract(photo[rows], lit, out=lit)
        lit *= gain
        lit += light
        result[rows] = np.rint(np.clip(lit, 0, peak, out=lit), out=lit)

    with ThreadPoolExecutor(max(cv2.getNumThreads(), 1)) as pool:
        list(pool.map(light_rows, range(0, height, STRIP_ROWS)))
    return result


def _upsampled_rows(small: np.ndarray, rows: slice, height: int, width: int) -> np.ndarray:
    """Return ``rows`` of (h, w, 3) resized linearly to (height, width, 3), which never exists as a whole."""
    source = (np.arange(rows.start, rows.stop) + 0.5) * small.shape[0] / height - 0.5
    source = np.clip(source, 0, small.shape[0] - 1)
    above = source.astype(np.intp)
    below = np.minimum(above + 1, small.shape[0] - 1)
    fraction = (source - above).astype(np.float32)[:, None, None]
    strip = small[above] * (1 - fraction) + small[below] * fraction
    return cv2.resize(strip, (width, strip.shape[0]), interpolation=cv2.INTER_LINEAR)
