"""The section ``datasets``: data sets that can be built, and loaders that can serve them."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from basicsr.utils.registry import DATASET_REGISTRY
from torch.utils.data import Dataset

from s3net_plugin.config.values import (
    check_at_least,
    check_flags,
    check_label,
    is_third_party,
    named,
    registered,
    reject_typos,
    require,
    source_of,
    uses_gpu,
)
from s3net_plugin.data.rgbd_relight_dataset import RGBDRelightPairedDataset
from s3net_plugin.data.sampling import check_batch
from s3net_plugin.utils.errors import OptionError

_LOADER = {'batch_size_per_gpu': 1, 'num_worker_per_gpu': 0}  # smallest values
# What BasicSR reads of every data set, and one that it does not, but has in all its option files.
_KNOWN = {*_LOADER, 'name', 'type', 'io_backend', 'dataset_enlarge_ratio', 'prefetch_mode', 'num_prefetch_queue'}
_KNOWN |= {'pin_memory', 'persistent_workers', 'use_shuffle'}


def build_dataset(phase: str, options: Any, opt: dict[str, Any], is_train: bool, processes: int) -> Dataset | None:
    """Return the data set of a phase as the run will build it; None for one of another package, which may be costly."""
    place = f'datasets:{phase}'
    kinds = ('train', 'val') if is_train else ('val', 'test')
    kind = phase.split('_')[0]
    if kind not in kinds:
        job = 'training' if is_train else 'test'
        raise OptionError(f'{place}: a {job} file has datasets named {" or ".join(kinds)}')
    require(options, ['name', 'type', *(_LOADER if kind == 'train' else [])], place)
    check_label(options['name'], f'{place}:name')
    cls = registered(DATASET_REGISTRY, options['type'], f'{place}:type')
    for name, smallest in {**_LOADER, 'dataset_enlarge_ratio': 1}.items():
        check_at_least(options, name, smallest, 'a number', f'{place}:', needed=name in options)
    _check_prefetching(options, place, on_gpu=uses_gpu(opt))
    if is_third_party(cls):
        return None
    if cls.__module__.startswith('basicsr.'):
        read = re.findall(r"opt(?:\.get\(|\[)'(\w+)'", source_of(cls))
        reject_typos(options, set(read) | _KNOWN, place)
    options = {**options, 'phase': kind, **({'scale': opt['scale']} if 'scale' in opt else {})}
    for name in ('dataroot_gt', 'dataroot_lq'):  # as BasicSR does
        if isinstance(options.get(name), str):
            options[name] = str(Path(options[name]).expanduser())
    with named(place):
        dataset = cls(options)
    if kind == 'train':
        if options['batch_size_per_gpu'] > 1 and isinstance(dataset, RGBDRelightPairedDataset):
            with named(place):
                dataset.check_sizes()
        ratio = options.get('dataset_enlarge_ratio') or 1
        check_batch(len(dataset), math.ceil(len(dataset) * ratio / processes), options['batch_size_per_gpu'])
    return dataset


def _check_prefetching(options: dict[str, Any], place: str, *, on_gpu: bool) -> None:
    check_flags(options, ['pin_memory', 'persistent_workers'], place)
    if options.get('persistent_workers') and not options.get('num_worker_per_gpu'):
        raise OptionError(f'{place}:persistent_workers: there are none with num_worker_per_gpu: 0')
    mode = options.get('prefetch_mode')
    if mode not in (None, 'cpu', 'cuda'):
        raise OptionError(f'{place}:prefetch_mode: {mode!r} is neither cpu nor cuda')
    if mode == 'cuda' and not on_gpu:
        raise OptionError(f'{place}:prefetch_mode: cuda needs a GPU, and this run has none; use cpu or leave it out')
    if mode == 'cuda' and options.get('pin_memory') is not True:
        raise OptionError(f'{place}:prefetch_mode: cuda needs pin_memory: true')
