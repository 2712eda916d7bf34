"""Tileable noise fields in [0, 1] on a square grid: the raw material of the textures."""

from __future__ import annotations

import numpy as np


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres ``(u, v)`` in [0, 1), each (size, size), u along columns and v along rows."""
    centres = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(centres, centres)
    return u, v


def stretch(field: np.ndarray) -> np.ndarray:
    """Map the 1st and 99th percentile of ``field`` to 0 and 1, and clip."""
    low, high = np.percentile(field, (1, 99))
    return np.clip((field - low) / max(high - low, 1e-12), 0.0, 1.0)


def fractal(rng: np.random.Generator, size: int, slope: float = 1.6, stretch_u: float = 1.0) -> np.ndarray:
    """Gaussian noise, (size, size), whose amplitude falls as frequency ** -slope, filtered in the Fourier domain.

    ``stretch_u`` above 1 draws the pattern out along u, as in wood.
    """
    v = np.fft.fftfreq(size)[:, None]
    u = np.fft.rfftfreq(size)[None, :] * stretch_u
    frequency = np.maximum(np.hypot(u, v) * size, 1.0)
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / frequency**slope
    spectrum[0, 0] = 0
    return stretch(np.fft.irfft2(spectrum, s=(size, size)))


def cells(rng: np.random.Generator, size: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voronoi cells of ``count`` x ``count`` jittered points, each result (size, size).

    Returns the distance to the nearest point and to the border of the cell (second minus first distance), both in
    units of the point spacing, and the index of the cell in [0, count ** 2).
    """
    points = rng.uniform(0.1, 0.9, (count, count, 2))
    u, v = grid(size)
    u, v = u * count, v * count
    column, row = u.astype(int), v.astype(int)
    nearest = np.full((size, size), np.inf)
    second = nearest.copy()
    index = np.zeros((size, size), dtype=int)
    for d_row in (-1, 0, 1):
        for d_column in (-1, 0, 1):
            r, c = row + d_row, column + d_column
            point = points[r % count, c % count]
            distance = np.hypot(c + point[..., 0] - u, r + point[..., 1] - v)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            index = np.where(closer, (r % count) * count + c % count, index)
            nearest = np.minimum(nearest, distance)
    return nearest, second - nearest, index


def smoothstep(low: float, high: float, field: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high`` and a cubic ramp between."""
    t = np.clip((field - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)
