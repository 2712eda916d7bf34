"""Training state: what a run that goes on has to know beside its weights, in parts that can be asked for.

A part has ``state_dict``, made of tensors and plain values that a ``weights_only`` reader admits, and
``load_state_dict``.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from basicsr.utils import get_root_logger
from basicsr.utils.dist_util import get_dist_info, master_only

from s3net_plugin.utils.checkpoint import as_yaml, plain
from s3net_plugin.utils.distributed import all_gather_object, broadcast_object
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.files import atomic_write

Results = dict[str, dict[str, dict[str, Any]]]


def by_parts(state: dict[str, Any]) -> dict[str, Any]:
    """Return a training state with the state of every part under its name.

    Version 0.1 had most of their values side by side, which this puts in their places.
    """
    if 'skipped' not in state:
        return state
    sampler = {'seed': state.get('manual_seed'), 'epoch': state['epoch'], 'position': state.get('draws')}
    parts = {
        'signature': state.get('kept_options', {}),
        'nonfinite': {'count': state['skipped']},
        'rng': {'processes': state.get('rng', [])},
        'validation': state.get('best_metric_results', {}),
        'sampler': {name: value for name, value in sampler.items() if value is not None},
    }
    return {**state, **parts}


class StateSignature:
    """Signature of a training state: the options of ``train`` that it is made for, and without which it is of no use.

    Args:
        train_opt: the section, before BasicSR takes out the types.
    """

    def __init__(self, train_opt: Mapping[str, Any]) -> None:
        self._options = {
            'pad_channels': bool(train_opt.get('pad_channels')),  # the optimizer's state is as wide as the network
            'optim_g:type': train_opt['optim_g']['type'],
            'scheduler:type': train_opt['scheduler']['type'],
        }

    def state_dict(self) -> dict[str, Any]:
        return self._options

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Compare with the run before; what its state does not know may be anything.

        Raises:
            OptionError: one of the options is not what it was.
        """
        for name, was in state.items():
            if name in self._options and was != self._options[name]:
                raise OptionError(
                    f'train:{name}: the run that goes on had {as_yaml(was)}, which its training state is made for; set '
                    'it back, or start anew from its weights with path:pretrain_network_g'
                )


class RNGState:
    """RNG state of every process: of Python's, NumPy's and PyTorch's generators, and of that of the GPU in use."""

    def state_dict(self) -> dict[str, Any]:
        """All processes have to call this."""
        version, internal, gauss = random.getstate()
        name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002  (BasicSR seeds this one)
        state = {
            'python': [version, list(internal), gauss],
            'numpy': [str(name), [int(key) for key in keys], int(position), int(has_gauss), float(cached)],
            'torch': torch.get_rng_state(),
            'cuda': torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
        }
        return {'processes': all_gather_object(state)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put all generators back, unless the number of processes has changed; a GPU's where there is one."""
        rank, world_size = get_dist_info()
        if len(state['processes']) != world_size:
            return
        own = state['processes'][rank]
        version, internal, gauss = own['python']
        random.setstate((version, tuple(internal), gauss))
        name, keys, *rest = own['numpy']
        np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
        torch.set_rng_state(own['torch'])
        if own['cuda'] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(own['cuda'])


class ValidationRecord:
    """Record of validations: which iteration every set has seen last, and the best results, also in a small file.

    Validation follows saving, so a training state does not know the validation of its own iteration; the file does.
    ``best`` is BasicSR's ``best_metric_results``: data set -> metric -> better, val, iter.

    Args:
        path: the file.
        datasets: names of the validation sets.
        metrics: the metrics' options.
    """

    def __init__(self, path: Path, datasets: Iterable[str], metrics: dict[str, dict[str, Any]]) -> None:
        self.best: Results = {}
        self._path, self._datasets, self._metrics = path, list(datasets), metrics
        self._iterations: dict[str, int] = {}

    @master_only
    def write(self, dataset: str, iteration: int) -> None:
        """Note that ``dataset`` has been validated, after all that came of it has been saved."""
        self._iterations[dataset] = iteration
        content = {'validated': self._iterations, 'best': plain(self.best)}
        with atomic_write(self._path) as aside:
            aside.write_text(json.dumps(content, indent=2), encoding='utf-8')

    def is_best(self, dataset: str, iteration: int) -> bool:
        """Whether ``dataset`` is the first set and its first metric the best so far at ``iteration``."""
        results = self.best.get(dataset, {}) if dataset == self._datasets[0] else {}
        return bool(results) and next(iter(results.values()))['iter'] == iteration

    def state_dict(self) -> Results:
        return plain(self.best)

    def load_state_dict(self, state: Results) -> None:
        """Go on from a state and the file, of whose results the better count; a damaged file counts as none."""
        self._iterations, noted = broadcast_object(self._load())
        self.best.update(best_of([state, noted], self._datasets, self._metrics))

    def _load(self) -> tuple[dict[str, int], Results]:
        if not self._path.is_file():
            return {}, {}
        try:
            content = json.loads(self._path.read_text(encoding='utf-8'))
            iterations = {name: int(iteration) for name, iteration in content['validated'].items()}
            best = {
                dataset: {
                    metric: {'better': str(result['better']), 'val': float(result['val']), 'iter': int(result['iter'])}
                    for metric, result in results.items()
                }
                for dataset, results in content['best'].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            get_root_logger().warning(f'{self._path}: not a record of validations, ignored')
            return {}, {}
        return iterations, best

    def rewind(self, iteration: int) -> None:
        """Forget validations after ``iteration``, from which the run goes on."""
        self._iterations = {name: min(last, iteration) for name, last in self._iterations.items()}

    def lacks(self, dataset: str, iteration: int) -> bool:
        """Whether ``dataset`` has not been validated at ``iteration`` or later."""
        return self._iterations.get(dataset, -1) < iteration


def best_of(records: Iterable[Results], datasets: Iterable[str], metrics: dict[str, dict[str, Any]]) -> Results:
    """Merge several of BasicSR's ``best_metric_results`` (data set -> metric -> better, val, iter).

    Data sets and metrics may have come and gone since they were written: only the given ones are taken over, and a
    metric that is new to a known data set starts without a result.

    Args:
        records: the results to merge; the best of each metric counts.
        datasets: names of the validation sets.
        metrics: the metrics' options; ``better`` is ``higher`` unless given.
    """
    records = list(records)
    merged: Results = {}
    for name in datasets:
        known = [record[name] for record in records if name in record]
        if known:
            merged[name] = {
                metric: _best([results[metric] for results in known if metric in results], opt.get('better', 'higher'))
                for metric, opt in metrics.items()
            }
    return merged


def _best(results: list[dict[str, Any]], better: str) -> dict[str, Any]:
    sign = 1 if better == 'higher' else -1
    comparable = [result for result in results if result['better'] == better]
    nothing = {'better': better, 'val': -sign * math.inf, 'iter': -1}
    return max(comparable, key=lambda result: sign * result['val'], default=nothing)


# Where a scheduler is; all else about it is what the option file says.
_POSITION = ('last_epoch', '_step_count', '_last_lr')


def override_hyperparameters(
    state: dict[str, Any], optimizers: Iterable[torch.optim.Optimizer], schedulers: Iterable[Any]
) -> None:
    """Let a training state have the options that optimizers and schedulers are built with now, changed or not.

    PyTorch takes them all from the state, against the option file; ``fused`` and the like even against what GradScaler
    takes from the optimizer. A learning rate that has decayed keeps its share of the initial one. The log says what has
    changed.

    Raises:
        OptionError: the state is for another network.
    """
    changes = []
    for saved, optimizer in zip(state['optimizers'], optimizers, strict=True):
        for old, new in zip(saved['param_groups'], optimizer.param_groups, strict=True):
            if len(old['params']) != len(new['params']):
                raise OptionError('network_g: the training state is for a network with other parameters; set it back')
            was, wanted = old.get('initial_lr', new['initial_lr']), new['initial_lr']
            changes += _changes({'lr': was}, {'lr': wanted})
            if was and was != wanted:
                old.update(lr=old['lr'] * wanted / was, initial_lr=wanted)
            options = {name: value for name, value in new.items() if name not in ('params', 'lr', 'initial_lr')}
            changes += _changes(old, options)
            old.update(options)
    for saved, scheduler in zip(state['schedulers'], schedulers, strict=True):
        options = {name: value for name, value in scheduler.state_dict().items() if name not in _POSITION}
        hidden = ('base_lrs', 'cumulative_period')  # which follow from others
        changes += _changes(saved, {k: v for k, v in options.items() if k not in hidden and not k.startswith('_')})
        saved.update(options)
    if changes:
        get_root_logger().info(f'Changed since the training state was saved: {", ".join(sorted(changes))}.')


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    def plain(value: Any) -> Any:
        if isinstance(value, Counter):  # BasicSR's milestones
            return sorted(value.elements())
        return list(value) if isinstance(value, (list, tuple)) else value

    pairs = {name: (plain(old.get(name)), plain(value)) for name, value in new.items()}
    return [f'{name} {was} -> {now}' for name, (was, now) in pairs.items() if was != now]


@torch.no_grad()
def match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Lay out an optimizer's state in memory as its parameters are, which ``channels_last`` may have changed.

    Fused optimizers go through both in the order of memory: with another layout they mix up the elements.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if torch.is_tensor(value) and value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
