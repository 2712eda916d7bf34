"""The reference values, and the images that they were computed from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

_VALUES = json.loads((Path(__file__).parents[1] / 'assets/losses.json').read_text())


def cases(loss):
    """The recorded cases of ``loss``, as parameters for a test."""
    return [pytest.param(case, id=f'{loss}{number}') for number, case in enumerate(_VALUES[loss])]


def image_pair(seed, shape, dtype=torch.float32):
    """An image batch of uniform noise in [0, 1] that wants a gradient, and the same with Gaussian noise on top."""
    generator = np.random.RandomState(seed)
    first = generator.random_sample(shape)
    second = np.clip(first + 0.2 * generator.standard_normal(shape), 0, 1)
    pred, target = (torch.from_numpy(image.astype(np.float32)).to(dtype) for image in (first, second))
    return pred.requires_grad_(), target


def assert_names_both_shapes(error, first, second):
    assert str(first) in str(error.value)
    assert str(second) in str(error.value)
