import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from s3net_plugin.archs import S3Net
from s3net_plugin.archs.encoder_weights import adapt_input_filters, fit_to_encoder
from s3net_plugin.archs.s3net_arch import build_encoder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def pretrained():
    """timm's whole classifier on RGB, with statistics that are not those of a fresh network."""
    torch.manual_seed(0)
    network = timm.create_model('resnet10t').train()
    with torch.no_grad():
        network(torch.rand(4, 3, 64, 64))
    return network.eval()


def features(network, x):
    with torch.no_grad():
        return network.encoder.eval()(x)


def photo(seed):
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
@pytest.mark.parametrize('in_channels', [3, 4, 8])
def test_equal_photos_without_depth_give_the_pretrained_features(pretrained, tmp_path, in_channels, suffix):
    path = tmp_path / f'weights{suffix}'
    (save_file if suffix == '.safetensors' else torch.save)(pretrained.state_dict(), path)
    network = S3Net(in_channels=in_channels, encoder='resnet10t', encoder_weights=str(path))
    zero = torch.zeros(1, 1, 64, 64)
    x = torch.cat((photo(1), zero, photo(1), zero), dim=1)[:, :in_channels]
    with torch.no_grad():
        expected = pretrained.forward_intermediates(photo(1), indices=[1, 2, 3], intermediates_only=True)
    for got, want in zip(features(network, x), expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_photos_weigh_the_same_and_depth_answers_as_gray():
    weight = torch.randn(5, 3, 3, 3)
    adapted = adapt_input_filters(weight, 8)
    assert adapted.shape == (5, 8, 3, 3)
    assert torch.equal(adapted[:, :4], adapted[:, 4:])
    torch.testing.assert_close(adapted[:, [0, 1, 2]] + adapted[:, [4, 5, 6]], weight)
    torch.testing.assert_close(adapted[:, 3] + adapted[:, 7], weight.mean(1))
    assert torch.equal(adapt_input_filters(weight, 3), weight)


def test_three_pictures_weigh_the_same_before_a_shading_guided_network():
    weight = torch.randn(5, 3, 3, 3)
    adapted = adapt_input_filters(weight, 13)
    torch.testing.assert_close(adapted[:, [0, 1, 2]] + adapted[:, [3, 4, 5]] + adapted[:, [7, 8, 9]], weight)
    for grey in (6, 10, 11, 12):  # two maps of depth, two of shading
        torch.testing.assert_close(adapted[:, grey], weight.mean(1) / 3)


@pytest.mark.parametrize('encoder', ['convnext_pico', 'mobilenetv3_large_100', 'repvgg_a0', 'res2net50d'])
def test_names_and_first_convolutions_are_found_in_other_networks(encoder):
    """Networks that timm renames when it takes them apart, with deep stems, and with two first convolutions."""
    state = timm.create_model(encoder).state_dict()
    module, _ = build_encoder(encoder, 8)
    fitted = fit_to_encoder(module, state, 8)
    module.load_state_dict(fitted, strict=True)
    assert fitted.keys() == module.state_dict().keys()


def test_weights_that_do_not_fit_are_named(pretrained, tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save({'conv1.weight': torch.ones(3)}, path)
    message = rf"{path} does not fit 'resnet18': missing: .* shapes: conv1.weight is \(3,\)"
    with pytest.raises(ValueError, match=message):
        S3Net(encoder='resnet18', encoder_weights=str(path))
    torch.save(pretrained.state_dict(), path)
    with pytest.raises(ValueError, match=r'3, 4, 8 or 13 channels, not 6'):
        S3Net(encoder='resnet10t', in_channels=6, encoder_weights=str(path))
    with pytest.raises(FileNotFoundError, match=r'none\.pth: no such file'):
        S3Net(encoder='resnet10t', encoder_weights=str(tmp_path / 'none.pth'))


OFFLINE = """
import time, torch, timm
from s3net_plugin.archs import S3Net
network = S3Net(encoder='resnet10t', in_channels=4, encoder_weights='imagenet')
print(float(network.encoder.state_dict()['bn1.running_mean'].sum()))
start = time.monotonic()
try:
    S3Net(encoder='resnet18', encoder_weights='imagenet')
except FileNotFoundError as error:
    print(error)
print(time.monotonic() - start)
"""


def test_imagenet_comes_from_the_cache_and_fails_fast_without_network(pretrained, tmp_path):
    """In a process of its own, whose only way out is a proxy that takes connections and never says a word."""
    config = timm.get_pretrained_cfg('resnet10t')
    repository = tmp_path / f'models--{config.hf_hub_id.replace("/", "--")}'
    snapshot = repository / 'snapshots' / ('0' * 40)
    snapshot.mkdir(parents=True)
    (repository / 'refs').mkdir()
    (repository / 'refs/main').write_text('0' * 40)
    save_file(pretrained.state_dict(), snapshot / 'model.safetensors')
    with socket.create_server(('127.0.0.1', 0)) as proxy:
        address = f'http://127.0.0.1:{proxy.getsockname()[1]}'
        proxies = dict.fromkeys(('HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'), address)
        env = {**os.environ, **proxies, 'NO_PROXY': '', 'no_proxy': '', 'HF_HUB_CACHE': str(tmp_path)}
        env = {**env, 'PYTHONPATH': str(ROOT)}
        result = subprocess.run(
            [sys.executable, '-c', OFFLINE], env=env, capture_output=True, text=True, check=True, timeout=60
        )
    loaded, message, seconds = result.stdout.strip().splitlines()
    assert float(loaded) == pytest.approx(float(pretrained.bn1.running_mean.sum()))
    assert "cannot download the weights of 'resnet18'" in message
    assert 'resolve/main/model.safetensors' in message
    assert 'give its path as encoder_weights' in message
    assert float(seconds) < 5
