import pytest
import torch

from s3net_plugin.losses import S3NetWaveletSSIMLoss, ssim_map, wavelet_filters, wavelet_ssim_loss
from tests import oracles
from tests.losses.contract import LossContract
from tests.losses.reference import image_pair


class TestWaveletSSIM(LossContract):
    function = 'wavelet_ssim_loss'
    reference = 'wavelet_ssim'
    case_options = ('ratio',)
    equal = -2
    smallest = (({}, 4), ({'wavelet': 'db2'}, 10))
    gradchecks = (({'window_size': 5}, (1, 1, 5, 4)), ({'window_size': 5, 'wavelet': 'db2'}, (1, 1, 11, 10)))

    def build(self, **options):
        return S3NetWaveletSSIMLoss(**options)


def test_options_are_those_of_the_function():
    pred, target = image_pair(1, (1, 3, 40, 40))
    options = {'levels': 1, 'ratio': 0.4, 'window_size': 7}
    expected = wavelet_ssim_loss(pred, target, filters=wavelet_filters('db2'), **options)
    torch.testing.assert_close(S3NetWaveletSSIMLoss(wavelet='db2', **options)(pred, target), expected)


@pytest.mark.parametrize(('levels', 'ratio'), [(1, 0.7), (2, 0.7), (3, 0.4)])
def test_value_equals_one_call_per_band_of_pywavelets(levels, ratio):
    pred, target = (image.detach() for image in image_pair(7, (2, 3, 32, 48), torch.float64))
    found = wavelet_ssim_loss(pred, target, levels=levels, ratio=ratio)
    torch.testing.assert_close(found, oracles.wavelet_ssim(pred, target, levels, ratio))


def test_odd_last_row_and_column_count_in_the_image_only():
    pred, target = image_pair(9, (1, 1, 9, 13), torch.float64)
    bands_of_all = wavelet_ssim_loss(pred, target, levels=1) + ssim_map(pred, target).mean()
    even, target_even = pred[..., :8, :12], target[..., :8, :12]
    bands_of_even = wavelet_ssim_loss(even, target_even, levels=1) + ssim_map(even, target_even).mean()
    torch.testing.assert_close(bands_of_all, bands_of_even)
