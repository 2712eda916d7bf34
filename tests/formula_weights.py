"""Weights filled by a formula, so that reference values can be rebuilt anywhere without a weight file."""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch


def fill(name: str, shape: tuple[int, ...], salt: int = 0) -> np.ndarray:
    """Return the float32 array that the formula gives for the tensor called ``name`` of shape ``shape``."""
    shape = tuple(shape)
    generator = np.random.RandomState((zlib.crc32(name.encode()) + salt) % 2**32)
    values = np.asarray(generator.standard_normal(shape), dtype=np.float32)
    if name.endswith('num_batches_tracked'):
        return np.zeros_like(values)
    if name.endswith('running_var'):
        return 1 + np.float32(0.1) * np.abs(values)
    if name.endswith('running_mean'):
        return np.float32(0.1) * values
    if len(shape) == 1 and name.endswith('weight'):
        return 1 + np.float32(0.1) * values
    if name.endswith('bias'):
        return np.float32(0.1) * values
    return values * np.float32(math.sqrt(2 / math.prod(shape[1:])))


def fill_state_dict(shapes: dict[str, tuple[int, ...]], salt: int = 0) -> dict[str, torch.Tensor]:
    """Return a state dict with ``fill(name, shape, salt)`` for every entry; counters come as int64."""
    return {
        name: torch.tensor(fill(name, shape, salt), dtype=torch.int64 if name.endswith('tracked') else torch.float32)
        for name, shape in shapes.items()
    }
