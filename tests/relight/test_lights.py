import cv2
import numpy as np
import pytest

from s3net_plugin.relight.lights import GUIDES, Light, guide_under, recolour, sun_direction
from s3net_plugin.relight.photo import read_photo
from s3net_plugin.relight.relighter import NetworkInput
from s3net_plugin.rendering.light import DIRECTIONS, TEMPERATURES, temperature_rgb
from tests.conftest import RENDERED

NOTHING = NetworkInput(np.zeros((32, 32, 3), np.float32), np.zeros((32, 32), np.float32))


def linear(srgb):
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize('kelvin', TEMPERATURES)
def test_recoloured_picture_is_the_one_under_that_light(rendered, kelvin):
    for direction in ('N', 'E', 'SW'):
        stored, expected = (read_photo(rendered / f'Image000_{k}_{direction}.png').pixels for k in (6500, kelvin))
        error = np.abs(recolour(stored, kelvin) * 255 - expected)
        assert error.mean() < 0.6  # both are rounded
        assert np.percentile(error, 99) < 5  # what was clipped


def test_guide_in_the_package_is_the_rendered_scene():
    """A file of another colour, of which the package has none."""
    expected = read_photo(RENDERED / 'lights_2500_E_middle.png').pixels
    found = guide_under(Light('E', 2500), NOTHING).rgb[64:192, 64:192] * 255
    assert np.abs(found - expected).mean() < 2.5  # of JPEG
    assert np.abs(found.mean((0, 1)) - expected.mean((0, 1))).max() < 0.5


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_sun_of_each_guide_is_found_where_its_name_says(direction):
    assert sun_direction(guide_under(Light(direction), NOTHING)) == direction


def test_without_a_direction_that_of_the_photo_stays():
    photo = guide_under(Light('SW', 8000), NOTHING)
    np.testing.assert_array_equal(
        guide_under(Light(None, 3000), photo).rgb, guide_under(Light('SW', 3000), NOTHING).rgb
    )


@pytest.mark.parametrize('kelvin', [2000, 3210, 8000])
def test_between_the_rendered_temperatures_the_colour_is_that_of_a_black_body(kelvin):
    grey = np.full((2, 2, 3), 60, np.uint8)
    colour = linear(recolour(grey, kelvin)[0, 0]) / linear(recolour(grey, 6500)[0, 0])
    np.testing.assert_allclose(colour, temperature_rgb(kelvin) / temperature_rgb(6500), rtol=1e-3)


@pytest.mark.parametrize('kelvin', [1999, 8001, float('nan')])
def test_temperature_out_of_reach_is_refused(kelvin):
    with pytest.raises(ValueError, match=r'from 2000 \(warm\) to 8000 kelvin'):
        guide_under(Light('E', kelvin), NOTHING)


def test_guides_bring_depth_and_are_small():
    depth = guide_under(Light('E'), NOTHING).depth
    assert (depth.min(), depth.max()) == (0, 1)
    assert cv2.imread(str(GUIDES / 'depth.png'), cv2.IMREAD_UNCHANGED).dtype == np.uint16
    pictures = [*GUIDES.iterdir(), *(GUIDES.parent / 'sample').iterdir()]
    assert sum(path.stat().st_size for path in pictures) < 2**20
