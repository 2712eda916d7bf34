"""RGB-D relighting samples for BasicSR: an input, a guide and the input's scene under the guide's light."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

from s3net_plugin.data.decode import resize, write_planes
from s3net_plugin.data.options import parse_options
from s3net_plugin.data.readers import READERS
from s3net_plugin.data.sampling import (
    SampleIndex,
    SampleParams,
    fixed_sample_params,
    pick,
    sample_params,
    stratified_indices,
)
from s3net_plugin.data.scene_index import SampleFiles, build_index
from s3net_plugin.utils.errors import DataError
from s3net_plugin.utils.runtime import keep_freed_memory


class RGBDRelightPairedDataset(Dataset):
    """RGB-D images for depth-guided relighting.

    A sample is a dictionary of float32 tensors in [0, 1] and strings:

    * ``lq``: (8, H, W): input RGB, input depth, guide RGB, guide depth; (4, H, W) without a guide.
    * ``gt``: (3, H, W): the input's scene under the guide's light, RGB; absent where there is no target.
    * ``lq_path``, ``gt_path``, ``guide_path``: paths of files, or of a database and the name in it; what does not exist
      is absent. In layout ``scenes`` the base name of ``lq_path`` names input and guide, so that results of different
      samples never share a name.

    Layouts:

    * ``scenes``: VIDIT's training folder: ``ImageNNN_TTTT_D.png`` (temperature in kelvin, direction N, NE, ... NW) and
      ``ImageNNN.npy``. An index is an input image; its target light and its guide, another scene under that light, are
      drawn: afresh in every epoch in training, always the same in validation and test.
    * ``pairs``: input/, guide/ and target/ with ``PairNNN.png`` and a depth map beside input and guide
      (``PairNNN.npy``, ``.exr`` or ``PairNNN_depth.png``). target/ may be missing in a test set.
    * ``one_to_one``: input/, depth/ and target/ with ``ImageNNN.png`` and ``ImageNNN.npy`` (or .png, .exr).

    Training draws depend on (seed, epoch, position in the epoch, index), which ``StatefulDistributedSampler`` hands
    over; with any other sampler they come from Python's ``random``, as in BasicSR's own datasets. A horizontal flip
    mirrors the whole sample, input, guide and target, so light from the east becomes light from the west in all three.

    Args:
        opt: The dataset's section of the option file, with these options and BasicSR's usual ones:
            dataroot: The data's folder.
            layout: ``scenes``, ``pairs`` or ``one_to_one``.
            gt_size: Side of the crop, the same in all images of a sample; 0 (the default) is the full frame.
            resize: Bring every image to this square first, by area; default: keep the size.
            use_hflip: Mirror half of the training samples; default: false.
            io_backend: ``{type: disk}``, or ``{type: lmdb}`` for what ``scripts/prepare_vidit.py`` made.
            scenes: [first, last], the numbers in the names to use; default: all.
            holdout_pairs: Layout ``scenes``: about this fraction of the ordered (input light, target light) pairs is
                never drawn in training, and nothing else in validation and test; default: 0.
            num_samples: Bounds a validation or test set; its samples are spread over the whole.

    Raises:
        ValueError: If an option is unknown or wrong, or ``dataroot`` does not hold the layout. One line.

    Example:
        >>> import pathlib
        >>> import tempfile
        >>> options = {'name': 'tiny', 'type': 'RGBDRelightPairedDataset', 'phase': 'val', 'layout': 'one_to_one'}
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for folder in ('input', 'depth', 'target'):
        ...         pathlib.Path(root, folder).mkdir()
        ...         _ = cv2.imwrite(f'{root}/{folder}/Image001.png', np.zeros((32, 48), np.uint8))
        ...     sample = RGBDRelightPairedDataset({**options, 'dataroot': root})[0]
        >>> sample['lq'].shape, sample['gt'].shape
        (torch.Size([4, 32, 48]), torch.Size([3, 32, 48]))
    """

    def __init__(self, opt: Mapping[str, Any]) -> None:
        self.opt = opt
        self._options = parse_options(opt)
        self._reader = READERS[self._options.io_backend](self._options.dataroot)
        self._index = build_index(self._reader, self._options)
        wanted = self._options.num_samples
        self._chosen = stratified_indices(len(self._index), wanted) if wanted and wanted < len(self._index) else None

    def __len__(self) -> int:
        return len(self._index) if self._chosen is None else len(self._chosen)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor | str]:
        if not 0 <= index < len(self):
            raise IndexError(f'index {index} of {len(self)} samples')
        drawn = self._draw(index)
        files = self._index.files(int(index if self._chosen is None else self._chosen[index]), drawn)
        try:
            return self._load(files, drawn)
        except (ValueError, OSError) as error:
            raise DataError(f'{self._options.where}: {error}') from None

    def check_sizes(self) -> None:
        """Look at the size of every image, which in a batch of full frames must be one.

        Raises:
            ValueError: There are two; it names a file of each.
        """
        if self._options.gt_size or self._options.resize:
            return
        names = [file.name for file in self._index.stored() if not file.is_depth]
        size = self._reader.size(names[0])
        for name in names:
            if self._reader.size(name) != size:
                raise ValueError(
                    f'{self._options.where}: {self._reader.path(name)} has {_size(*self._reader.size(name))} pixels, '
                    f'but {self._reader.path(names[0])} has {_size(*size)}, and a batch needs one size: set `gt_size` '
                    'or `resize`, or `batch_size_per_gpu: 1`'
                )

    def _draw(self, index: int) -> SampleParams:
        if self._options.phase != 'train':
            return fixed_sample_params(int(index))
        if isinstance(index, SampleIndex):
            return sample_params(index.seed, index.epoch, index.number, int(index))
        return SampleParams(*(random.random() for _ in SampleParams._fields))

    def _load(self, files: SampleFiles, drawn: SampleParams) -> dict[str, torch.Tensor | str]:
        if get_worker_info() is not None:
            _settle_in_worker()
        flip = self._options.use_hflip and drawn.flip < 0.5
        image = self._image(files.input)
        height, width = image.shape[:2]
        window = self._window(files.input, height, width, drawn)
        lq = np.empty((4 if files.guide is None else 8, *image[window].shape[:2]), np.float32)
        write_planes(image[window], lq[:3], flip=flip)
        self._write_depth(files.input_depth, height, width, window, lq[3], flip)
        sample: dict[str, torch.Tensor | str] = {'lq': torch.from_numpy(lq), 'lq_path': self._reader.path(files.label)}
        if files.guide is not None and files.guide_depth is not None:
            guide = self._image(files.guide, like=(files.input, height, width))
            write_planes(guide[window], lq[4:7], flip=flip)
            self._write_depth(files.guide_depth, height, width, window, lq[7], flip)
            sample['guide_path'] = self._reader.path(files.guide)
        if files.target is not None:
            target = self._image(files.target, like=(files.input, height, width))
            gt = np.empty((3, *lq.shape[1:]), np.float32)
            write_planes(target[window], gt, flip=flip)
            sample['gt'] = torch.from_numpy(gt)
            sample['gt_path'] = self._reader.path(files.target)
        return sample

    def _image(self, name: str, like: tuple[str, int, int] | None = None) -> np.ndarray:
        image = self._reader.image(name)
        if self._options.resize is not None:
            return resize(image, self._options.resize, self._options.resize)
        if like is not None and image.shape[:2] != like[1:]:
            raise ValueError(
                f'{self._reader.path(name)} has {_size(*image.shape[:2])} pixels, but {self._reader.path(like[0])} has '
                f'{_size(*like[1:])}; bring them to one size with `resize`'
            )
        return image

    def _write_depth(
        self, name: str, height: int, width: int, window: tuple[slice, slice], plane: np.ndarray, flip: bool
    ) -> None:
        depth = resize(self._reader.depth(name), height, width)[window]
        np.clip(depth[:, ::-1] if flip else depth, 0, 1, out=plane)  # resizing can overshoot by a rounding error

    def _window(self, name: str, height: int, width: int, drawn: SampleParams) -> tuple[slice, slice]:
        size = self._options.gt_size
        if size == 0:
            return slice(0, height), slice(0, width)
        if size > min(height, width):
            raise ValueError(
                f'{self._reader.path(name)} has {_size(height, width)} pixels, too small for `gt_size: {size}`'
            )
        top, left = pick(drawn.top, height - size + 1), pick(drawn.left, width - size + 1)
        return slice(top, top + size), slice(left, left + size)


def _size(height: int, width: int) -> str:
    return f'{width} x {height}'


@functools.cache
def _settle_in_worker() -> None:
    """Keep OpenCV to one thread in a loader's worker: the workers are the parallelism, and its pool dies in a fork.

    Keep freed memory as well, up to 256 MiB: new pages for every image take a quarter of the time of a sample from PNG
    files.
    """
    cv2.setNumThreads(0)
    keep_freed_memory(most=256 * 2**20)
