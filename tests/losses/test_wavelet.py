import numpy as np
import pytest
import pywt
import torch

from s3net_plugin.losses import dwt2, minimum_side, wavelet_filters


def pywt_bands(images, wavelet, mode):
    """PyWavelets' (LL, LH, HL, HH); its 'horizontal detail' is low along the width and high along the height."""
    ll, (hl, lh, hh) = pywt.dwt2(images, wavelet, mode=mode)
    return ll, lh, hl, hh


@pytest.mark.parametrize('side', [(8, 12), (9, 13)])
def test_haar_bands_equal_pywavelets_on_the_even_part(side):
    images = np.random.default_rng(0).standard_normal((2, 3, *side))
    even = images[..., : side[0] // 2 * 2, : side[1] // 2 * 2]
    expected = pywt_bands(even, 'haar', 'periodization')
    for band, oracle in zip(dwt2(torch.from_numpy(images), wavelet_filters('haar')), expected, strict=True):
        np.testing.assert_allclose(band.numpy(), oracle, atol=1e-12)


@pytest.mark.parametrize('wavelet', ['db2', 'sym4', 'coif1', 'db5'])
@pytest.mark.parametrize('side', [(24, 31), (25, 30)])
def test_bands_of_longer_filters_equal_pywavelets_inside(wavelet, side):
    images = np.random.default_rng(1).standard_normal((1, 2, *side))
    filters = wavelet_filters(wavelet)
    taps = len(filters.low)
    for band, oracle in zip(dwt2(torch.from_numpy(images), filters), pywt_bands(images, wavelet, 'zero'), strict=True):
        first, (height, width) = taps // 2 - 1, band.shape[2:]
        assert (height, width) == tuple((n - taps) // 2 + 1 for n in side)
        inside = oracle[..., first : first + height, first : first + width]
        np.testing.assert_allclose(band.numpy(), inside, atol=1e-12)


def test_haar_keeps_the_energy_of_even_sides():
    images = torch.rand(2, 3, 10, 6, dtype=torch.float64)
    energy = sum(band.square().sum() for band in dwt2(images, wavelet_filters('haar')))
    torch.testing.assert_close(energy, images.square().sum())


def test_band_names_say_which_axis_is_filtered_high():
    stripes = torch.tensor([0.0, 1.0]).repeat(4).view(1, 1, 1, 8).expand(1, 1, 8, 8)  # changes along the width
    bands = dwt2(stripes, wavelet_filters('haar'))
    assert bands.lh.abs().min() > 0.9
    assert bands.hl.abs().max() == bands.hh.abs().max() == 0


@pytest.mark.parametrize('wavelet', ['haar', 'db3'])
def test_gradient_is_right_in_float64(wavelet):
    images = torch.rand(1, 2, 9, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: tuple(dwt2(x, wavelet_filters(wavelet))), images)


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
