import cv2
import numpy as np
import pytest
from basicsr.metrics.psnr_ssim import _ssim

from s3net_plugin.metrics.fast_ssim import ssim_of_channel


@pytest.mark.parametrize('size', [(11, 11), (11, 40), (74, 12), (75, 33), (139, 160)])
@pytest.mark.parametrize('noise', [0, 3, 80])
def test_it_is_the_ssim_of_basicsr(size, noise):
    rng = np.random.default_rng(0)
    first = cv2.GaussianBlur(rng.uniform(0, 255, size), (0, 0), 2)
    second = np.clip(first + rng.normal(0, noise, size), 0, 255)
    assert ssim_of_channel(first, second) == pytest.approx(_ssim(first, second), abs=1e-12)


def test_a_view_of_one_channel_and_integers_are_taken():
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 20, 3), dtype=np.uint8)
    channels = images[..., 1].astype(np.float64)
    assert ssim_of_channel(*images[..., 1]) == pytest.approx(_ssim(*channels), abs=1e-12)


@pytest.mark.filterwarnings('ignore:.*:RuntimeWarning')
def test_without_a_whole_window_it_is_no_number():
    assert np.isnan(ssim_of_channel(np.zeros((10, 30)), np.zeros((10, 30))))
    assert np.isnan(_ssim(np.zeros((10, 30)), np.zeros((10, 30))))
