"""How fast samples come out of each backend, next to reading files in the plainest way."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import PIL
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_tensor

from s3net_plugin.data.lmdb.prepare import prepare
from s3net_plugin.data.readers import DiskReader
from s3net_plugin.data.rgbd_relight_dataset import RGBDRelightPairedDataset
from s3net_plugin.data.sampling import SampleIndex, pick, sample_params
from s3net_plugin.data.scene_index import index_everything
from s3net_plugin.report.table import markdown_table

_LIGHTS = ('2500_N', '3500_E', '4500_S', '5500_SW', '6500_NW', '6500_W')
_WARM_UP = 4
START_METHODS = tuple(name for name in ('fork', 'spawn') if name in multiprocessing.get_all_start_methods())


class PlainDataset(Dataset):
    """The yardstick: Pillow, pickled NumPy files and torchvision, whole images first, the crop afterwards.

    It unpickles without a check: for files of one's own only.
    """

    def __init__(self, root: Path, crop: int) -> None:
        self._root = root
        self._crop = crop
        self._index = index_everything(DiskReader(str(root)), 'scenes')

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, draw: SampleIndex) -> dict[str, torch.Tensor]:
        drawn = sample_params(draw.seed, draw.epoch, draw.number, int(draw))
        files = self._index.files(int(draw), drawn)
        assert files.guide is not None and files.guide_depth is not None and files.target is not None
        planes = [self._rgb(files.input), self._depth(files.input_depth), self._rgb(files.guide)]
        lq, gt = torch.cat([*planes, self._depth(files.guide_depth)]), self._rgb(files.target)
        if self._crop:
            top, left = (pick(place, gt.shape[1] - self._crop + 1) for place in (drawn.top, drawn.left))
            window = slice(None), slice(top, top + self._crop), slice(left, left + self._crop)
            lq, gt = lq[window].contiguous(), gt[window].contiguous()
        return {'lq': lq, 'gt': gt}

    def _rgb(self, name: str) -> torch.Tensor:
        with Image.open(self._root / name) as image:
            return to_tensor(image.convert('RGB'))

    def _depth(self, name: str) -> torch.Tensor:
        return torch.from_numpy(np.load(self._root / name, allow_pickle=True).item()['normalized_depth'])[None]


class _Timed(Dataset):
    """Gives the seconds that a sample takes, of CPU and of the clock, instead of the sample."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __getitem__(self, draw: SampleIndex) -> tuple[float, float]:
        cpu, clock = time.process_time(), time.perf_counter()
        self._dataset[draw]
        return time.process_time() - cpu, time.perf_counter() - clock


def write_photos(folder: Path, *, scenes: int, size: int) -> None:
    """Write scenes in VIDIT's training layout whose images, noise of all scales, are as hard to compress as VIDIT's.

    A 1024 x 1024 image has 1.6 to 2 MB; VIDIT's have 1.5 to 2 MB.
    """
    folder.mkdir(parents=True)
    for scene in range(scenes):
        rng = np.random.default_rng(scene)
        for light in _LIGHTS:
            rgba = np.dstack([noise_photo(rng, size), np.full((size, size), 255, np.uint8)])
            Image.fromarray(rgba).save(folder / f'Image{scene:03d}_{light}.png')  # zlib as most tools use it
        depth = cv2.resize(rng.random((8, 8), np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
        entry = {'normalized_depth': depth, 'ref_center_dis': 1.0}
        np.save(folder / f'Image{scene:03d}.npy', np.array(entry, dtype=object), allow_pickle=True)


def noise_photo(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return noise of all scales, (size, size, 3) uint8; ``size`` is a power of two."""
    image = np.zeros((size, size, 3), np.float32)
    for octave in range(1, size.bit_length()):
        cells = 2**octave
        noise = rng.standard_normal((cells, cells, 1)) + 0.3 * rng.standard_normal((cells, cells, 3))
        image += 0.7**octave * cv2.resize(noise.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.clip(110 + 45 * image / image.std(), 0, 255).astype(np.uint8)


def run_data_benchmark(folder: Path, *, scenes: int, size: int, samples: int) -> dict[str, Any]:
    """Time samples of a synthetic set in one worker process of a ``DataLoader``, without the way back from it.

    Args:
        folder: An existing empty folder for the set, which takes about 70 MB a scene at 1024 x 1024.
        scenes: Scenes of six images.
        size: Side of the images; crops have half of it.
        samples: Samples to time for each line; the result is their median.

    Returns:
        ``machine``; ``rows`` with ``reader``, ``crop`` (0: full frame), ``start``, ``cpu_ms`` and
        ``samples_per_second`` of a worker; ``speedup_over_plain``, ratios of CPU time with the first start method.
    """
    source = folder / 'source'
    write_photos(source, scenes=scenes, size=size)
    for codec in ('png', 'raw'):
        prepare(source, folder / codec, codec=codec, workers=os.cpu_count() or 1, show_progress=False)
    rows: list[dict[str, Any]] = []
    for start in START_METHODS:
        for crop in (0, size // 2):
            for reader in ('plain', 'disk', 'lmdb_png', 'lmdb_raw'):
                cpu, clock = _time(open_dataset(reader, folder, crop), samples, start)
                row = {'reader': reader, 'crop': crop, 'start': start, 'cpu_ms': 1e3 * cpu}
                rows.append({**row, 'samples_per_second': 1 / clock})
    speedups = {
        row['reader'] + (f'_crop{row["crop"]}' if row['crop'] else ''): _times_plain(row, rows)
        for row in rows
        if row['start'] == START_METHODS[0] and row['reader'] != 'plain'
    }
    return {'machine': _machine(), 'size': size, 'rows': rows, 'speedup_over_plain': speedups}


def open_dataset(reader: str, folder: Path, crop: int) -> Dataset:
    """Return the dataset of a line: ``plain`` or ``disk`` of ``folder``/source, ``lmdb_CODEC`` of ``folder``/CODEC."""
    if reader == 'plain':
        return PlainDataset(folder / 'source', crop)
    backend, _, codec = reader.partition('_')
    opt = {'name': reader, 'type': 'RGBDRelightPairedDataset', 'phase': 'train', 'layout': 'scenes', 'gt_size': crop}
    dataroot = str(folder / (codec or 'source'))
    return RGBDRelightPairedDataset({**opt, 'dataroot': dataroot, 'io_backend': {'type': backend}})


def draws(size: int, count: int) -> list[SampleIndex]:
    """Return ``count`` draws from a data set of ``size`` samples, the same for all lines."""
    order = np.random.default_rng(0).integers(size, size=count)
    return [SampleIndex(int(index), seed=0, epoch=0, number=number) for number, index in enumerate(order)]


def _time(dataset: Any, samples: int, start: str) -> tuple[float, float]:
    """Return medians of the CPU seconds and the clock's seconds a sample."""
    sampler = draws(len(dataset), samples + _WARM_UP)
    loader = DataLoader(_Timed(dataset), batch_size=None, sampler=sampler, num_workers=1, multiprocessing_context=start)
    # Ctrl-C reaches all processes of a terminal: the worker inherits that it is ignored, and leaves with this process.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        timed = iter(loader)
    finally:
        signal.signal(signal.SIGINT, previous)
    cpu, clock = zip(*list(timed)[_WARM_UP:], strict=True)
    return statistics.median(cpu), statistics.median(clock)


def describe(result: dict[str, Any]) -> str:
    """Return what ``run_data_benchmark`` found as a table to read on the screen."""
    rows = [
        [
            row['reader'],
            f'crop {row["crop"]}' if row['crop'] else f'{result["size"]}',
            row['start'],
            f'{row["cpu_ms"]:.1f}',
            f'{row["samples_per_second"]:.0f}',
            f'{_times_plain(row, result["rows"]):.1f}',
        ]
        for row in result['rows']
    ]
    head = ('reader', 'frame', 'start', 'CPU ms a sample', 'samples/s of a worker', 'times plain')
    return f'{markdown_table(head, rows)}\n' + ', '.join(f'{key} {value}' for key, value in result['machine'].items())


def _times_plain(row: dict[str, Any], rows: list[dict[str, Any]]) -> float:
    """Return how many times the CPU time of ``row`` the plain one takes of the same frame and start."""
    (plain,) = (r for r in rows if r['reader'] == 'plain' and (r['crop'], r['start']) == (row['crop'], row['start']))
    return plain['cpu_ms'] / row['cpu_ms']


def _machine() -> dict[str, Any]:
    packages = {'torch': torch, 'numpy': np, 'opencv': cv2, 'pillow': PIL, 'lmdb': lmdb}
    versions = {name: package.__version__ for name, package in packages.items()}
    return {'cores': os.cpu_count(), 'processor': platform.machine(), 'python': platform.python_version(), **versions}
