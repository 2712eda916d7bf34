import numpy as np
import pytest

from s3net_plugin.metrics import calculate_lpips, calculate_mps, calculate_relight_ssim


@pytest.mark.parametrize('mode', ['skimage7', 'gaussian11'])
def test_is_the_mean_of_ssim_and_one_less_lpips(images, backbone, mode):
    lpips = {'net': 'squeeze', 'weights': backbone('squeeze'), 'device': 'cpu'}
    expected = (calculate_relight_ssim(*images, 2, mode=mode) + 1 - calculate_lpips(*images, 2, **lpips)) / 2
    assert calculate_mps(*images, 2, mode=mode, **lpips) == pytest.approx(expected, abs=1e-12)
    chw = [image.transpose(2, 0, 1) for image in images]
    assert calculate_mps(*chw, 2, 'CHW', mode=mode, **lpips) == pytest.approx(expected, abs=1e-6)


def test_an_image_is_its_own_match(images, backbone):
    score = calculate_mps(images[0], images[0], 0, net='squeeze', weights=backbone('squeeze'), device='cpu')
    assert score == pytest.approx(1, abs=1e-12)


def test_the_range_holds_for_both_parts(images, backbone):
    options = {'net': 'squeeze', 'weights': backbone('squeeze'), 'device': 'cpu'}
    floats = [image.astype(np.float64) for image in images]
    assert calculate_mps(*floats, 0, data_range=255, **options) == calculate_mps(*images, 0, **options)


def test_lower_is_not_better(images):
    with pytest.raises(ValueError, match='a higher MPS is better'):
        calculate_mps(*images, 0, better='lower')
