"""Pictures for tests."""

import cv2
import numpy as np


def smooth_noise(shape, seed=0):
    """Photo-like RGB, uint8, (height, width, 3)."""
    noise = np.random.default_rng(seed).random((shape[0] // 8 + 2, shape[1] // 8 + 2, 3), dtype=np.float32)
    return np.rint(cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR) * 255).astype(np.uint8)


_y, _x = np.mgrid[:64, :96]
RAMPS = np.dstack([_x * 2, _y * 4, 255 - _x * 2]).astype(np.uint8)  # (64, 96, 3); no symmetry, every level known
