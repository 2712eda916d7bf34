"""The section ``datasets``: data sets that can be built, and loaders that can serve them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from basicsr.utils.registry import DATASET_REGISTRY
from pydantic import Field
from torch.utils.data import Dataset

from s3net_plugin.config.stock_keys import DATASET, OF_DATASETS, keys_of
from s3net_plugin.config.values import admit, error_context, is_third_party, registered, uses_gpu
from s3net_plugin.data.options import LoaderOptions
from s3net_plugin.data.rgbd_relight_dataset import RGBDRelightPairedDataset
from s3net_plugin.data.sampling import SampleIndex, check_batch
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.files import expand_user
from s3net_plugin.utils.names import suggestion
from s3net_plugin.utils.schema import StockSection, check_section

_NEEDED = {'train': ('batch_size_per_gpu', 'num_worker_per_gpu')}


class _Scale(StockSection):
    """What data sets read at the top of a file; those of other packages may have fractions, or several."""

    scale: float | None = Field(None, ge=1, multiple_of=1, description='a number, at least 1')


def build_dataset(
    phase: str, options: Any, opt: dict[str, Any], is_train: bool, processes: int, unread: list[str]
) -> Dataset | None:
    """Return the data set of a phase as the run will build it; None for one of another package, which may be costly.

    What a data set of BasicSR does not read is added to ``unread``.
    """
    place = f'datasets:{phase}'
    kinds = ('train', 'val') if is_train else ('val', 'test')
    kind = phase.split('_')[0]
    if kind not in kinds:
        raise OptionError(place, f'a {"training" if is_train else "test"} file has datasets named {" or ".join(kinds)}')
    check_section(options, place, ['name', 'type', *_NEEDED.get(kind, ())])
    cls = registered(DATASET_REGISTRY, options['type'], f'{place}:type')
    loader = _check_loader(options, place, is_train=kind == 'train', on_gpu=uses_gpu(opt))
    if is_third_party(cls):
        return None
    _Scale.parse(opt)
    if cls.__module__.startswith('basicsr.'):
        # BasicSR overwrites it with the one at the top of the file, if there is one.
        scale = {'scale'} - opt.keys()
        unread += admit(options, keys_of(OF_DATASETS, cls) | DATASET | scale, place)
    options = {**options, 'phase': kind, **({'scale': opt['scale']} if 'scale' in opt else {})}
    expand_user(options, 'dataroot_gt', 'dataroot_lq')
    with error_context(place):
        try:
            dataset = cls(options)
        except IndexError:
            _complain_of_short_clips(options)
            raise
        except KeyError as error:
            hint = suggestion(error.args[0], options, or_all=False)
            raise OptionError('', f'{error} is missing or unknown', hint) from None
        if kind == 'train' and loader.batch_size_per_gpu > 1 and isinstance(dataset, RGBDRelightPairedDataset):
            dataset.check_sizes()
    if kind == 'train':
        draws = math.ceil(len(dataset) * loader.dataset_enlarge_ratio / processes)
        check_batch(len(dataset), draws, loader.batch_size_per_gpu)
    return dataset


def first_sample(dataset: Any, options: dict[str, Any], place: str) -> Any:
    """Return the first sample: the same for every process, and nothing that a run draws from is moved."""
    with error_context(place):
        if not len(dataset):
            raise ValueError('it holds no sample')
        try:
            return dataset[SampleIndex(0, seed=0, epoch=0, number=0)]
        except IndexError:
            _complain_of_short_clips(options)
            raise


def _complain_of_short_clips(options: dict[str, Any]) -> None:
    """BasicSR's video data sets take neighbours of a frame that a short clip does not have."""
    root, wanted = options.get('dataroot_lq'), options.get('num_frame')
    if isinstance(wanted, int) and isinstance(root, str) and Path(root).is_dir():
        clips = [(sum(1 for _ in path.iterdir()), path.name) for path in Path(root).iterdir() if path.is_dir()]
        frames, name = min(clips, default=(wanted, ''))
        if frames < wanted:
            problem = f'the clip {name} has {frames} frames, fewer than num_frame: {wanted}'
            raise OptionError('', problem, 'use a smaller num_frame, or leave the clip out')


def _check_loader(options: dict[str, Any], place: str, *, is_train: bool, on_gpu: bool) -> LoaderOptions:
    loader = LoaderOptions.parse(options, place)
    if loader.persistent_workers and not loader.num_worker_per_gpu:
        raise OptionError(f'{place}:persistent_workers', 'there are none with num_worker_per_gpu: 0')
    if is_train and loader.prefetch_mode == 'cuda' and not (on_gpu and loader.pin_memory):
        lacks = 'pin_memory: true' if on_gpu else 'a GPU, and this run has none; use cpu or leave it out'
        raise OptionError(f'{place}:prefetch_mode', f'cuda needs {lacks}')
    return loader
