import inspect
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import lpips as torchmetrics_lpips

from s3net_plugin.metrics import calculate_lpips, lpips_network

from .conftest import CONSTRUCTORS, random_state_dict

FILES = {'alex': 'alexnet-owt-7be5be79.pth', 'vgg': 'vgg16-397923af.pth', 'squeeze': 'squeezenet1_1-b8a52dc0.pth'}
# the layers of torchvision's `features` whose output the paper compares
TAPS = {'alex': [1, 4, 7, 9, 11], 'vgg': [3, 8, 15, 22, 29], 'squeeze': [1, 4, 7, 9, 10, 11, 12]}


def to_rgb(image):
    return torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].double() / 255


@pytest.mark.parametrize('net', ['alex', 'squeeze'])
def test_equals_torchmetrics_on_weights_in_the_cache(images, empty_cache, net):
    torch.save(random_state_dict(net), empty_cache / FILES[net])
    first, second = (to_rgb(image).float() for image in images)
    expected = torchmetrics_lpips.learned_perceptual_image_patch_similarity(first, second, net, normalize=True)
    assert expected > 0.01
    assert calculate_lpips(*images, 0, net=net, device='cpu') == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize('net', CONSTRUCTORS)
def test_follows_the_paper(images, backbone, net):
    with torch.device('meta'):
        layers = CONSTRUCTORS[net]().features
    weights = torch.load(backbone(net), weights_only=True)
    layers.load_state_dict({name.removeprefix('features.'): value for name, value in weights.items()}, assign=True)
    layers.double().eval()
    folder = Path(inspect.getfile(torchmetrics_lpips)).parent / 'lpips_models'
    linear = torch.load(folder / f'{net}.pth', map_location='cpu', weights_only=True)
    mean, std = (torch.tensor(v).view(3, 1, 1).double() for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    x = torch.cat([(to_rgb(image) - mean) / std for image in images])
    distance = 0.0
    with torch.no_grad():
        for index, layer in enumerate(layers[: TAPS[net][-1] + 1]):
            x = layer(x)
            if index in TAPS[net]:
                a, b = x / x.norm(dim=1, keepdim=True).clamp_min(1e-10)
                weight = linear[f'lin{TAPS[net].index(index)}.model.1.weight'][0].double()
                distance += float((weight * (a - b) ** 2).sum(0).mean())
    ours = calculate_lpips(*images, 0, net=net, weights=backbone(net), device='cpu')
    assert ours == pytest.approx(distance, rel=1e-5)


@pytest.mark.parametrize('net', CONSTRUCTORS)
def test_an_image_is_at_no_distance_from_itself(images, backbone, net):
    assert calculate_lpips(images[0], images[0], 0, net=net, weights=backbone(net), device='cpu') == 0


def test_the_form_of_the_images_does_not_matter(images, backbone):
    options = {'net': 'squeeze', 'weights': backbone('squeeze'), 'device': 'cpu'}
    expected = calculate_lpips(*images, 4, **options)
    assert calculate_lpips(*(image[4:-4, 4:-4] for image in images), 0, **options) == expected
    assert calculate_lpips(*(image.transpose(2, 0, 1) for image in images), 4, 'CHW', **options) == expected
    floats = [image.astype(np.float32) / 255 for image in images]
    assert calculate_lpips(*floats, 4, **options) == pytest.approx(expected, rel=1e-4)


def test_the_network_is_built_once_frozen_and_in_eval_mode(tmp_path):
    file = tmp_path / 'squeeze.pth'
    torch.save(random_state_dict('squeeze'), file)
    network = lpips_network('squeeze', str(file), 'cpu')
    file.unlink()
    assert lpips_network('squeeze', str(file), 'cpu') is network
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_building_leaves_the_random_state(tmp_path):
    file = tmp_path / 'squeeze.pth'
    torch.save(random_state_dict('squeeze'), file)
    before = torch.get_rng_state()
    lpips_network('squeeze', str(file), 'cpu')
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize('net', CONSTRUCTORS)
def test_missing_weights_say_at_once_which_file_belongs_where(empty_cache, images, net):
    start = time.perf_counter()
    with pytest.raises(FileNotFoundError) as caught:
        calculate_lpips(*images, 0, net=net)
    assert time.perf_counter() - start < 1
    message = str(caught.value)
    assert str(empty_cache / FILES[net]) in message
    assert f'https://download.pytorch.org/models/{FILES[net]}' in message
    assert 'option weights' in message
    assert '\n' not in message


def test_a_missing_file_of_the_option_is_named(images, tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / 'mine.pth'))):
        calculate_lpips(*images, 0, weights=str(tmp_path / 'mine.pth'))


def test_files_that_are_no_backbone_are_refused(images, backbone, tmp_path):
    torn = tmp_path / 'torn.pth'
    torn.write_bytes(Path(backbone('squeeze')).read_bytes()[:1000])
    with pytest.raises(ValueError, match=r'torn\.pth: not a whole checkpoint'):
        calculate_lpips(*images, 0, net='squeeze', weights=str(torn))
    with pytest.raises(ValueError, match=r"squeeze.pth: not torchvision's alexnet, .* \(64, 3, 11, 11\), got \("):
        calculate_lpips(*images, 0, net='alex', weights=backbone('squeeze'))
    with pytest.raises(ValueError, match=r"alex.pth: not torchvision's squeezenet1_1, .* got \(64, 3, 11, 11\)"):
        calculate_lpips(*images, 0, net='squeeze', weights=backbone('alex'))


@pytest.mark.parametrize(('net', 'smallest'), [('alex', 31), ('vgg', 16), ('squeeze', 17)])
def test_the_smallest_size_is_what_the_network_can_take(backbone, net, smallest):
    options = {'net': net, 'weights': backbone(net), 'device': 'cpu'}
    image = np.random.default_rng(0).integers(0, 256, (smallest, 40, 3), dtype=np.uint8)
    assert np.isfinite(calculate_lpips(image, image[:, ::-1], 0, **options))
    with pytest.raises(ValueError, match=f'LPIPS {net} needs {smallest} x {smallest} .* got {smallest - 1} x 40'):
        calculate_lpips(image[1:], image[1:], 0, **options)
    small = torch.zeros(1, 3, smallest - 1, 40)
    with pytest.raises(RuntimeError):
        lpips_network(**options)(small, small)


def test_bad_options_are_named(images, backbone):
    options = {'net': 'squeeze', 'weights': backbone('squeeze'), 'device': 'cpu'}
    with pytest.raises(ValueError, match="net: no LPIPS network is called 'alexx'; did you mean 'alex'"):
        calculate_lpips(*images, 0, net='alexx')
    with pytest.raises(ValueError, match='a lower LPIPS is better'):
        calculate_lpips(*images, 0, better='higher')
    with pytest.raises(ValueError, match="device: 'gpu' is no device"):
        calculate_lpips(*images, 0, **{**options, 'device': 'gpu'})
    with pytest.raises(ValueError, match='LPIPS needs images of 3 channels, got 1'):
        calculate_lpips(*(image[..., 0] for image in images), 0, **options)
    with pytest.raises(ValueError, match=r'differ in shape: \(48, 64, 3\) and \(47, 64, 3\)'):
        calculate_lpips(images[0], images[1][1:], 0, **options)
