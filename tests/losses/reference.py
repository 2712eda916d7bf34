"""The reference values, and the images that they were computed from."""

import json

import numpy as np
import torch

from tests.conftest import ROOT

VALUES = json.loads((ROOT / 'tests/assets/losses.json').read_text())


def image_pair(seed, shape, dtype=torch.float32):
    """An image batch of uniform noise in [0, 1] that wants a gradient, and the same with Gaussian noise on top."""
    generator = np.random.RandomState(seed)
    first = generator.random_sample(shape)
    second = np.clip(first + 0.2 * generator.standard_normal(shape), 0, 1)
    pred, target = (torch.from_numpy(image.astype(np.float32)).to(dtype) for image in (first, second))
    return pred.requires_grad_(), target
