import numpy as np
import pytest
import torch

from s3net_plugin.archs.closed_form import black_body_ratio, relight_closed_form
from s3net_plugin.archs.shading import decode_srgb, encode_srgb
from s3net_plugin.rendering.light import temperature_rgb


def random_input(height=40, width=56, batch=2):
    return torch.rand(batch, 8, height, width, generator=torch.Generator().manual_seed(0))


def test_srgb_curves_are_those_of_the_standard():
    encoded = np.linspace(0, 1, 1001)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(decode_srgb(torch.from_numpy(encoded)), linear, atol=1e-12)
    np.testing.assert_allclose(encode_srgb(torch.from_numpy(linear)), encoded, atol=1e-4)


def test_flat_depth_leaves_the_ratio_of_mean_colours():
    x = random_input()
    x[:, 3], x[:, 7] = 0.3, 0.8
    x[:, 4:7] *= torch.tensor([0.9, 0.6, 0.3])[:, None, None]
    got = relight_closed_form(x, light_colours='measured').image
    linear = decode_srgb(x.double())
    for i in range(2):
        small = torch.nn.functional.interpolate(x[i : i + 1], (96, 96), mode='bilinear', antialias=True)[0]
        means = decode_srgb(small).mean((1, 2))
        expected = encode_srgb(linear[i, :3] * (means[4:7] / means[:3])[:, None, None])
        assert (got[i] - expected).abs().max() < 0.03


@pytest.mark.parametrize(('before', 'after'), [(2500, 6500), (6500, 2500), (4500, 3500), (5500, 5500)])
def test_the_ratio_of_two_black_bodies_is_recognised_through_brightness_and_surfaces(before, after):
    ratio = torch.tensor(temperature_rgb(after) / temperature_rgb(before), dtype=torch.float32)[None, :, None, None]
    assert (black_body_ratio(ratio).log() - ratio.log()).abs().max() < 0.2  # of up to 2
    surfaces = torch.tensor([1.05, 0.9, 1.05])[:, None, None]  # vegetation is green, and no light
    torch.testing.assert_close(black_body_ratio(7 * ratio), black_body_ratio(ratio))
    assert (black_body_ratio(surfaces * ratio).log() - ratio.log()).abs().max() < 0.25


def test_a_brighter_guide_of_the_same_colour_changes_nothing_on_flat_depth():
    x = random_input()
    x[:, 3:4] = x[:, 7:8] = 0.5
    x[:, 4:7] = encode_srgb(1.5 * decode_srgb(0.5 * x[:, :3]))
    torch.testing.assert_close(relight_closed_form(x).image, x[:, :3], rtol=0, atol=0.02)


def test_the_guides_light_on_the_same_scene_changes_little():
    x = random_input(64, 64, 1)
    x = torch.nn.functional.interpolate(x[..., ::8, ::8], (64, 64), mode='bilinear')
    x[:, 4:] = x[:, :4]
    relit = relight_closed_form(x)
    torch.testing.assert_close(relit.image, x[:, :3], rtol=0, atol=1e-3)
    torch.testing.assert_close(relit.input_shading, relit.target_shading)


def test_every_size_comes_back_in_range():
    for size in ((32, 32), (33, 47), (100, 40)):
        relit = relight_closed_form(random_input(*size))
        assert relit.image.shape == (2, 3, *size)
        assert relit.target_shading.shape == (2, 1, *size)
        assert relit.image.min() >= 0
        assert relit.image.max() <= 1


def test_autocast_changes_nothing():
    x = random_input()
    plain = relight_closed_form(x)
    with torch.autocast('cpu', torch.bfloat16):
        assert all(map(torch.equal, relight_closed_form(x), plain))


def test_gradients_are_finite_on_black_white_and_flat():
    for x in (torch.zeros(1, 8, 40, 40), torch.ones(1, 8, 40, 40), random_input(40, 40).round(), random_input(40, 40)):
        x.requires_grad_()
        relight_closed_form(x).image.sum().backward()
        assert torch.isfinite(x.grad).all()
