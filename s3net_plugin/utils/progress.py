"""Where in the data a training run is: BasicSR's pipeline knows it and tells neither its model nor its data set."""

from __future__ import annotations

import math
from typing import Any

import torch

from s3net_plugin.utils.distributed import broadcast_object


class Progress:
    """The position of the one training run of this process.

    ``epoch`` is the one that the last batch came from, ``resumed`` the training state that the run goes on from,
    ``validation`` the loaders of the validation sets.
    """

    def __init__(self) -> None:
        self.resumed: dict[str, Any] = {}
        self.validation: list[Any] = []
        self._sampler: Any = None
        self._batch = 0
        self.epoch = 0
        self._draws = 0  # of the epoch, over all processes

    def attach(self, loader: Any, sampler: Any, validation: list[Any], opt: dict[str, Any]) -> int:
        """Take up a run's loaders and sampler, seed them, move them to where a resumed run stopped.

        A resumed run keeps its seed, whatever the option file says by now. It may have another batch size or another
        number of processes than before: what is left of the epoch is shared anew.

        Returns:
            The number of the last epoch that the run needs to reach ``total_iter``.
        """
        state = self.resumed
        # Without manual_seed in the option file every process has drawn its own.
        sampler.seed = broadcast_object(state.get('manual_seed', opt['manual_seed']))
        # A generator of its own: what the loader draws leaves the state of the global one alone.
        loader.generator = torch.Generator().manual_seed(sampler.seed)
        self._sampler, self.validation = sampler, validation
        self._batch = loader.batch_size * sampler.num_replicas
        # A set that has shrunk, or other processes, can make the epoch shorter than it was.
        self.epoch, self._draws = state.get('epoch', 0), min(state.get('draws', 0), sampler.total_size)
        sampler.resume(self.epoch, self._draws)
        left = int(opt['train']['total_iter']) - state.get('iter', 0)
        left_in_epoch = (sampler.total_size - self._draws) // sampler.num_replicas // loader.batch_size
        return self.epoch + max(0, math.ceil((left - left_in_epoch) / len(loader)))

    def count_batch(self) -> None:
        """One batch has been used for training."""
        if self._sampler is None:
            return
        if self._sampler.epoch != self.epoch:
            self.epoch, self._draws = self._sampler.epoch, 0
        self._draws += self._batch

    def state(self) -> dict[str, int]:
        """What a training state holds, so that the samples already seen in the epoch are not repeated."""
        if self._sampler is None:
            return {}
        return {'draws': self._draws, 'manual_seed': self._sampler.seed}


progress = Progress()
