"""Testing a set and beginning to train, from the files on: as BasicSR's stock parts do it, and as the commands here."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from basicsr.data import build_dataloader, build_dataset
from basicsr.models import build_model
from torch.utils.data import DataLoader

from s3net_plugin.archs import S3Net
from s3net_plugin.benchmark.data import draws, open_dataset, write_photos
from s3net_plugin.data.lmdb.prepare import prepare
from s3net_plugin.running.pipeline import mended_models

METRICS = {name: {'type': f'calculate_{name}', 'crop_border': 0} for name in ('psnr', 'ssim')}


@functools.lru_cache(maxsize=2)
def scene_files(scenes: int, side: int, *, lmdb: bool = False) -> tempfile.TemporaryDirectory[str]:
    """Make a folder with ``source``, noise as hard to compress as photos, and, if asked for, ``raw``, its LMDB.

    It lives as long as what is returned.
    """
    folder = tempfile.TemporaryDirectory(prefix='benchmark_scenes_')
    source = Path(folder.name, 'source')
    write_photos(source, scenes=scenes, size=side)
    if lmdb:
        prepare(source, source.with_name('raw'), codec='raw', show_progress=False)
    return folder


def test_work(
    model_type: str,
    files: tempfile.TemporaryDirectory[str],
    encoder: str,
    device: torch.device,
    *,
    pictures: int,
    precision: str | None = None,
) -> Callable[[], object]:
    """Return what tests an S3Net as ``basicsr test.py`` does: load it, run it on all pictures, score them, report."""
    weights = Path(files.name, f'{encoder}.pth')
    if not weights.exists():
        torch.save({'params': S3Net(encoder=encoder).state_dict()}, weights)
    dataset = {
        'name': 'benchmark',
        'phase': 'test',
        'type': 'RGBDRelightPairedDataset',
        'layout': 'scenes',
        'dataroot': f'{files.name}/source',
        'num_samples': pictures,
        'io_backend': {'type': 'disk'},
        'batch_size_per_gpu': 4,
    }
    opt: dict[str, Any] = {
        'name': 'benchmark',
        'model_type': model_type,
        'num_gpu': 1 if device.type == 'cuda' else 0,
        'scale': 1,
        'is_train': False,
        'dist': False,
        'rank': 0,
        'world_size': 1,
        'manual_seed': 0,
        'network_g': {'type': 'S3Net', 'encoder': encoder},
        'path': {
            'pretrain_network_g': str(weights),
            'strict_load_g': True,
            'param_key_g': 'params',
            'results_root': files.name,
        },
        'datasets': {'test_1': dataset},
        'val': {'save_img': False, 'pbar': False, 'suffix': None, 'metrics': METRICS},
    }
    if precision:
        opt['val']['precision'] = precision

    mended = mended_models if model_type == 'S3NetModel' else contextlib.nullcontext

    def test() -> None:
        loader = build_dataloader(
            build_dataset(dict(dataset)), dataset, num_gpu=opt['num_gpu'], dist=False, sampler=None, seed=0
        )
        with mended():
            model = build_model({**opt, 'network_g': dict(opt['network_g'])})
            model.validation(loader, current_iter='benchmark', tb_logger=None, save_img=False)

    return test


def first_batch(files: tempfile.TemporaryDirectory[str], reader: str, batch: int) -> dict[str, Any]:
    """Read the index of all ``files`` by ``reader``, as ``open_dataset`` names it, and a batch of them."""
    dataset: Any = open_dataset(reader, Path(files.name), crop=0)
    return next(iter(DataLoader(dataset, batch_size=batch, sampler=draws(len(dataset), batch))))
