import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save, save_file

from s3net_plugin.archs import S3Net
from s3net_plugin.archs.encoder_weights import adapt_input_filters, load_encoder_weights
from s3net_plugin.archs.s3net_arch import build_encoder


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


@pytest.mark.parametrize(
    ('photos', 'grey'),  # where depth and, before a shading-guided network, shading lie among the photos
    [([0], []), ([0], [3]), ([0, 4], [3, 7]), ([0, 3, 7], [6, 10, 11, 12])],
)
def test_photos_weigh_the_same_and_depth_answers_as_grey(photos, grey):
    weight = torch.randn(5, 3, 3, 3)
    adapted = adapt_input_filters(weight, 3 * len(photos) + len(grey))
    for first in photos:
        torch.testing.assert_close(adapted[:, first : first + 3], weight / len(photos))
    for channel in grey:
        torch.testing.assert_close(adapted[:, channel], weight.mean(1) / len(photos))


@pytest.mark.parametrize('encoder', ['convnext_pico', 'mobilenetv3_large_100', 'repvgg_a0', 'res2net50d'])
def test_names_and_first_convolutions_are_found_in_other_networks(encoder, tmp_path):
    """Networks that timm renames when it takes them apart, with deep stems, and with two first convolutions."""
    path, state = tmp_path / 'weights.pth', timm.create_model(encoder).state_dict()
    torch.save(state, path)
    module, _ = build_encoder(encoder, 8)
    load_encoder_weights(module, encoder, 8, str(path))
    whole = {value.numpy().tobytes() for value in state.values()}
    adapted = [value for value in module.state_dict().values() if value.numpy().tobytes() not in whole]
    assert {value.shape[1] for value in adapted} == {8}


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


def test_imagenet_comes_from_the_cache_or_is_named_with_its_address(pretrained, tmp_path, monkeypatch):
    def offline(*_, **__):
        raise OSError('no network')

    monkeypatch.setattr(huggingface_hub, 'get_hf_file_metadata', offline)
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path))
    repository = tmp_path / f'models--{timm.get_pretrained_cfg("resnet10t").hf_hub_id.replace("/", "--")}'
    for folder, content in (('refs/main', b'0'), ('snapshots/0/model.safetensors', save(pretrained.state_dict()))):
        (repository / folder).parent.mkdir(parents=True)
        (repository / folder).write_bytes(content)
    network = S3Net(encoder='resnet10t', in_channels=4, encoder_weights='imagenet')
    assert torch.equal(network.encoder.bn1.running_mean, pretrained.bn1.running_mean)
    message = r"weights of 'resnet18' \(no network\); .*/resolve/main/model.safetensors .* its path as encoder_weights"
    with pytest.raises(FileNotFoundError, match=message):
        S3Net(encoder='resnet18', encoder_weights='imagenet')
