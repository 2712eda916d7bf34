import cv2
import numpy as np
import pytest
import torch

from s3net_plugin.archs import S3Net, ShadingGuidedS3Net
from s3net_plugin.archs.closed_form import ClosedForm, relight_closed_form
from s3net_plugin.archs.shading import CueSettings
from s3net_plugin.relight import relighter as relighter_module
from s3net_plugin.relight.guided_upsampling import light_gain
from s3net_plugin.relight.photo import Photo
from s3net_plugin.relight.relighter import NetworkInput, Relighter, downscale, resize_center_crop
from tests.relight.pictures import smooth_noise


class GuideBrightness(torch.nn.Module):
    """Stands for a network: multiplies the input by the guide's mean colour and the nearness of every pixel."""

    input_channels = 8
    size_requirements = S3Net.size_requirements

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.shapes = []

    def forward(self, x):
        self.shapes.append(tuple(x.shape))
        return x[:, :3] * x[:, 4:7].mean((2, 3), keepdim=True) * (1 - x[:, 3:4]) * self.weight


def seen(shape, seed=0):
    rng = np.random.default_rng(seed)
    return NetworkInput(rng.random((*shape, 3), dtype=np.float32), rng.random(shape, dtype=np.float32))


@pytest.mark.parametrize(
    ('shape', 'limits', 'expected'),
    [
        ((480, 640), {'longer': 320}, (240, 320)),
        ((640, 480), {'longer': 320}, (320, 240)),
        ((480, 640), {'shorter': 240}, (240, 320)),
        ((100, 90), {'longer': 320}, (100, 90)),
        ((20, 4000), {'longer': 1000}, (32, 1000)),
        ((10, 12), {'longer': 1000}, (32, 32)),
    ],
)
def test_downscaling_keeps_the_form_and_the_least_size(shape, limits, expected):
    small = downscale(np.full((*shape, 3), 65535, np.uint16), **limits, minimum=32)
    assert small.shape == (*expected, 3)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, 1)


@pytest.mark.parametrize('target', [(48, 64), (64, 48), (33, 97), (200, 150)])
def test_center_crop_cuts_the_centre_without_distortion(target):
    y, x = np.mgrid[-1:1:80j, -1:1:80j].astype(np.float32)
    disc = (x**2 + y**2 < 0.2**2).astype(np.float32)
    crop = resize_center_crop(NetworkInput(np.dstack([disc] * 3), disc), *target)
    assert crop.rgb.shape == (*target, 3)
    assert crop.depth.shape == target
    rows, columns = (np.flatnonzero(crop.depth.max(axis) > 0.5) for axis in (1, 0))
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 2  # still a disc
    assert abs(rows.mean() - (target[0] - 1) / 2) <= 1.5  # in the centre


def test_every_channel_reaches_its_place():
    network = GuideBrightness()
    here, guide = seen((40, 48)), seen((40, 48), 1)
    result = Relighter(network).relight_small(here, guide)
    expected = here.rgb * guide.rgb.mean((0, 1)) * (1 - here.depth)[..., None]
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-6)


def test_full_size_result_is_lit_like_the_small_one():
    """The network darkens everything alike, so the true result is known at full size."""
    pixels = smooth_noise((300, 401))
    pixels += (np.random.default_rng(1).random(pixels.shape) * 40).astype(np.uint8) * (pixels < 200)
    photo = Photo(pixels, None, b'icc', b'exif')
    relighter = Relighter(GuideBrightness(), work_size=100)
    small = relighter.small_input(photo)
    guide = NetworkInput(np.full((50, 50, 3), 0.5, np.float32), np.zeros((50, 50), np.float32))
    result = relighter.relight(photo, NetworkInput(small, np.zeros(small.shape[:2], np.float32)), guide)
    assert relighter.network.shapes == [(1, 8, 75, 100)]
    assert result.pixels.shape == pixels.shape
    assert (result.icc_profile, result.exif) == (b'icc', b'exif')
    error = np.abs(result.pixels - pixels * 0.5)
    assert error.mean() < 1
    assert np.percentile(error, 99) < 5


def test_guide_is_needed_or_refused_as_the_network_says():
    network = GuideBrightness()
    with pytest.raises(ValueError, match='a guide is needed'):
        Relighter(network).relight_small(seen((40, 40)), None)
    network.input_channels = 4
    with pytest.raises(ValueError, match='takes no guide'):
        Relighter(network).relight_small(seen((40, 40)), seen((40, 40)))


def test_work_size_below_the_least_is_refused():
    with pytest.raises(ValueError, match='work size 31'):
        Relighter(GuideBrightness(), work_size=31)


@pytest.mark.parametrize(
    'network', [ClosedForm, lambda: ShadingGuidedS3Net(encoder='resnet10t', light_colours='black_body').eval()]
)
def test_far_over_near_reaches_the_shading_cues(network):
    here, guide = seen((40, 48)), seen((40, 48), 1)
    relighter = Relighter(network(), far_over_near=2.5)
    x = np.dstack([here.rgb, here.depth, guide.rgb, guide.depth]).transpose(2, 0, 1)[None]
    deep, default = (
        relight_closed_form(torch.from_numpy(x), CueSettings(**options)).image[0].permute(1, 2, 0).numpy()
        for options in ({'far_over_near': 2.5}, {})
    )
    np.testing.assert_allclose(relighter.relight_small(here, guide), deep, atol=1e-6)  # untrained, it gives this
    np.testing.assert_allclose(Relighter(network()).relight_small(here, guide), default, atol=1e-6)
    assert np.abs(deep - default).max() > 0.01


@pytest.mark.parametrize('ratio', [1, 0, float('nan'), float('inf')])
def test_far_over_near_that_is_no_ratio_is_refused(ratio):
    with pytest.raises(ValueError, match=r'far_over_near: .* must be more than 1'):
        Relighter(GuideBrightness(), far_over_near=ratio)


def relight_plainly(network, photo, here, guide):
    """The network as it was trained, in float32 and NCHW, and the light brought to full size in one piece."""
    planes = [here.rgb, here.depth, guide.rgb, guide.depth]
    with torch.no_grad():
        y = network(torch.from_numpy(np.dstack(planes).transpose(2, 0, 1)[None].copy()))
    relit = y[0].clamp(0, 1).permute(1, 2, 0).numpy()
    size = photo.pixels.shape[1::-1]
    light, gain, small = (cv2.resize(each, size) for each in (relit, light_gain(here.rgb, relit), here.rgb))
    return np.clip(light + gain * (photo.pixels / 255 - small), 0, 1) * 255


@pytest.mark.parametrize('arch', [S3Net, ShadingGuidedS3Net])
@pytest.mark.parametrize(('precision', 'most', 'mean'), [('float32', 1, 0.3), ('bfloat16', 12, 1)])
def test_the_fast_way_gives_what_the_plain_way_gives(arch, precision, most, mean):
    torch.manual_seed(0)
    network = arch(encoder='resnet10t').eval()
    torch.nn.init.normal_(network.conv_last.weight, std=0.02)
    photo = Photo(smooth_noise((150, 201)))
    relighter = Relighter(network, work_size=96, precision=precision)
    small = relighter.small_input(photo)
    here, guide = NetworkInput(small, seen(small.shape[:2]).depth), seen(small.shape[:2], 1)
    error = np.abs(relighter.relight(photo, here, guide).pixels - relight_plainly(network, photo, here, guide))
    assert error.max() <= most
    assert error.mean() <= mean


@pytest.mark.parametrize('fastest', [torch.float32, torch.bfloat16])
def test_precision_is_what_the_device_and_the_network_are_made_for(monkeypatch, fastest):
    monkeypatch.setattr(relighter_module, 'fast_precision', lambda device: fastest)
    network = S3Net(encoder='resnet10t')
    assert Relighter(network, precision='auto').precision == fastest
    assert Relighter(network, precision='bfloat16').precision == torch.bfloat16
    assert Relighter(network).precision == Relighter(ClosedForm(), precision='auto').precision == torch.float32
    with pytest.raises(ValueError, match='precision bfloat16: ClosedForm computes in float32'):
        Relighter(ClosedForm(), precision='bfloat16')
