"""A small network, a small set, and option files of runs that take a second."""

import functools

import pytest
import torch

import tests.conftest
import tests.models.tiny_plugin
from s3net_plugin.models import S3NetModel
from tests.conftest import change, write_yaml
from tests.models.commands import install_plugin
from tests.models.steps import TINY


@pytest.fixture
def compiler_backend(monkeypatch):
    """Choose what ``compile`` runs; without the code generation, which takes a minute, it is there in no time."""
    yield lambda name: monkeypatch.setattr(torch, 'compile', functools.partial(torch.compile, backend=name))
    torch.compiler.reset()


@pytest.fixture(scope='session')
def tiny_options(rendered):
    """Options of a training run of 20 iterations, eight to an epoch, in which all that a run can lose is at work."""
    changes = {
        'model_type': 'RecordingModel',
        'manual_seed': 3,
        'network_g': {'type': 'TinyNet', 'dropout': 0.1},
        'train:total_iter': 20,
        'train:optim_g:lr': 0.01,
        'train:scheduler:milestones': [5],
        'train:wssim_opt': ...,
        'val:val_freq': 4,
        'val:save_img': False,
        'logger:save_checkpoint_freq': 2,
        'logger:use_tb_logger': False,
    }
    changes |= {f'datasets:{phase}:scenes': [0, 1] for phase in ('train', 'val')} | {'datasets:val:num_samples': 3}
    changes |= {'datasets:train:batch_size_per_gpu': 10, 'datasets:train:gt_size': 16}
    return change(tests.conftest.tiny_options(rendered), changes)


@pytest.fixture(scope='session')
def prepare(tiny_options):
    """Make a working directory for commands: an option file, and the plugin as if it had been installed."""

    def write(folder, changes=None):
        install_plugin(folder)
        return write_yaml(folder / 'options.yml', change(tiny_options, changes or {}))

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
