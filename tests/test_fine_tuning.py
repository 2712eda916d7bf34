"""Training that starts from safetensors in half precision, by the literal command."""

import os
import shutil

import pytest
import torch
from basicsr.archs import build_network

from s3net_plugin.archs.pretrained import pretrained_path, write_pretrained
from s3net_plugin.running.cli import main
from s3net_plugin.utils.checkpoint import load_weights_only
from tests.conftest import ROOT, change, run_basicsr
from tests.models.commands import Command

NETWORK = {'type': 'ShadingGuidedS3Net', 'encoder': 'resnet10t', 'upsampling': ['pixel_shuffle'] * 4, 'cue_size': 16}
# A learning rate at which no weight moves shows what training started from.
FINE_TUNING = {'network_g': NETWORK, 'train:optim_g:lr': 1e-12, 'val:save_img': False, 'logger:use_tb_logger': False}
STOCK = {'model_type': 'SRModel', 'train:wssim_opt': ...}


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(5)
    net = build_network(dict(NETWORK))
    torch.nn.init.normal_(net.conv_last.weight, 0, 0.01)
    return net


@pytest.fixture
def weights(network, tmp_path):
    """A file of the user's own."""
    path = tmp_path / 'mine.safetensors'
    write_pretrained({'params': network.state_dict(), 'network_g': NETWORK}, path, training={}, scores={})
    return path


def assert_started_from(network, folder):
    """Compare the weights after two iterations with those of the network, rounded to half precision."""
    content = load_weights_only(folder / 'experiments/tiny/models/net_g_2.pth')
    for key in ('params', 'params_ema'):
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(content[key][name], parameter.detach().half().float(), rtol=0, atol=1e-9)


@pytest.mark.parametrize(('model', 'key'), [({}, ...), (STOCK, None), ({}, 'params_ema')])
def test_training_starts_from_a_file_whatever_the_key(model, key, network, weights, options, write_options, tmp_path):
    changes = {**FINE_TUNING, **model, 'path:pretrain_network_g': weights.name, 'path:param_key_g': key}
    options['path']['param_key_g'] = 'params'
    Command(tmp_path, 'train.py', '-opt', write_options(change(options, changes))).succeed()
    assert_started_from(network, tmp_path)


def test_pretrained_is_the_file_in_the_package(network, weights, options, write_options, tmp_path, monkeypatch):
    package = tmp_path / 'site/s3net_plugin'
    shutil.copytree(ROOT / 's3net_plugin', package, ignore=shutil.ignore_patterns('assets'))
    within = package.parent / pretrained_path().relative_to(ROOT)
    within.parent.mkdir()
    weights.rename(within)
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([str(package.parent), str(ROOT)]))
    opt = change(options, {**FINE_TUNING, 'path:pretrain_network_g': 'pretrained'})
    result = run_basicsr(tmp_path, 'train.py', '-opt', write_options(opt))
    assert result.returncode == 0, result.stderr
    assert f'Loading ShadingGuidedS3Net model from {within}.' in result.stderr
    assert_started_from(network, tmp_path)


def test_a_file_of_that_name_comes_first(network, options, write_options, tmp_path):
    torch.save({'params': network.half().float().state_dict(), 'network_g': NETWORK}, tmp_path / 'pretrained')
    opt = change(options, {**FINE_TUNING, 'path:pretrain_network_g': 'pretrained'})
    command = Command(tmp_path, 'train.py', '-opt', write_options(opt)).succeed()
    line = f'path:pretrain_network_g: pretrained is {tmp_path}/pretrained, not the weights in the package\n'
    assert command.output.count(line) == 1
    assert_started_from(network, tmp_path)


def test_a_run_can_be_tested_with_such_a_file(weights, options, write_options, tmp_path):
    test = {key: options[key] for key in ('name', 'scale', 'num_gpu', 'manual_seed')}
    test |= {'model_type': 'SRModel', 'network_g': NETWORK, 'path': {'pretrain_network_g': str(weights)}}
    test |= {'datasets': {'test': options['datasets']['val']}, 'val': {**options['val'], 'suffix': None}}
    command = Command(tmp_path, 'test.py', '-opt', write_options(test)).succeed()
    assert '# psnr:' in command.output


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'network_g:ambient': 0.5}, 'mine.safetensors was trained with another network_g: ambient is {ambient} there'),
        ({'network_g:encoder': 'resnet18'}, 'another network_g: encoder is resnet10t there and resnet18 here'),
        ({'path:pretrain_network_g': 'no.safetensors'}, 'path:pretrain_network_g: no.safetensors: no such file'),
        ({'path:pretrain_network_g': 'torn.safetensors'}, 'torn.safetensors: not a whole checkpoint'),
        ({'datasets:train:gt_size': 32}, 'gt_size: 32 cuts pieces out, but ShadingGuidedS3Net needs whole frames'),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(
    changes, message, network, weights, options, write_options, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'torn.safetensors').write_bytes(weights.read_bytes()[:5000])
    opt = change(options, {**FINE_TUNING, 'path:pretrain_network_g': weights.name, **changes})
    before = {path.name for path in tmp_path.iterdir()} | {'options.yml'}
    assert main(['train.py', '-opt', str(write_options(opt))]) == 2
    error = capsys.readouterr().err
    assert message.format(ambient=network.ambient) in error
    assert error.count('\n') == 1
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize('strict', [True, False])
def test_loading_is_strict_unless_asked_otherwise(strict, network, options, write_options, tmp_path):
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith('conv_last')}
    path = tmp_path / 'part.safetensors'
    write_pretrained({'params': state, 'network_g': NETWORK}, path, training={}, scores={})
    changes = {**FINE_TUNING, 'path:pretrain_network_g': str(path), 'path:strict_load_g': strict}
    command = Command(tmp_path, 'train.py', '-opt', write_options(change(options, changes)))
    assert command.wait() == (2 if strict else 0), command.output
    assert ('does not fit network_g: missing: conv_last.weight' in command.output) == strict
