import numpy as np
import pytest

from s3net_plugin.metrics.images import to_pair

SQUARE = np.full((8, 8, 3), 51, dtype=np.uint8)


def test_uint8_and_unit_floats_are_brought_to_one_range():
    for dtype in (np.float16, np.float32, np.float64):
        first, second = to_pair(SQUARE, np.full((8, 8, 3), 0.2, dtype=dtype), 0, 'HWC')
        assert first.dtype == second.dtype == np.float64
        np.testing.assert_allclose(first, second, rtol=1e-3 if dtype == np.float16 else 1e-6)


def test_crop_and_order():
    image = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
    for order, form in (('HWC', image), ('CHW', image.transpose(2, 0, 1))):
        for cropped in to_pair(form, form, 2, order):
            np.testing.assert_array_equal(cropped, image[2:4, 2:3])


@pytest.mark.parametrize('order', ['HWC', 'CHW'])
def test_a_grey_image_gets_its_channel(order):
    assert to_pair(SQUARE[..., 0], SQUARE[..., 0], 1, order)[0].shape == (6, 6, 1)


@pytest.mark.parametrize(
    ('dtype', 'largest'), [(np.float32, 255), (np.uint16, 65535), (np.float64, 2.0), (np.uint8, 255)]
)
def test_a_named_range_is_brought_to_255(dtype, largest):
    image = (SQUARE / 255 * largest).astype(dtype)
    for found in to_pair(image, image, 0, 'HWC', largest):
        np.testing.assert_allclose(found, SQUARE, rtol=1e-6)


@pytest.mark.parametrize(
    ('image', 'data_range', 'message'),
    [
        (SQUARE, 1, 'data_range: a uint8 image has 255, got 1'),
        (SQUARE.astype(np.float32), 50, r'lies in \[0, 50\], got values from 51 to 51$'),
        *((SQUARE, wrong, 'data_range must be .* above 0') for wrong in (0, -1, np.nan, np.inf, '255')),
    ],
)
def test_a_range_that_cannot_be_is_refused(image, data_range, message):
    with pytest.raises(ValueError, match=message):
        to_pair(image, image, 0, 'HWC', data_range)


def test_images_of_different_shapes_are_both_named():
    with pytest.raises(ValueError, match=r'\(8, 8, 3\) and \(8, 7, 3\)'):
        to_pair(SQUARE, SQUARE[:, :7], 0, 'HWC')


@pytest.mark.parametrize(
    ('image', 'crop_border', 'order', 'message'),
    [
        (SQUARE, 0, 'HW', "input_order must be 'HWC' or 'CHW', got 'HW'"),
        (SQUARE, -1, 'HWC', 'crop_border must be .* got -1'),
        (SQUARE, True, 'HWC', 'crop_border must be .* got True'),
        (SQUARE, 4, 'HWC', r'nothing is left of an image of shape \(8, 8, 3\) after cropping 4'),
        (SQUARE, 0, 'CHW', r'1 or 3 channels in order CHW is wanted, got shape \(8, 8, 3\)'),
        (SQUARE[None], 0, 'HWC', r'got shape \(1, 8, 8, 3\)'),
        (SQUARE.astype(np.uint16), 0, 'HWC', 'got uint16'),
        (SQUARE.astype(np.float32), 0, 'HWC', 'lies in .0, 1., got values from 51 to 51'),
        (SQUARE * np.nan, 0, 'HWC', 'got values from nan'),
    ],
)
def test_what_is_no_image_is_refused(image, crop_border, order, message):
    with pytest.raises(ValueError, match=message):
        to_pair(image, image, crop_border, order)
