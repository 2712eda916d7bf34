"""A small network, a small set, and option files of runs that take a second."""

import pytest
import torch
import yaml

import tests.models.tiny_plugin  # noqa: F401  (registers the network, the model and the loss)
from s3net_plugin.models import S3NetModel
from tests.conftest import change
from tests.models.steps import TINY

PLUGINS = '[basicsr.plugins]\ntiny = tests.models.tiny_plugin\n'


@pytest.fixture
def compiler_backend():
    """Choose what ``compile`` runs; without the code generation, which takes a minute, it is there in no time."""
    yield torch.compiler.set_default_backend
    torch.compiler.set_default_backend('inductor')
    torch.compiler.reset()


@pytest.fixture(scope='session')
def tiny_options(rendered):
    """Options of a training run of 20 iterations, eight to an epoch, in which all that a run can lose is at work."""
    common = {'type': 'RGBDRelightPairedDataset', 'layout': 'scenes', 'dataroot': str(rendered), 'scenes': [0, 1]}
    common['io_backend'] = {'type': 'disk'}
    loader = {'num_worker_per_gpu': 0, 'batch_size_per_gpu': 10}
    return {
        'name': 'tiny',
        'model_type': 'RecordingModel',
        'scale': 1,
        'num_gpu': 0,
        'manual_seed': 3,
        'datasets': {
            'train': {**common, **loader, 'name': 'train', 'gt_size': 16, 'use_hflip': True},
            'val': {**common, 'name': 'val', 'num_samples': 3},
        },
        'network_g': {'type': 'TinyNet', 'dropout': 0.1},
        'path': {'pretrain_network_g': None, 'strict_load_g': True, 'resume_state': None},
        'train': {
            'ema_decay': 0.5,
            'optim_g': {'type': 'Adam', 'lr': 0.01, 'betas': [0.9, 0.99]},
            'scheduler': {'type': 'MultiStepLR', 'milestones': [5], 'gamma': 0.5},
            'total_iter': 20,
            'pixel_opt': {'type': 'S3NetCharbonnierLoss'},
        },
        'val': {'val_freq': 4, 'save_img': False, 'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}},
        'logger': {'print_freq': 1, 'save_checkpoint_freq': 2, 'use_tb_logger': False},
    }


@pytest.fixture(scope='session')
def prepare(tiny_options):
    """Make a working directory for commands: an option file, and the plugin as if it had been installed."""

    def write(folder, changes=None):
        installed = folder / 'tiny_plugin-0.dist-info'
        installed.mkdir(parents=True, exist_ok=True)
        (installed / 'METADATA').write_text('Metadata-Version: 2.1\nName: tiny-plugin\nVersion: 0\n')
        (installed / 'entry_points.txt').write_text(PLUGINS)
        path = folder / 'options.yml'
        path.write_text(yaml.safe_dump(change(tiny_options, changes or {}), sort_keys=False))
        return path

    return write


@pytest.fixture
def build(tiny_options, tmp_path):
    """Build the model of an option file as BasicSR does."""

    def model(changes=None, *, network=TINY, seed=0):
        opt = change(tiny_options, {'network_g': dict(network), **(changes or {})})
        opt |= {'is_train': True, 'dist': False, 'rank': 0, 'world_size': 1}
        for name in ('models', 'training_states', 'experiments_root'):
            opt['path'][name] = str(tmp_path / name)
            (tmp_path / name).mkdir(exist_ok=True)
        torch.manual_seed(seed)
        return S3NetModel(opt)

    yield model
    torch.backends.cudnn.benchmark = False
