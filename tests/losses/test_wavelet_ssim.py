import pytest
import pywt
import torch

from s3net_plugin.losses import S3NetWaveletSSIMLoss, minimum_side, ssim_map, wavelet_filters, wavelet_ssim_loss
from tests.losses.reference import assert_names_both_shapes, cases, image_pair


@pytest.mark.parametrize('case', cases('wavelet_ssim'))
def test_value_and_gradient_norm_are_the_reference(case):
    pred, target = image_pair(case['seed'], case['shape'])
    loss = wavelet_ssim_loss(pred, target, ratio=case['ratio'])
    loss.backward()
    assert loss.item() == pytest.approx(case['loss'], rel=1e-4)
    assert pred.grad.norm().item() == pytest.approx(case['grad_norm'], rel=1e-4)


def band_by_band(pred, target, levels, ratio, wavelet):
    """The loss from PyWavelets' bands, one SSIM a band; Haar on sides that stay even."""
    loss = -ssim_map(pred, target).mean()
    weight = 1.0
    for _ in range(levels):
        (pred, details), (target, target_details) = (
            pywt.dwt2(image.numpy(), wavelet, mode='periodization') for image in (pred, target)
        )
        weights = (weight * ratio * (1 - ratio), weight * ratio * (1 - ratio), weight * (1 - ratio) ** 2)
        for share, band, target_band in zip(weights, details, target_details, strict=True):
            loss -= share * ssim_map(torch.from_numpy(band), torch.from_numpy(target_band)).mean()
        pred, target, weight = torch.from_numpy(pred), torch.from_numpy(target), weight * ratio**2
    return loss - weight * ssim_map(pred, target).mean()


@pytest.mark.parametrize(('levels', 'ratio'), [(1, 0.7), (2, 0.7), (3, 0.4)])
def test_value_equals_one_call_per_band_of_pywavelets(levels, ratio):
    pred, target = (image.detach() for image in image_pair(7, (2, 3, 32, 48), torch.float64))
    found = wavelet_ssim_loss(pred, target, levels=levels, ratio=ratio)
    torch.testing.assert_close(found, band_by_band(pred, target, levels, ratio, 'haar'))


@pytest.mark.parametrize('wavelet', ['haar', 'db2', 'sym4', 'coif1'])
def test_equal_images_give_minus_two(wavelet):
    image = torch.rand(1, 3, 48, 37)
    loss = wavelet_ssim_loss(image, image, filters=wavelet_filters(wavelet))
    assert loss.item() == pytest.approx(-2, abs=1e-6)


def test_no_image_beats_equality():
    pred, target = image_pair(8, (1, 3, 24, 24))
    assert wavelet_ssim_loss(pred, target).item() > -2
    wavelet_ssim_loss(target.requires_grad_(), target).backward()
    assert target.grad.norm().item() == pytest.approx(0, abs=1e-6)


def test_odd_last_row_and_column_count_in_the_image_only():
    pred, target = image_pair(9, (1, 1, 9, 13), torch.float64)
    bands_of_all = wavelet_ssim_loss(pred, target, levels=1) + ssim_map(pred, target).mean()
    even, target_even = pred[..., :8, :12], target[..., :8, :12]
    bands_of_even = wavelet_ssim_loss(even, target_even, levels=1) + ssim_map(even, target_even).mean()
    torch.testing.assert_close(bands_of_all, bands_of_even)


@pytest.mark.parametrize('wavelet', ['haar', 'db2'])
def test_gradient_is_right_in_float64(wavelet):
    filters = wavelet_filters(wavelet)
    pred, target = image_pair(5, (1, 1, minimum_side(filters, 2) + 1, minimum_side(filters, 2)), torch.float64)
    assert torch.autograd.gradcheck(
        lambda image: wavelet_ssim_loss(image, target, filters=filters, window_size=5), pred
    )


def test_gradient_reaches_pred_only():
    pred, target = image_pair(1, (1, 3, 16, 16))
    wavelet_ssim_loss(pred, target.requires_grad_()).backward()
    assert target.grad is None
    assert pred.grad.norm() > 0


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_and_half_precision_images_change_nothing_in_the_arithmetic(dtype):
    pred, target = (image.detach().to(dtype) for image in image_pair(1, (1, 3, 32, 32)))
    with torch.autocast('cpu', dtype=dtype):
        loss = S3NetWaveletSSIMLoss()(pred, target)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, wavelet_ssim_loss(pred.float(), target.float()))


@pytest.mark.parametrize('wavelet', ['haar', 'db2'])
def test_compiles_to_one_graph_forward_and_backward(wavelet):
    loss = S3NetWaveletSSIMLoss(wavelet=wavelet)
    pred, target = image_pair(2, (1, 3, 24, 20))
    compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
    values = [function(pred, target) for function in (loss, compiled)]
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(value, pred)[0] for value in values))


def test_module_applies_its_options_and_weight():
    pred, target = image_pair(1, (1, 3, 40, 40))
    options = {'levels': 1, 'ratio': 0.4, 'window_size': 7}
    found = S3NetWaveletSSIMLoss(loss_weight=0.5, wavelet='db2', **options)(pred, target)
    torch.testing.assert_close(found, 0.5 * wavelet_ssim_loss(pred, target, filters=wavelet_filters('db2'), **options))


@pytest.mark.parametrize(('wavelet', 'side'), [('haar', 4), ('db2', 10)])
def test_sides_from_the_minimum_up_work_and_smaller_ones_are_named(wavelet, side):
    loss = S3NetWaveletSSIMLoss(wavelet=wavelet)
    assert torch.isfinite(loss(torch.rand(1, 3, side, side + 5), torch.rand(1, 3, side, side + 5)))
    shape = (1, 3, side + 5, side - 1)
    with pytest.raises(ValueError, match=f'at least {side}') as error:
        loss(torch.rand(shape), torch.rand(shape))
    assert_names_both_shapes(error, shape, shape)


@pytest.mark.parametrize(('first', 'second'), [((3, 8, 8), (3, 8, 8)), ((1, 3, 8, 8), (1, 3, 8, 9))])
def test_wrong_shapes_are_named(first, second):
    with pytest.raises(ValueError, match='wavelet_ssim_loss') as error:
        wavelet_ssim_loss(torch.zeros(first), torch.zeros(second))
    assert_names_both_shapes(error, first, second)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'levels': 0}, 'levels must be a whole number from 1 up, got 0'),
        ({'levels': 2.0}, 'levels must be a whole number from 1 up, got 2.0'),
        ({'ratio': 1.5}, r'ratio must be finite and in \[0, 1\], got 1.5'),
        ({'ratio': '0.7'}, "ratio is the text '0.7'"),
        ({'window_size': 10}, 'odd number of taps, got 10'),
        ({'window_size': 1}, 'window_size must be a whole number from 3 up'),
        ({'wavelet': 'bior2.2'}, 'not orthogonal'),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        S3NetWaveletSSIMLoss(**options)
