"""Where in the data a training run is: BasicSR's pipeline knows it and tells neither its model nor its data set."""

from __future__ import annotations

import math
from typing import Any

import torch


class Progress:
    """The position of the one training run of this process, in draws of the current epoch over all processes."""

    def __init__(self) -> None:
        self.resumed: dict[str, Any] = {}
        self._sampler: Any = None
        self._batch = 0
        self._epoch = -1
        self._draws = 0

    def attach(self, loader: Any, sampler: Any, opt: dict[str, Any]) -> int:
        """Take up a run's loader and sampler, seed them, move them to where a resumed run stopped.

        Returns:
            The number of the last epoch that the run needs to reach ``total_iter``.
        """
        state = self.resumed
        sampler.seed = state.get('manual_seed', opt['manual_seed'])
        # A generator of its own: what the loader draws leaves the state of the global one alone.
        loader.generator = torch.Generator().manual_seed(sampler.seed)
        self._sampler = sampler
        self._batch = loader.batch_size * opt['world_size']
        self._epoch, self._draws = state.get('epoch', 0), state.get('draws', 0)
        if self._draws:
            sampler.resume(self._epoch, self._draws)
        left = int(opt['train']['total_iter']) - state.get('iter', 0)
        return self._epoch + math.ceil((left + self._draws // self._batch) / len(loader)) - 1

    def count_batch(self) -> None:
        """One batch has been used for training."""
        if self._sampler is None:
            return
        if self._sampler.epoch != self._epoch:
            self._epoch, self._draws = self._sampler.epoch, 0
        self._draws += self._batch

    @property
    def epoch(self) -> int:
        """The number of the epoch that the last batch came from."""
        return max(self._epoch, 0)

    def state(self) -> dict[str, int]:
        """What a training state holds, so that the samples already seen in the epoch are not repeated."""
        if self._sampler is None:
            return {}
        return {'draws': self._draws, 'manual_seed': self._sampler.seed}


progress = Progress()
