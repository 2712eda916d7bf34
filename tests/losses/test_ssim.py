import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from s3net_plugin.losses.ssim import ssim_map
from tests import oracles
from tests.losses.reference import image_pair


def test_inside_equals_scikit_image():
    pred, target = image_pair(3, (2, 3, 24, 31), torch.float64)
    found = ssim_map(pred, target).detach().numpy()
    for n in range(2):
        _, oracle = structural_similarity(
            pred[n].detach().numpy(),
            target[n].numpy(),
            channel_axis=0,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        np.testing.assert_allclose(found[n, :, 5:-5, 5:-5], oracle[:, 5:-5, 5:-5], atol=1e-10)


@pytest.mark.parametrize(('shape', 'window_size'), [((2, 3, 17, 12), 11), ((1, 1, 4, 3), 11), ((1, 2, 9, 9), 5)])
def test_value_and_gradient_equal_the_dense_window_up_to_the_borders(shape, window_size):
    pred, target = image_pair(4, shape, torch.float64)
    found, expected = ssim_map(pred, target, window_size), oracles.ssim_map(pred, target, window_size)
    torch.testing.assert_close(found, expected)
    weights = torch.rand_like(found)
    gradients = [torch.autograd.grad((value * weights).sum(), pred)[0] for value in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_first_and_second_gradients_are_right_in_float64():
    pred, target = image_pair(5, (1, 2, 4, 5), torch.float64)
    assert torch.autograd.gradcheck(lambda image: ssim_map(image, target, 5), pred)
    assert torch.autograd.gradgradcheck(lambda image: ssim_map(image, target, 5), pred)


def test_channels_last_images_give_the_same():
    pred, target = image_pair(6, (2, 3, 16, 20))
    last = [image.contiguous(memory_format=torch.channels_last) for image in (pred, target)]
    torch.testing.assert_close(ssim_map(*last), ssim_map(pred, target))
