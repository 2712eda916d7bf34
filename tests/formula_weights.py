"""Weights filled by a formula, so that reference values can be rebuilt anywhere without a weight file."""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch


def fill_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Return a state dict with a tensor of each shape, which depends on its name alone; counters come as int64."""
    return {
        name: torch.tensor(_fill(name, tuple(shape)), dtype=torch.int64 if name.endswith('tracked') else torch.float32)
        for name, shape in shapes.items()
    }


def _fill(name: str, shape: tuple[int, ...]) -> np.ndarray:
    generator = np.random.RandomState(zlib.crc32(name.encode()))
    values = np.asarray(generator.standard_normal(shape), dtype=np.float32)
    if name.endswith('num_batches_tracked'):
        return np.zeros_like(values)
    if name.endswith('running_var'):
        return 1 + np.float32(0.1) * np.abs(values)
    if len(shape) == 1 and name.endswith('weight'):
        return 1 + np.float32(0.1) * values
    if name.endswith(('bias', 'running_mean')):
        return np.float32(0.1) * values
    return values * np.float32(math.sqrt(2 / math.prod(shape[1:])))
