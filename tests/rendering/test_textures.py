import numpy as np
import pytest

from s3net_plugin.rendering.noise import cells, fractal
from s3net_plugin.rendering.textures import ALBEDO_RANGE, PATTERNS, draw_texture


@pytest.mark.parametrize('pattern', PATTERNS)
def test_surface_is_physical_not_uniform_and_follows_the_generator(pattern):
    first, again, other = (draw_texture(np.random.default_rng(seed), pattern, size=64) for seed in (1, 1, 2))
    assert first.albedo.shape == (64, 64, 3) and first.height.shape == (64, 64)
    assert first.albedo.min() >= np.float32(ALBEDO_RANGE[0]) and first.albedo.max() <= np.float32(ALBEDO_RANGE[1])
    assert first.height.min() >= 0 and first.height.max() <= 1
    np.testing.assert_array_equal(first.albedo, again.albedo)
    assert first.albedo.std() > 0.01 and first.height.std() > 0.01
    assert np.abs(first.albedo - other.albedo).mean() > 0.01


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('pattern', PATTERNS)
def test_no_seam_when_repeated(pattern, axis):
    for field in draw_texture(np.random.default_rng(3), pattern, size=256):
        steps = np.abs(field - np.roll(field, 1, axis)).reshape(256, 256, -1).mean((1 - axis, 2))
        assert steps[0] <= 1.15 * steps[1:].max()  # step 0 crosses the seam


def test_fractal_noise_has_the_asked_slope():
    field = fractal(np.random.default_rng(0), 256, slope=1.5)
    power = np.abs(np.fft.fft2(field - field.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256))) * 256
    bands = np.array([4, 8, 16, 32, 64])
    level = [power[(frequency >= f) & (frequency < 1.2 * f)].mean() for f in bands]
    slope = np.polyfit(np.log(bands), np.log(level), 1)[0]
    assert slope == pytest.approx(-3.0, abs=0.35)  # power falls twice as fast as amplitude


def test_cells_are_nearest_neighbours_on_the_torus():
    count, size = 4, 40
    nearest, border, index = cells(np.random.default_rng(5), size, count)
    jitter = np.random.default_rng(5).uniform(0.1, 0.9, (count, count, 2))
    rows, columns = np.mgrid[:count, :count]
    points = np.stack([columns + jitter[..., 0], rows + jitter[..., 1]], -1).reshape(-1, 2)
    v, u = (np.mgrid[:size, :size] + 0.5) * count / size
    delta = np.abs(np.stack([u, v], -1)[:, :, None] - points)
    distance = np.linalg.norm(np.minimum(delta, count - delta), axis=-1)
    np.testing.assert_array_equal(index, distance.argmin(-1))
    np.testing.assert_allclose(nearest, distance.min(-1))
    np.testing.assert_allclose(border, np.partition(distance, 1, -1)[..., 1] - distance.min(-1))
