"""Hands a dataset what BasicSR's sampler keeps to itself: the seed, the epoch and the position in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from typing import cast

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from s3net_plugin.utils.errors import OptionError


class SampleIndex(int):
    """A dataset index that also carries where it stands in the run.

    ``seed`` is the run's, ``epoch`` the pass over the data, ``number`` the position in the epoch over all ranks and
    repeats. To everything else it is a plain index.
    """

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
    """BasicSR's ``EnlargedSampler`` whose indices are ``SampleIndex`` objects, shuffled by seed and epoch.

    Takes its place: same arguments, attributes, ``set_epoch`` and length, and ranks see disjoint draws. Set ``seed``
    before the first epoch; the default is 0.

    Args:
        dataset: The dataset to sample.
        num_replicas: Number of processes (the world size).
        rank: Rank of this process.
        ratio: How often an epoch goes through the dataset (``dataset_enlarge_ratio``); each time with other draws.
    """

    def __init__(self, dataset: Dataset, num_replicas: int, rank: int, ratio: float = 1) -> None:
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self._size = len(cast(Sized, dataset))
        self.num_samples = math.ceil(self._size * ratio / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.epoch = self.seed = 0
        self._resumed_epoch = 0
        self._skip = 0

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def resume(self, epoch: int, skip: int) -> None:
        """Leave out the first ``skip`` draws of ``epoch``, which a run that is continued has seen.

        Args:
            epoch: The epoch in which the run stopped; all others are complete.
            skip: How many draws were used in it, counted over all ranks: iterations times the global batch size.
                The length of the sampler stays that of a complete epoch.

        Raises:
            ValueError: If ``skip`` is not within the epoch.
        """
        if not 0 <= skip <= self.total_size:
            raise ValueError(f'skip is {skip}, outside of the {self.total_size} draws of an epoch')
        self._resumed_epoch, self._skip = epoch, skip

    def __iter__(self) -> Iterator[SampleIndex]:
        seed, epoch = self.seed, self.epoch
        generator = torch.Generator()
        generator.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]))
        order = torch.randperm(self.total_size, generator=generator).remainder_(self._size).numpy()
        start = self._skip if epoch == self._resumed_epoch else 0
        # the same number on every rank, even if the rank count has changed since `skip` was written down
        count = (self.total_size - start) // self.num_replicas
        first = start + self.rank
        numbers = range(first, first + count * self.num_replicas, self.num_replicas)
        return (SampleIndex(int(order[number]), seed, epoch, number) for number in numbers)


def check_batch(samples: int, draws: int, batch_size: int) -> None:
    """Make sure that what a process draws in an epoch of ``samples`` fills one batch, since the last is dropped.

    Raises:
        OptionError: they do not.
    """
    if draws < batch_size:
        raise OptionError(
            f'datasets:train: {samples} samples (enlarged: {draws} a process) do not fill one batch of '
            f'{batch_size}; use a smaller batch_size_per_gpu or a larger dataset_enlarge_ratio'
        )
