"""Sampling: which samples a process sees, in which order, and the random numbers of each.

All of it is a function of counters, a counter-based RNG, so that no worker, rank or number of processes has a say.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sized
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from s3net_plugin.utils.distributed import broadcast_object
from s3net_plugin.utils.errors import OptionError

_FIXED_SEED = 2021  # of validation and test; the year of VIDIT's challenge


class SampleParams(NamedTuple):
    """The random numbers of one sample, each uniform in [0, 1)."""

    target_light: float
    guide_scene: float
    top: float
    left: float
    flip: float


def sample_params(seed: int, epoch: int, number: int, index: int) -> SampleParams:
    """Counter-based RNG: return the random numbers that belong to four counters, all 0 or more.

    They are the run's seed, the pass over the data, the sample's position in it over all ranks and repeats, and its
    index in the dataset.

    Example:
        >>> sample_params(0, 0, 5, 3) == sample_params(0, 0, 5, 3)
        True
    """
    return SampleParams(*np.random.default_rng([seed, epoch, number, index]).random(len(SampleParams._fields)).tolist())


def fixed_sample_params(index: int) -> SampleParams:
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


def stratified_indices(count: int, num_samples: int) -> np.ndarray:
    """Stratified sampling: one of each of ``num_samples`` equal stretches of ``range(count)``, always the same.

    The place within a stretch varies: equal steps through a set of scenes times lights would meet the same few lights
    again and again.

    Example:
        >>> (stratified_indices(40, 4) // 10).tolist()
        [0, 1, 2, 3]
    """
    edges = np.arange(num_samples + 1) * count // num_samples
    places = np.random.default_rng(_FIXED_SEED).random(num_samples)
    return edges[:-1] + (places * np.diff(edges)).astype(np.int64)


class SampleIndex(int):
    """A dataset index that also carries the other counters of ``sample_params``; otherwise it is a plain index."""

    seed: int
    epoch: int
    number: int

    def __new__(cls, index: int, seed: int, epoch: int, number: int) -> SampleIndex:
        self = super().__new__(cls, index)
        self.seed, self.epoch, self.number = seed, epoch, number
        return self

    def __reduce__(self) -> tuple:
        return SampleIndex, (int(self), self.seed, self.epoch, self.number)


class StatefulDistributedSampler(Sampler[SampleIndex]):
    """Distributed sampler with a state: shuffles by seed and epoch, and can go on where it was.

    Takes the place of BasicSR's ``EnlargedSampler``: same arguments, attributes and length, and ranks see disjoint
    samples, whose indices are ``SampleIndex`` objects. Set ``seed`` before the first epoch; the default is 0.
    ``position`` counts the samples of the epoch that have been used, over all ranks; whoever uses them calls
    ``advance``, since loaders read ahead.

    An epoch goes ``ratio`` times (``dataset_enlarge_ratio``) through the dataset, each time with other draws.

    Example:
        >>> sampler = StatefulDistributedSampler(range(6), num_replicas=2, rank=0)
        >>> order = list(sampler)
        >>> sampler.advance(2)
        >>> list(sampler) == order[2:]
        True
    """

    def __init__(self, dataset: Dataset, num_replicas: int, rank: int, ratio: float = 1) -> None:
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self._size = len(cast(Sized, dataset))
        self.num_samples = math.ceil(self._size * ratio / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.seed = self.epoch = self.position = 0

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Begin ``epoch``, or go on in it."""
        if epoch != self.epoch:
            self.epoch, self.position = epoch, 0

    def advance(self, samples: int) -> None:
        """Note that every process has used ``samples`` more."""
        self.position += samples * self.num_replicas

    def state_dict(self) -> dict[str, int]:
        return {'seed': self.seed, 'epoch': self.epoch, 'position': self.position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from a state, of which what is missing stays as it is.

        The number of processes may have changed: what is left of the epoch is shared anew.
        """
        self.seed, self.epoch = state.get('seed', self.seed), state.get('epoch', self.epoch)
        # A set that has shrunk, or other processes, can make the epoch shorter than it was.
        self.position = min(state.get('position', self.position), self.total_size)

    def last_epoch(self, iterations: int, batch_size: int) -> int:
        """Return the epoch in which ``iterations`` more batches of ``batch_size``, whole ones only, come to an end."""
        left = (self.total_size - self.position) // self.num_replicas // batch_size
        return self.epoch + max(0, math.ceil((iterations - left) / (self.num_samples // batch_size)))

    def __iter__(self) -> Iterator[SampleIndex]:
        seed, epoch, start = self.seed, self.epoch, self.position
        generator = torch.Generator()
        generator.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]))
        order = torch.randperm(self.total_size, generator=generator).remainder_(self._size).numpy()
        # the same number on every rank, even if the rank count has changed since `position` was written down
        count = (self.total_size - start) // self.num_replicas
        first = start + self.rank
        numbers = range(first, first + count * self.num_replicas, self.num_replicas)
        return (SampleIndex(int(order[number]), seed, epoch, number) for number in numbers)


def resume_sampling(
    loader: DataLoader, sampler: StatefulDistributedSampler, state: Mapping[str, Any] | None, opt: Mapping[str, Any]
) -> int:
    """Seed a training loader and its sampler, and move them to where the run stopped that goes on.

    That run keeps its seed, whatever the option file says by now (in ``manual_seed``, which BasicSR draws where there
    is none). ``state`` is its training state, which may be of a model that does not save its sampler. Returns the
    number of the last epoch that the run needs to reach ``total_iter``.
    """
    state = state or {}
    sampler.seed = broadcast_object(opt['manual_seed'])  # which every process has drawn for itself
    sampler.load_state_dict({'epoch': state.get('epoch', 0), **state.get('sampler', {})})
    # A generator of its own: what the loader draws leaves the state of the global one alone.
    loader.generator = torch.Generator().manual_seed(sampler.seed)
    return sampler.last_epoch(int(opt['train']['total_iter']) - state.get('iter', 0), loader.batch_size or 1)


def check_batch(samples: int, draws: int, batch_size: int) -> None:
    """Raise an OptionError if what a process draws in an epoch does not fill one batch, since the last is dropped."""
    if draws < batch_size:
        raise OptionError(
            f'datasets:train: {samples} samples (enlarged: {draws} a process) do not fill one batch of '
            f'{batch_size}; use a smaller batch_size_per_gpu or a larger dataset_enlarge_ratio'
        )
