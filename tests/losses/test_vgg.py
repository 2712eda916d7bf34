import logging
import pickle
import socket
import time
import urllib.request
from pathlib import Path

import pytest
import torch

from s3net_plugin.losses import VGG19Features
from s3net_plugin.losses.vgg import vgg19_weights

WANTED = {'features.0.weight': torch.empty(64, 3, 3, 3), 'features.0.bias': torch.empty(64)}


def test_depth_is_what_the_last_layer_needs():
    assert len(VGG19Features(['relu3_1', 'conv1_2'], 'random').features) == 12
    assert len(VGG19Features(['conv1_1'], 'random').features) == 1


def test_parameters_are_frozen_fp32_and_hold_no_buffers(vgg_file, vgg_state):
    vgg = VGG19Features(['relu3_1'], vgg_file)
    assert vgg.state_dict().keys() == vgg_state.keys()
    for name, value in vgg.named_parameters():
        assert not value.requires_grad
        assert torch.equal(value, vgg_state[name])


@pytest.mark.parametrize('kind', ['whole network', 'features only', 'names without prefix'])
def test_spellings_of_a_state_dict_are_read(kind, tmp_path, vgg_state):
    content = dict(vgg_state)
    if kind == 'whole network':
        content['classifier.0.weight'] = torch.zeros(4, 4)
    elif kind == 'names without prefix':
        content = {name.removeprefix('features.'): value for name, value in content.items()}
    torch.save(content, tmp_path / 'vgg.pth')
    found = vgg19_weights(str(tmp_path / 'vgg.pth'), WANTED)
    assert found.keys() == WANTED.keys()
    assert all(torch.equal(found[name], vgg_state[name]) for name in WANTED)


def test_missing_and_misshaped_tensors_are_all_named(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'features.0.weight': torch.zeros(8, 3, 3, 3)}, path)
    with pytest.raises(ValueError, match='no VGG19 state dict') as error:
        vgg19_weights(str(path), WANTED)
    assert str(error.value).startswith(f'weights: {path} is no VGG19')
    misfit = 'missing: features.0.bias; shapes: features.0.weight is (8, 3, 3, 3) and should be (64, 3, 3, 3)'
    assert str(error.value).endswith(misfit)


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


def test_hostile_file_is_refused_and_runs_nothing(tmp_path):
    path, trace = tmp_path / 'hostile.pth', tmp_path / 'trace'
    path.write_bytes(pickle.dumps({'features.0.weight': Payload(str(trace))}, protocol=2))
    with pytest.raises(ValueError, match=r'hostile\.pth'):
        vgg19_weights(str(path), WANTED)
    assert not trace.exists()


def test_truncated_file_is_named(tmp_path, vgg_file):
    path = tmp_path / 'torn.pth'
    path.write_bytes(Path(vgg_file).read_bytes()[:5000])
    with pytest.raises(ValueError, match=r'torn\.pth'):
        vgg19_weights(str(path), WANTED)


def test_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"'imagnet' is no file .*did you mean 'imagenet'"):
        vgg19_weights('imagnet', WANTED)


class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


def test_random_weights_are_seeded_warn_and_leave_the_global_generator_alone():
    logger, records = logging.getLogger('basicsr'), Records()
    logger.addHandler(records)
    try:
        before = torch.get_rng_state()
        first = VGG19Features(['relu2_1'], 'random').state_dict()
        assert torch.equal(torch.get_rng_state(), before)
        torch.rand(3)
        second = VGG19Features(['relu2_1'], 'random').state_dict()
    finally:
        logger.removeHandler(records)
    assert all(torch.equal(first[name], second[name]) for name in first)
    weight = first['features.2.weight']
    assert weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert [record.levelname for record in records.records] == ['WARNING', 'WARNING']
    assert 'random' in records.records[0].getMessage()


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    return tmp_path / 'hub/checkpoints/vgg19-dcbb9e9d.pth'


@pytest.fixture
def use_proxy(monkeypatch):
    def use(server):
        host, port = server.getsockname()
        monkeypatch.setenv('https_proxy', f'http://{host}:{port}')
        monkeypatch.setenv('no_proxy', '')
        urllib.request.install_opener(None)  # urllib keeps the proxies that it saw first

    yield use
    urllib.request.install_opener(None)


def test_imagenet_comes_from_torchvisions_cache(empty_cache, vgg_state):
    empty_cache.parent.mkdir(parents=True)
    torch.save(vgg_state, empty_cache)
    found = vgg19_weights('imagenet', WANTED)
    assert torch.equal(found['features.0.weight'], vgg_state['features.0.weight'])


def test_no_connection_is_one_line_that_says_what_to_do(empty_cache, use_proxy):
    with socket.create_server(('127.0.0.1', 0)) as closed:
        use_proxy(closed)
    with pytest.raises(FileNotFoundError, match='cannot download VGG19') as error:
        vgg19_weights('imagenet', WANTED)
    message = str(error.value)
    assert str(empty_cache) in message
    assert 'https://download.pytorch.org/models/vgg19-dcbb9e9d.pth' in message
    assert '\n' not in message
    assert not empty_cache.exists()


def test_silent_network_is_given_up_within_five_seconds(empty_cache, use_proxy):
    with socket.create_server(('127.0.0.1', 0)) as silent:
        use_proxy(silent)
        start = time.monotonic()
        with pytest.raises(FileNotFoundError, match=r'timed out|no answer in 3 seconds'):
            vgg19_weights('imagenet', WANTED)
        assert time.monotonic() - start < 5
