"""Shared by all tests: a tiny set of scenes, option files for it, and the real commands in processes of their own."""

import copy
import importlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import yaml

import s3net_plugin  # noqa: F401  (makes BasicSR importable for every test)
from s3net_plugin.rendering.folder import LIGHTS, depth_name, image_name, write_depth, write_png
from s3net_plugin.rendering.layouts import write_one_to_one, write_pairs
from s3net_plugin.rendering.light import encode_srgb, sun_ray, temperature_rgb
from s3net_plugin.utils.runtime import pass_over_imports
from tests.skips import pytest_runtest_makereport  # noqa: F401  (a hook)

pass_over_imports()  # a tenth of the suite's time
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # of a suite in a shell's background, and of all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
RENDERED = ROOT / 'tests/assets/rendered'  # pictures of one scene and one guide, and their depth


@pytest.fixture(scope='session')
def rendered(tmp_path_factory):
    """Three scenes of 32 x 32 pixels in VIDIT's training layout: hills seen from above, shaded by Lambert's law."""
    folder = tmp_path_factory.mktemp('rendered') / 'scenes'
    folder.mkdir()
    for number in range(3):
        rng = np.random.default_rng(number)
        height = cv2.resize(rng.uniform(0, 6, (8, 8)), (32, 32), interpolation=cv2.INTER_CUBIC)
        albedo = cv2.resize(rng.uniform(0.1, 0.8, (8, 8, 3)), (32, 32), interpolation=cv2.INTER_NEAREST)
        down, right = np.gradient(height)
        normal = np.dstack([-right, down, np.ones_like(height)])  # to the right, to the top of the picture, up
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        for kelvin, direction in LIGHTS:
            sun = np.maximum(normal @ -np.array(sun_ray(direction, 40)), 0) + 0.1
            rgb = encode_srgb(0.5 * albedo * sun[..., None] * temperature_rgb(kelvin))
            write_png(folder / image_name(number, (kelvin, direction)), rgb)
        write_depth(folder / depth_name(number), 10 - height)
    return folder


@pytest.fixture
def copied(layouts, tmp_path):
    """Copy a layout to ``set`` in the test's own folder, for the test to damage."""
    return lambda layout: shutil.copytree(layouts[layout], tmp_path / 'set')


@pytest.fixture(scope='session')
def layouts(rendered, tmp_path_factory):
    """Folders by layout; ``no_target`` is ``pairs`` whose targets lie in ``targets``, as in VIDIT's validation set."""
    root = tmp_path_factory.mktemp('layouts')
    write_pairs(rendered, root / 'pairs', numbers=range(3), seed=0)
    write_pairs(rendered, root / 'no_target', numbers=range(3), seed=0)
    (root / 'no_target' / 'target').rename(root / 'targets')
    write_one_to_one(rendered, root / 'one_to_one', numbers=range(3))
    return {'scenes': rendered, **{path.name: path for path in root.iterdir()}}


def tiny_options(rendered):
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


def change(options, changes):
    """Return a copy of options with changes such as ``{'train:total_iter': 3}``; ``...`` removes an option."""
    options = copy.deepcopy(options)
    for place, value in changes.items():
        *sections, name = place.split(':')
        section = options
        for key in sections:
            section = section[key]
        if value is ...:
            section.pop(name)
        else:
            section[name] = copy.deepcopy(value)
    return options


@pytest.fixture
def options(rendered):
    """``tiny_options``, for a test to change."""
    return tiny_options(rendered)


def write_yaml(path, options):
    path.write_text(yaml.safe_dump(options, sort_keys=False))
    return path


@pytest.fixture
def write_options(tmp_path):
    """Write options to a file in the test's own folder and return its path."""
    return lambda options, name='options.yml': write_yaml(tmp_path / name, options)


def run_basicsr(folder, *arguments, timeout=120):
    """Run the ``basicsr`` command in ``folder``; returns the finished process."""
    return subprocess.run(
        [str(Path(sys.executable).with_name('basicsr')), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture
def run_main(monkeypatch):
    """Run a script's ``main`` with arguments; whatever ends it is raised."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, arguments)])
        importlib.import_module(f's3net_plugin.commands.{name}').main()

    return run


@pytest.fixture
def run_script(run_main, capsys):
    """The same; returns its exit status (or last message), output and errors."""

    def run(name, *arguments):
        status = 0
        try:
            run_main(name, *arguments)
        except SystemExit as ended:
            status = ended.code
        return status, *capsys.readouterr()

    return run


class Trained(NamedTuple):
    """A finished training run of ``tiny_options``; tests only read it."""

    result: subprocess.CompletedProcess
    root: Path
    folder: Path


@pytest.fixture(scope='session')
def trained(rendered, tmp_path_factory):
    root = tmp_path_factory.mktemp('trained')
    result = run_basicsr(root, 'train.py', '-opt', write_yaml(root / 'options.yml', tiny_options(rendered)))
    assert result.returncode == 0, result.stderr
    return Trained(result, root, root / 'experiments/tiny')
