import logging
import urllib.request

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


@pytest.mark.parametrize('prefix', ['features.', ''])
def test_spellings_of_a_state_dict_are_read(prefix, tmp_path, vgg_state):
    content = {prefix + name.removeprefix('features.'): value for name, value in vgg_state.items()}
    torch.save({**content, 'classifier.0.weight': torch.zeros(4, 4)}, tmp_path / 'vgg.pth')
    found = vgg19_weights(str(tmp_path / 'vgg.pth'), WANTED)
    assert found.keys() == WANTED.keys()
    assert all(torch.equal(found[name], vgg_state[name]) for name in WANTED)


def test_missing_and_misshaped_tensors_are_all_named(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'features.0.weight': torch.zeros(8, 3, 3, 3)}, path)
    misfit = r'missing: features.0.bias; shapes: features.0.weight is \(8, 3, 3, 3\) and should be \(64, 3, 3, 3\)'
    with pytest.raises(ValueError, match=rf'^weights: {path} is no VGG19 state dict of torchvision: {misfit}$'):
        vgg19_weights(str(path), WANTED)


def test_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"'imagnet' is no file .*did you mean 'imagenet'"):
        vgg19_weights('imagnet', WANTED)


def test_random_weights_are_seeded_warn_and_leave_the_global_generator_alone(monkeypatch):
    records = []
    monkeypatch.setattr(logging.getLogger('basicsr'), 'handle', records.append)
    before = torch.get_rng_state()
    first = VGG19Features(['relu2_1'], 'random').state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    second = VGG19Features(['relu2_1'], 'random').state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    weight = first['features.2.weight']
    assert weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert [record.levelname for record in records] == ['WARNING', 'WARNING']
    assert 'random' in records[0].getMessage()


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    return tmp_path / 'hub/checkpoints/vgg19-dcbb9e9d.pth'


def test_imagenet_comes_from_torchvisions_cache(empty_cache, vgg_state):
    empty_cache.parent.mkdir(parents=True)
    torch.save(vgg_state, empty_cache)
    found = vgg19_weights('imagenet', WANTED)
    assert torch.equal(found['features.0.weight'], vgg_state['features.0.weight'])


def test_imagenet_that_cannot_be_had_is_named_with_its_address_and_place(empty_cache, monkeypatch):
    def offline(*_, **__):
        raise OSError('no network')

    monkeypatch.setattr(urllib.request, 'urlopen', offline)
    expected = (
        rf'VGG19 \(no network\); fetch https://.*/vgg19-dcbb9e9d\.pth .* put it at {empty_cache} or give its path'
    )
    with pytest.raises(FileNotFoundError, match=expected):
        vgg19_weights('imagenet', WANTED)
    assert not empty_cache.exists()
