"""Shared by all tests: a tiny rendered set, option files for it, and the real commands in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import s3net_plugin  # noqa: F401  (makes BasicSR importable for every test)

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='session')
def rendered(tmp_path_factory):
    """Three path-traced scenes of 32 x 32 pixels in VIDIT's training layout."""
    folder = tmp_path_factory.mktemp('rendered') / 'scenes'
    script = ROOT / 'scripts/render_relighting_set.py'
    command = [sys.executable, script, '--output', folder, '--scenes', '3', '--size', '32', '--spp', '1', '--seed', '7']
    subprocess.run([str(part) for part in command], check=True, capture_output=True, cwd=ROOT)
    return folder


@pytest.fixture
def options(rendered):
    """Options of a training run of two iterations on ``rendered``, with the smallest network."""
    common = {'type': 'RGBDRelightPairedDataset', 'layout': 'scenes', 'dataroot': str(rendered)}
    common['io_backend'] = {'type': 'disk'}
    return {
        'name': 'tiny',
        'model_type': 'S3NetModel',
        'scale': 1,
        'num_gpu': 0,
        'manual_seed': 0,
        'datasets': {
            'train': {**common, 'name': 'train', 'num_worker_per_gpu': 0, 'batch_size_per_gpu': 2, 'use_hflip': True},
            'val': {**common, 'name': 'val', 'num_samples': 2},
        },
        'network_g': {'type': 'S3Net', 'encoder': 'resnet10t', 'residual': True},
        'path': {'pretrain_network_g': None, 'strict_load_g': True, 'resume_state': None},
        'train': {
            'ema_decay': 0.5,
            'optim_g': {'type': 'Adam', 'lr': 0.001, 'betas': [0.9, 0.99]},
            'scheduler': {'type': 'MultiStepLR', 'milestones': [100], 'gamma': 0.5},
            'total_iter': 2,
            'pixel_opt': {'type': 'S3NetCharbonnierLoss'},
            'wssim_opt': {'type': 'S3NetWaveletSSIMLoss', 'loss_weight': 0.1},
        },
        'val': {'val_freq': 2, 'save_img': True, 'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}},
        'logger': {'print_freq': 1, 'save_checkpoint_freq': 1, 'use_tb_logger': True},
    }


@pytest.fixture
def write_options(tmp_path):
    """Write options to a file in the test's own folder and return its path."""

    def write(options, name='options.yml'):
        path = tmp_path / name
        path.write_text(yaml.safe_dump(options, sort_keys=False))
        return path

    return write


@pytest.fixture
def basicsr(tmp_path):
    """Run the ``basicsr`` command in the test's own folder; returns the finished process."""
    command = Path(sys.executable).with_name('basicsr')

    def run(*arguments, timeout=120):
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        return subprocess.run(
            [str(command), *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run
