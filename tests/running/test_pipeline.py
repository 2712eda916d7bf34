"""What BasicSR's pipelines are handed, and what its stock models are given while a command runs."""

import json
from argparse import Namespace

import pytest
import torch
from basicsr.models.base_model import BaseModel
from torch import nn

from s3net_plugin.running import cli, parse_options, pipeline
from tests.models.commands import Command, launch
from tests.models.conftest import prepare, tiny_options  # noqa: F401  (fixtures)

FLAGS = Namespace(opt='a.yml', launcher='none', auto_resume=False, debug=False)


def complete(opt, is_train=True, **flags):
    given = Namespace(**{**vars(FLAGS), **flags})
    opt = {'name': 'a', 'num_gpu': 0, 'manual_seed': 1, 'datasets': {}, 'path': {}, 'logger': {}, **opt}
    return parse_options.complete_options(opt, given, is_train=is_train)


@pytest.mark.parametrize(
    ('is_train', 'root', 'other', 'within'),
    [
        (True, 'experiments_root', 'results_root', 'training_states'),
        (False, 'results_root', 'experiments_root', 'visualization'),
    ],
)
def test_the_roots_in_the_file_are_honoured(tmp_path, is_train, root, other, within):
    path = complete({'path': {root: str(tmp_path / 'x'), other: None}}, is_train)['path']
    assert path[root] == path['log'] == str(tmp_path / 'x')
    assert path[within] == str(tmp_path / 'x' / within)
    assert other not in path


@pytest.mark.parametrize('is_train', [True, False])
def test_options_are_completed_as_basicsr_does(tmp_path, monkeypatch, is_train):
    """BasicSR's own function, on the same content in a file, is the oracle."""
    from basicsr.utils import options

    opt = {
        **{'name': 'a', 'num_gpu': 0, 'manual_seed': 3, 'scale': 2, 'val': {'val_freq': 100}},
        'datasets': {'train': {'dataroot_gt': '~/gt'}, 'val_1': {'dataroot_lq': None}},
        'path': {'pretrain_network_g': '~/a.pth', 'resume_state': None, 'strict_load_g': True},
        'logger': {'print_freq': 100, 'save_checkpoint_freq': 100},
    }
    (tmp_path / 'a.yml').write_text(json.dumps(opt))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.argv', ['x', '-opt', 'a.yml', '--auto_resume', '--debug'])
    expected, _ = options.parse_options(str(tmp_path), is_train)
    drawn = torch.rand(1)
    assert complete(opt, is_train, auto_resume=True, debug=True) == expected
    assert torch.rand(1) == drawn


@pytest.mark.parametrize(('present', 'named'), [(8, 'nproc_per_node=4 -m s3net_plugin.train -opt a.yml'), (1, 'one.')])
def test_several_gpus_without_a_launcher_are_one_and_a_line_names_torchrun(monkeypatch, capsys, present, named):
    monkeypatch.setattr('torch.cuda.device_count', lambda: present)
    assert complete({'num_gpu': 4})['num_gpu'] == 1
    said = capsys.readouterr().out
    assert said.startswith('4 GPUs and no launcher: using one.') and named in said
    assert ('torchrun' in said) == (present > 1)


@pytest.mark.parametrize('wanted', [0, 'auto'])
def test_a_job_is_joined_with_its_dist_params_whatever_the_launcher(monkeypatch, wanted):
    joined = []
    monkeypatch.setattr(parse_options, 'init_dist', lambda launcher, **options: joined.append((launcher, options)))
    complete({'num_gpu': wanted, 'dist_params': {'backend': None, 'port': 1}}, launcher='pytorch')
    assert joined == [('pytorch', {'backend': None, 'port': 1, 'use_gpus': wanted != 0})]


def test_the_average_is_of_parameters_and_buffers_are_copied():
    def network(value):
        net = nn.BatchNorm1d(2)
        for tensor in (*net.parameters(), *net.buffers()):
            tensor.data.fill_(value)
        return net

    model = BaseModel({'num_gpu': 0, 'is_train': True})
    model.net_g, model.net_g_ema = network(3), network(1)
    pipeline.model_ema(model, 0.5)
    assert model.net_g_ema.weight.tolist() == [2, 2]
    assert model.net_g_ema.running_mean.tolist() == [3, 3]
    assert model.net_g_ema.num_batches_tracked == 3


def test_a_stock_model_is_trained_by_two_processes_without_gpus(prepare, tmp_path):  # noqa: F811
    path = prepare(tmp_path, {'model_type': 'SRModel', 'train:total_iter': 2, 'datasets:train:batch_size_per_gpu': 5})
    for command in launch(tmp_path, 2, 'train', '-opt', path):
        command.succeed()
    assert (tmp_path / 'experiments/tiny/models/net_g_latest.pth').exists()


def test_an_error_of_a_plugin_keeps_its_traceback_in_the_log_file_too(prepare, tmp_path):  # noqa: F811
    command = Command(tmp_path, 'train', '-opt', prepare(tmp_path), READS='missing.txt')
    assert command.wait() == 1
    (log,) = (tmp_path / 'experiments/tiny').glob('train_*.log')
    for text in (command.output, log.read_text()):
        assert 'Traceback' in text
        assert 'tiny_plugin.py' in text
        assert "FileNotFoundError: [Errno 2] No such file or directory: 'missing.txt'" in text


@pytest.mark.parametrize(('module', 'is_one_line'), [('s3net_plugin.x', True), ('basicsr.x', True), ('other', False)])
def test_errors_raised_here_are_one_line(monkeypatch, capsys, module, is_one_line):
    scope = {'__name__': module}
    exec('from pathlib import Path\ndef fail(*_):\n    Path("missing").read_text()', scope)
    monkeypatch.setattr(cli, 'run', scope['fail'])
    if is_one_line:
        assert cli.main(['train']) == 1
        assert capsys.readouterr().err == "basicsr: error: [Errno 2] No such file or directory: 'missing'\n"
    else:
        with pytest.raises(FileNotFoundError):
            cli.main(['train'])
