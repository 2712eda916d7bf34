import numpy as np
import pytest
import pywt
import torch

from s3net_plugin.losses import dwt2, minimum_side, wavelet_filters


@pytest.mark.parametrize('wavelet', ['haar', 'db2', 'sym4', 'coif1', 'db5'])
@pytest.mark.parametrize('side', [(24, 31), (25, 30)])
def test_bands_equal_pywavelets_inside(wavelet, side):
    images = np.random.default_rng(1).standard_normal((1, 2, *side))
    filters = wavelet_filters(wavelet)
    taps = len(filters.low)
    # the 'horizontal detail', which comes first, is low along the width and high along the height
    ll, (hl, lh, hh) = pywt.dwt2(images, wavelet, mode='zero')
    for band, oracle in zip(dwt2(torch.from_numpy(images), filters), (ll, lh, hl, hh), strict=True):
        first, (height, width) = taps // 2 - 1, band.shape[2:]
        assert (height, width) == tuple((n - taps) // 2 + 1 for n in side)
        inside = oracle[..., first : first + height, first : first + width]
        np.testing.assert_allclose(band.numpy(), inside, atol=1e-12)


@pytest.mark.parametrize(('wavelet', 'levels'), [('haar', 1), ('haar', 3), ('db2', 2), ('sym4', 2)])
def test_minimum_side_leaves_one_coefficient_and_one_less_leaves_none(wavelet, levels):
    filters = wavelet_filters(wavelet)
    side = minimum_side(filters, levels)
    images = torch.rand(1, 1, side, side)
    for _ in range(levels):
        images = dwt2(images, filters).ll
    assert images.shape == (1, 1, 1, 1)
    size = side - 1
    for _ in range(levels):
        size = (size - len(filters.low)) // 2 + 1
    assert size < 1
