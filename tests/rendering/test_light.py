import numpy as np
import pytest
from skimage.color import rgb2xyz
from skimage.color.colorconv import xyz_from_rgb

from s3net_plugin.rendering.light import (
    DIRECTIONS,
    LUMINANCE,
    TEMPERATURES,
    encode_srgb,
    exposure,
    sun_ray,
    temperature_rgb,
)


def black_body_rgb(kelvin):
    """Planck's law against the CIE 1931 observer in the fit of Wyman et al. (2013), to linear sRGB at luminance 1."""
    nm = np.arange(380.0, 781.0)
    radiance = nm**-5 / np.expm1(1.438777e7 / (nm * kelvin))

    def lobe(peak, below, above):
        return np.exp(-0.5 * ((nm - peak) * np.where(nm < peak, below, above)) ** 2)

    x = 0.362 * lobe(442.0, 0.0624, 0.0374) + 1.056 * lobe(599.8, 0.0264, 0.0323) - 0.065 * lobe(501.1, 0.0490, 0.0382)
    y = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    xyz = np.array([x @ radiance, y @ radiance, z @ radiance])
    return np.linalg.solve(xyz_from_rgb, xyz / xyz[1])


@pytest.mark.parametrize('kelvin', TEMPERATURES)
def test_temperature_is_the_colour_of_a_black_body(kelvin):
    np.testing.assert_allclose(temperature_rgb(kelvin), black_body_rgb(kelvin), atol=0.03)


@pytest.mark.parametrize('kelvin', TEMPERATURES)
def test_temperatures_have_luminance_one(kelvin):
    assert temperature_rgb(kelvin) @ LUMINANCE == pytest.approx(1)


def test_sunlight_from_north_travels_towards_the_camera_and_from_east_to_the_left():
    assert sun_ray('N', 40)[1] == pytest.approx(-np.cos(np.deg2rad(40)))
    assert sun_ray('E', 40)[0] == pytest.approx(-np.cos(np.deg2rad(40)))
    assert sun_ray('S', 40)[1] > 0 and sun_ray('W', 40)[0] > 0


def test_directions_go_clockwise_in_steps_of_45_degrees():
    rays = np.array([sun_ray(direction, 38) for direction in DIRECTIONS])
    bearing = np.rad2deg(np.unwrap(np.arctan2(-rays[:, 0], -rays[:, 1])))
    np.testing.assert_allclose(np.diff(bearing), 45)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1)
    np.testing.assert_allclose(rays[:, 2], -np.sin(np.deg2rad(38)))


def test_srgb_encoding_is_undone_by_scikit_image():
    linear = np.linspace(0, 1, 256)[:, None, None] * np.ones(3)
    decoded = rgb2xyz(encode_srgb(linear))[..., 1]
    np.testing.assert_allclose(decoded, linear[..., 1], atol=0.005)


def test_values_outside_the_range_are_clipped():
    assert encode_srgb(np.array([-1.0, 0.0, 1.0, 7.0])).tolist() == [0, 0, 255, 255]


def test_exposure_brings_the_95th_percentile_to_its_level():
    image = np.random.default_rng(0).gamma(2.0, 3.0, (4, 50, 50, 3))
    luminance = image @ LUMINANCE * exposure(image)
    assert (luminance <= 0.55).mean() == pytest.approx(0.95, abs=1e-3)
