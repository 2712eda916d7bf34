"""The traps of BasicSR 1.4.2 that are closed from outside: they are closed, and a mended BasicSR is left alone."""

import sys

import pytest
import torch
from basicsr.models.base_model import BaseModel
from torch import nn

from s3net_plugin import compat


def test_basicsr_can_be_imported():
    module = sys.modules['torchvision.transforms.functional_tensor']
    grey = module.rgb_to_grayscale(torch.ones(3, 2, 2))
    assert grey.shape == (1, 2, 2)


def test_a_second_call_changes_nothing():
    mended = ('model_ema', 'save_network', 'save_training_state', 'load_network')
    before = [getattr(BaseModel, name) for name in mended]
    compat.mend_models()
    assert [getattr(BaseModel, name) for name in mended] == before


def test_a_basicsr_that_copies_buffers_itself_is_left_alone(monkeypatch):
    def model_ema(self, decay=0.999):
        """Averages parameters and copies buffers."""

    monkeypatch.setattr(BaseModel, 'model_ema', model_ema)
    compat.copy_ema_buffers()
    assert BaseModel.model_ema is model_ema


def test_the_average_is_of_parameters_and_buffers_are_copied():
    def network(value):
        net = nn.BatchNorm1d(2)
        for tensor in (*net.parameters(), *net.buffers()):
            tensor.data.fill_(value)
        return net

    model = BaseModel({'num_gpu': 0, 'is_train': True})
    model.net_g, model.net_g_ema = network(3), network(1)
    model.model_ema(0.5)
    assert model.net_g_ema.weight.tolist() == [2, 2]
    assert model.net_g_ema.running_mean.tolist() == [3, 3]
    assert model.net_g_ema.num_batches_tracked == 3


def test_what_asks_for_the_logger_too_early_does_not_cost_the_log_file(monkeypatch, tmp_path):
    from basicsr.utils import get_root_logger, logger

    monkeypatch.setattr(logger, 'initialized_logger', {})
    monkeypatch.setattr(get_root_logger(), 'handlers', [])
    logger.initialized_logger.clear()
    with compat.no_log_file_yet():
        get_root_logger()
    log = get_root_logger(log_file=str(tmp_path / 'train.log'))
    assert [type(handler).__name__ for handler in log.handlers] == ['StreamHandler', 'FileHandler']
    log.handlers[1].close()


@pytest.mark.parametrize(
    ('is_train', 'root', 'other', 'expected'),
    [
        (True, 'experiments_root', 'results_root', 'training_states'),
        (False, 'results_root', 'experiments_root', 'visualization'),
    ],
)
def test_the_roots_in_the_file_are_honoured(tmp_path, monkeypatch, is_train, root, other, expected):
    import basicsr.train
    import yaml

    opt = {'name': 'a', 'num_gpu': 0, 'datasets': {}, 'path': {root: str(tmp_path / 'x'), other: None}, 'logger': {}}
    (tmp_path / 'a.yml').write_text(yaml.safe_dump(opt))
    monkeypatch.setattr(basicsr.train, 'parse_options', basicsr.train.parse_options)
    monkeypatch.setattr(sys, 'argv', ['train.py', '-opt', str(tmp_path / 'a.yml')])
    compat.honour_option_file(opt)
    parsed, _ = basicsr.train.parse_options(str(tmp_path), is_train=is_train)
    assert parsed['path'][root] == parsed['path']['log'] == str(tmp_path / 'x')
    assert parsed['path'][expected] == str(tmp_path / 'x' / expected)
    assert other not in parsed['path']


def test_several_gpus_without_a_launcher_are_one_and_a_line_names_torchrun(tmp_path, monkeypatch, capsys):
    import basicsr.train
    import yaml

    opt = {'name': 'a', 'num_gpu': 4, 'datasets': {}, 'path': {}, 'logger': {}}
    (tmp_path / 'a.yml').write_text(yaml.safe_dump(opt))
    monkeypatch.setattr(basicsr.train, 'parse_options', basicsr.train.parse_options)
    monkeypatch.setattr(sys, 'argv', ['train.py', '-opt', str(tmp_path / 'a.yml')])
    compat.honour_option_file(opt)
    parsed, _ = basicsr.train.parse_options(str(tmp_path))
    assert parsed['num_gpu'] == 1
    assert 'torchrun --nproc_per_node=4 -m s3net_plugin.train' in capsys.readouterr().out
