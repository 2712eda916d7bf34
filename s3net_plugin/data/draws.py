"""What chance decides in a sample: pure functions of counters, so that no worker, rank or order has a say."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

_FIXED_SEED = 2021  # validation and test draws; the year of VIDIT's challenge


class SampleParams(NamedTuple):
    """The random numbers of one sample, each uniform in [0, 1)."""

    target_light: float
    guide_scene: float
    top: float
    left: float
    flip: float


def sample_params(seed: int, epoch: int, number: int, index: int) -> SampleParams:
    """Return the random numbers that belong to four counters, all 0 or more.

    Args:
        seed: The run's seed.
        epoch: The pass over the data.
        number: The sample's position in the epoch, over all ranks and repeats.
        index: The sample's index in the dataset.
    """
    return SampleParams(*np.random.default_rng([seed, epoch, number, index]).random(len(SampleParams._fields)).tolist())


def fixed_chances(index: int) -> SampleParams:
    """Return the random numbers of a validation or test sample: always the same for the same index."""
    return sample_params(_FIXED_SEED, 0, 0, index)


def pick(uniform: float, count: int) -> int:
    """Turn a number in [0, 1) into one of ``range(count)``."""
    return int(uniform * count)


def mirrored(light: str) -> str:
    """Return the light that a horizontal flip turns ``light`` into: ``4500_NE`` becomes ``4500_NW``."""
    return light.translate(str.maketrans('EW', 'WE'))


def is_held_out(input_light: str, target_light: str, fraction: float) -> bool:
    """Tell whether an ordered pair of lights is among the ``fraction`` that is kept out of training.

    A hash of the two names decides, so neither the size of the data set nor its other lights matter, and a larger
    fraction holds out the same pairs and more. A pair and its mirror image go together: a flipped training sample
    never shows a pair that is held out.
    """
    pair = f'{input_light}>{target_light}'
    mirror = f'{mirrored(input_light)}>{mirrored(target_light)}'
    digest = hashlib.blake2b(min(pair, mirror).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'big') < fraction * 2**64


def spread(count: int, num_samples: int) -> np.ndarray:
    """Choose ``num_samples`` of ``range(count)``, one from each of as many equal stretches, always the same.

    The place within a stretch varies: equal steps through a set of scenes times lights would meet the same few lights
    again and again.
    """
    edges = np.arange(num_samples + 1) * count // num_samples
    places = np.random.default_rng(_FIXED_SEED).random(num_samples)
    return edges[:-1] + (places * np.diff(edges)).astype(np.int64)
