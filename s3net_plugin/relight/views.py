"""What the network sees of photos on disk, with depth from a file or, where there is none, from an estimator."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from s3net_plugin.data.decode import resize
from s3net_plugin.relight.depth_maps import read_depth
from s3net_plugin.relight.photo import Photo, read_photo
from s3net_plugin.relight.profiles import to_srgb
from s3net_plugin.relight.relighter import Relighter, View

Estimate = Callable[[np.ndarray], np.ndarray]


def flat_depth(rgb: np.ndarray) -> np.ndarray:
    """The depth (H, W) of a photo of which none is known: 0, so that only the colour of its light can change."""
    return np.zeros(rgb.shape[:2], np.float32)


class Views:
    """Reads photos and depth maps as ``relighter`` needs them; the guide used last is kept.

    Args:
        relighter: Says how small the network takes photos.
        estimate: Depth (H, W) in [0, 1] of RGB (H, W, 3) in [0, 1]; None if every photo comes with depth.
        max_pixels: The largest photo that is read, beside what the memory bounds.
    """

    def __init__(self, relighter: Relighter, estimate: Estimate | None, *, max_pixels: float = math.inf) -> None:
        self._relighter = relighter
        self._estimate = estimate
        self._max_pixels = max_pixels
        self.guide = lru_cache(maxsize=1)(self._guide)

    def input(self, path: Path, depth_path: Path | None) -> tuple[Photo, View]:
        """Read the photo to be relit."""
        photo = read_photo(path, self._max_pixels)
        small = self._relighter.small_input(photo)
        return photo, self._view(small, photo, path, depth_path)

    def _guide(self, path: Path, depth_path: Path | None) -> View:
        """Read a guide, in sRGB: only its look counts."""
        photo = read_photo(path, self._max_pixels)
        small = self._relighter.small_guide(photo)
        if photo.icc_profile is not None:
            small = to_srgb(np.rint(small * 255).astype(np.uint8), photo.icc_profile) / np.float32(255)
        return self._view(small, photo, path, depth_path)

    def _view(self, small: np.ndarray, photo: Photo, path: Path, depth_path: Path | None) -> View:
        height, width = photo.pixels.shape[:2]
        if depth_path is not None:
            depth = read_depth(depth_path, (height, width))
        elif self._estimate is not None:
            depth = self._estimate(small)
        else:
            raise ValueError(f'{path}: no depth for it; give a depth map, or change the colour only')
        return View(small, resize(depth, *small.shape[:2]))
