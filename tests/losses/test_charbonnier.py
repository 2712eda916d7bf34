import pytest
import torch

from s3net_plugin.losses import S3NetCharbonnierLoss, charbonnier
from tests.losses.contract import LossContract


class TestCharbonnier(LossContract):
    function = 'charbonnier'
    reference = 'charbonnier'
    case_options = ('eps',)
    equal = 1e-3
    gradchecks = (({'eps': 0.01}, (2, 2, 3, 4)),)

    def build(self, **options):
        return S3NetCharbonnierLoss(**options)


def test_equal_images_give_eps():
    image = torch.rand(1, 3, 4, 5)
    assert charbonnier(image, image, 0.25).item() == pytest.approx(0.25)


def test_value_and_gradient_have_their_closed_form():
    pred = torch.full((1, 1, 2, 2), 3e-3, requires_grad=True)
    loss = charbonnier(pred, torch.full((1, 1, 2, 2), -1e-3), 3e-3)
    loss.backward()
    assert loss.item() == pytest.approx(5e-3)
    torch.testing.assert_close(pred.grad, torch.full((1, 1, 2, 2), 4 / 5 / 4))
