import numpy as np
import pytest
from basicsr.metrics import calculate_ssim
from numpy.lib.stride_tricks import sliding_window_view
from skimage.metrics import structural_similarity

from s3net_plugin.metrics import calculate_relight_ssim

SETTINGS = {
    'skimage7': {},
    'gaussian11': {'gaussian_weights': True, 'sigma': 1.5, 'use_sample_covariance': False},
}


@pytest.mark.parametrize('mode', SETTINGS)
def test_equals_scikit_image(images, mode):
    expected = structural_similarity(*images, data_range=255, channel_axis=-1, **SETTINGS[mode])
    assert calculate_relight_ssim(*images, 0, mode=mode) == pytest.approx(expected, abs=1e-12)


def test_skimage7_follows_the_formula(images):
    x, y = (sliding_window_view(image.astype(np.float64), (7, 7), axis=(0, 1)) for image in images)
    mx, my = x.mean((-2, -1)), y.mean((-2, -1))
    vx, vy = x.var((-2, -1), ddof=1), y.var((-2, -1), ddof=1)
    covariance = ((x * y).mean((-2, -1)) - mx * my) * 49 / 48
    c1, c2 = 2.55**2, 7.65**2
    ssim = (2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert calculate_relight_ssim(*images, 0) == pytest.approx(ssim.mean(), abs=1e-10)


def test_gaussian11_is_the_ssim_of_basicsr(images):
    ours = calculate_relight_ssim(*images, 3, mode='gaussian11')
    # OpenCV cuts its window at 5 pixels as scikit-image does
    assert ours == pytest.approx(calculate_ssim(*images, 3), abs=1e-9)


@pytest.mark.parametrize('mode', SETTINGS)
def test_constant_images_have_the_closed_form(mode):
    dark, bright = np.full((16, 16, 3), 40, np.uint8), np.full((16, 16, 3), 200, np.uint8)
    expected = (2 * 40 * 200 + 2.55**2) / (40**2 + 200**2 + 2.55**2)
    assert calculate_relight_ssim(dark, bright, 0, mode=mode) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('mode', SETTINGS)
def test_an_image_is_its_own_match(images, mode):
    assert calculate_relight_ssim(images[0], images[0], 0, mode=mode) == pytest.approx(1, abs=1e-12)


def test_the_form_of_the_images_does_not_matter(images):
    expected = calculate_relight_ssim(*images, 4)
    assert calculate_relight_ssim(*(image[4:-4, 4:-4] for image in images), 0) == expected
    assert calculate_relight_ssim(*(image.transpose(2, 0, 1) for image in images), 4, 'CHW') == pytest.approx(expected)
    assert calculate_relight_ssim(*(image / 255 for image in images), 4) == pytest.approx(expected, abs=1e-10)


def test_bad_options_and_small_images_are_named(images):
    with pytest.raises(ValueError, match="mode: no SSIM is called 'gausian11'; did you mean 'gaussian11'"):
        calculate_relight_ssim(*images, 0, mode='gausian11')
    with pytest.raises(ValueError, match='a higher SSIM is better'):
        calculate_relight_ssim(*images, 0, better='lower')
    with pytest.raises(ValueError, match='SSIM gaussian11 needs 11 x 11 pixels at least, got 10 x 26 after cropping'):
        calculate_relight_ssim(*images, 19, mode='gaussian11')
    with pytest.raises(ValueError, match=r'differ in shape: \(48, 64, 3\) and \(47, 64, 3\)'):
        calculate_relight_ssim(images[0], images[1][1:], 0)
