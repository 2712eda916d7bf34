"""The dataset's section of an option file: every key is known and of the right type, or one line says what is not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from s3net_plugin.data.lmdb.folders import database_folders
from s3net_plugin.data.readers import READERS
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.names import suggestion
from s3net_plugin.utils.schema import StockSection, flag

LAYOUTS = {
    'scenes': 'its training folder: Image001_2500_E.png, ... (40 lights a scene) and Image001.npy, ...',
    'pairs': 'its validation or test folders: input/Pair001.png and .npy, guide/ the same, target/Pair001.png',
    'one_to_one': 'its one-to-one folders: input/Image001.png, depth/Image001.npy, target/Image001.png',
}


def _io_backend(value: Any) -> str:
    if not isinstance(value, Mapping) or set(value) != {'type'}:
        raise OptionError('', f'{value!r} is not {{type: NAME}} with one of: {", ".join(READERS)}')
    if value['type'] not in READERS:
        raise OptionError('type', f'{value["type"]!r} is unknown', suggestion(value['type'], READERS))
    return value['type']


def _scenes(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class LoaderOptions(StockSection):
    """What BasicSR's loader reads of every dataset's section; the section's other keys are the dataset's."""

    batch_size_per_gpu: int = Field(1, ge=1, description='a number, at least 1')
    num_worker_per_gpu: int = Field(0, ge=0, description='a number, at least 0')
    dataset_enlarge_ratio: float = Field(1, gt=0, allow_inf_nan=False, description='a number above 0')
    prefetch_mode: Literal['cpu', 'cuda'] | None = None
    num_prefetch_queue: int = Field(1, ge=1, description='a number, at least 1')
    pin_memory: bool | None = flag(False)
    persistent_workers: bool | None = flag(False)


class DatasetOptions(LoaderOptions):
    """The whole section, checked."""

    model_config = ConfigDict(extra='forbid')

    name: str | int | float = Field(description='a name')
    type: str = Field(description='a name')
    phase: Literal['train', 'val', 'test']
    dataroot: Annotated[str, AfterValidator(os.path.expanduser)] = Field(description='the path of a folder')
    layout: Literal['scenes', 'pairs', 'one_to_one']
    io_backend: Annotated[str, BeforeValidator(_io_backend)] = 'disk'
    gt_size: int = Field(0, ge=0, description='a whole number from 0')  # 0: the full frame
    resize: int | None = Field(None, ge=1, description='a whole number from 1')
    use_hflip: bool = flag(False)
    use_shuffle: bool = flag(True)
    scenes: Annotated[tuple[int, int] | None, BeforeValidator(_scenes)] = Field(
        None, description='the first and the last scene number, such as [1, 250]'
    )
    holdout_pairs: float = Field(0, ge=0, lt=1, description='a number from 0 to below 1')
    num_samples: int | None = Field(None, ge=1, description='a whole number from 1')
    scale: int = Field(1, ge=1, description='a whole number from 1')

    @property
    def where(self) -> str:
        """Begins every message about the data."""
        return f'{self.phase} dataset {self.name!r}'

    @model_validator(mode='after')
    def _check_together(self) -> DatasetOptions:
        if self.scale != 1:
            raise OptionError('scale', f'{self.scale}, but relighting keeps the size', 'it must be 1')
        if self.scenes and self.scenes[0] > self.scenes[1]:
            raise OptionError('scenes', f'{list(self.scenes)}, but the first is after the last')
        if self.holdout_pairs and self.layout != 'scenes':
            raise OptionError('holdout_pairs', f'is for layout scenes; in layout {self.layout} the files fix the pairs')
        if self.phase == 'train' and self.num_samples is not None:
            raise OptionError('num_samples', 'bounds a validation or test set', 'leave it out in training')
        if self.phase != 'train' and self.use_hflip:
            raise OptionError('use_hflip', 'is for training only')
        if self.resize is not None and self.gt_size > self.resize:
            raise OptionError('gt_size', f'{self.gt_size}, larger than the images after `resize: {self.resize}`')
        root = Path(self.dataroot)
        if self.io_backend == 'lmdb' or not root.is_dir():
            try:
                folder = database_folders(root)[0]
            except ValueError as error:
                raise OptionError('dataroot', str(error)) from None
            if self.io_backend == 'disk' or not folder.is_dir():
                hint = where_from(self.layout) if folder == root else 'its parts need `io_backend: {type: lmdb}`'
                raise OptionError('dataroot', f'no folder {root}', hint)
        return self


def parse_options(opt: Mapping[str, Any]) -> DatasetOptions:
    """Check a dataset's section as BasicSR hands it over (with ``phase``) and return what the dataset needs.

    An option without a value (``~``) counts as left out.

    Raises:
        OptionError: If an option is unknown, missing, ill-typed, out of range or not for this layout or phase, or if
            ``dataroot`` is no folder. One line: which section, which option, what is wrong, what to write.
    """
    try:
        return DatasetOptions.parse({key: value for key, value in opt.items() if value is not None})
    except OptionError as error:
        raise error.within('', where=f'{opt.get("phase")} dataset {opt.get("name")!r}') from None


def where_from(layout: str) -> str:
    """Return the tail of a message about missing data: where VIDIT comes from and how this layout wants it."""
    return (
        'VIDIT comes from the NTIRE 2021 depth guided relighting challenge (https://github.com/majedelhelou/VIDIT); '
        f'`dataroot` with layout {layout} is {LAYOUTS[layout]}'
    )
