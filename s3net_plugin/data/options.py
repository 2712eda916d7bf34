"""The dataset's section of an option file: every key is known and of the right type, or one line says what is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from s3net_plugin.data.readers import READERS
from s3net_plugin.utils.names import did_you_mean

LAYOUTS = {
    'scenes': 'its training folder: Image001_2500_E.png, ... (40 lights a scene) and Image001.npy, ...',
    'pairs': 'its validation or test folders: input/Pair001.png and .npy, guide/ the same, target/Pair001.png',
    'one_to_one': 'its one-to-one folders: input/Image001.png, depth/Image001.npy, target/Image001.png',
}
PHASES = ('train', 'val', 'test')

_INTEGERS = {  # option: smallest value
    'gt_size': 0,
    'resize': 1,
    'num_samples': 1,
    'scale': 1,
    'dataset_enlarge_ratio': 1,
    'num_worker_per_gpu': 0,
    'batch_size_per_gpu': 1,
    'num_prefetch_queue': 1,
}
_FLAGS = ('use_hflip', 'use_shuffle', 'pin_memory', 'persistent_workers')
_CHOICES: dict[str, tuple[str, ...]] = {
    'layout': tuple(LAYOUTS),
    'phase': PHASES,
    'prefetch_mode': ('cpu', 'cuda'),
}
_KNOWN = {*_INTEGERS, *_FLAGS, *_CHOICES, 'name', 'type', 'dataroot', 'io_backend', 'scenes', 'holdout_pairs'}


class DatasetOptions(NamedTuple):
    """What the dataset itself needs of its section, checked."""

    where: str  # begins every message
    phase: str
    dataroot: str
    layout: str
    io_backend: str
    gt_size: int  # 0: the full frame
    resize: int | None
    use_hflip: bool
    scenes: tuple[int, int] | None
    holdout_pairs: float
    num_samples: int | None


def parse_options(opt: Mapping[str, Any]) -> DatasetOptions:
    """Check a dataset's section as BasicSR hands it over (with ``phase``) and return what the dataset needs.

    An option without a value (``~``) counts as left out.

    Raises:
        ValueError: If an option is unknown, missing, ill-typed, out of range or not for this layout or phase, or if
            ``dataroot`` is no folder. One line: which section, which option, what is wrong, what to write.
    """
    where = f'{opt.get("phase")} dataset {opt.get("name")!r}'
    try:
        return _parse({key: value for key, value in opt.items() if value is not None}, where)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from None


def _parse(opt: dict[str, Any], where: str) -> DatasetOptions:
    for key in opt:
        if key not in _KNOWN:
            raise ValueError(f'unknown option `{key}`{did_you_mean(key, _KNOWN)}')
    for key in ('name', 'type', 'phase', 'dataroot', 'layout'):
        if key not in opt:
            raise ValueError(f'option `{key}` is missing')
    for key, smallest in _INTEGERS.items():
        if key in opt:
            _check_number(key, opt[key], int, f'a whole number from {smallest}')
            if opt[key] < smallest:
                raise ValueError(f'`{key}` is {opt[key]}, but must be a whole number from {smallest}')
    for key in _FLAGS:
        if not isinstance(opt.get(key, False), bool):
            raise ValueError(f'`{key}` is {opt[key]!r}, but must be true or false')
    for key, choices in _CHOICES.items():
        if key in opt and opt[key] not in choices:
            raise ValueError(f'`{key}` is {opt[key]!r}, which is unknown{did_you_mean(opt[key], choices)}')
    parsed = DatasetOptions(
        where=where,
        phase=opt['phase'],
        dataroot=_parse_dataroot(opt['dataroot'], opt['layout']),
        layout=opt['layout'],
        io_backend=_parse_io_backend(opt.get('io_backend', {'type': 'disk'})),
        gt_size=opt.get('gt_size', 0),
        resize=opt.get('resize'),
        use_hflip=opt.get('use_hflip', False),
        scenes=_parse_scenes(opt['scenes']) if 'scenes' in opt else None,
        holdout_pairs=_parse_fraction('holdout_pairs', opt.get('holdout_pairs', 0)),
        num_samples=opt.get('num_samples'),
    )
    _check_together(parsed, opt.get('scale', 1))
    return parsed


def _check_together(parsed: DatasetOptions, scale: int) -> None:
    if scale != 1:
        raise ValueError(f'`scale` is {scale}, but relighting keeps the size: it must be 1')
    if parsed.holdout_pairs and parsed.layout != 'scenes':
        raise ValueError(f'`holdout_pairs` is for layout scenes; in layout {parsed.layout} the files fix the pairs')
    if parsed.phase == 'train' and parsed.num_samples is not None:
        raise ValueError('`num_samples` bounds a validation or test set; leave it out in training')
    if parsed.phase != 'train' and parsed.use_hflip:
        raise ValueError('`use_hflip` is for training only')
    if parsed.resize is not None and parsed.gt_size > parsed.resize:
        raise ValueError(f'`gt_size` is {parsed.gt_size}, larger than the images after `resize: {parsed.resize}`')


def _check_number(key: str, value: Any, kind: type | tuple[type, ...], wanted: str) -> None:
    if isinstance(value, str):
        raise ValueError(
            f'`{key}` is the text {value!r}, but must be {wanted}; to YAML 1e-3 and 1/8 are text: write 0.001, 0.125'
        )
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ValueError(f'`{key}` is {value!r}, but must be {wanted}')


def _parse_fraction(key: str, value: Any) -> float:
    _check_number(key, value, (int, float), 'a number from 0 to below 1')
    if not 0 <= value < 1:
        raise ValueError(f'`{key}` is {value}, but must be a number from 0 to below 1')
    return float(value)


def _parse_scenes(value: Any) -> tuple[int, int]:
    wanted = 'the first and the last scene number, such as [1, 250]'
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f'`scenes` is {value!r}, but must be {wanted}')
    for number in value:
        _check_number('scenes', number, int, wanted)
    first, last = value
    if first > last:
        raise ValueError(f'`scenes` is {value!r}, but must be {wanted}: the first is after the last')
    return first, last


def _parse_io_backend(value: Any) -> str:
    if not isinstance(value, Mapping) or set(value) != {'type'}:
        raise ValueError(f'`io_backend` is {value!r}, but must be {{type: NAME}} with one of: {", ".join(READERS)}')
    if value['type'] not in READERS:
        raise ValueError(f'`io_backend` has the unknown type {value["type"]!r}{did_you_mean(value["type"], READERS)}')
    return value['type']


def _parse_dataroot(value: Any, layout: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f'`dataroot` is {value!r}, but must be the path of a folder')
    path = Path(value).expanduser()
    if not path.is_dir():
        raise ValueError(f'no folder {path}; {where_from(layout)}')
    return str(path)


def where_from(layout: str) -> str:
    """Return the tail of a message about missing data: where VIDIT comes from and how this layout wants it."""
    return (
        'VIDIT comes from the NTIRE 2021 depth guided relighting challenge (https://github.com/majedelhelou/VIDIT); '
        f'`dataroot` with layout {layout} is {LAYOUTS[layout]}'
    )
