import pytest
import torch
from basicsr.losses.basic_loss import CharbonnierLoss

from s3net_plugin.losses import S3NetCharbonnierLoss, charbonnier
from tests.losses.contract import LossContract
from tests.losses.reference import image_pair


class TestCharbonnier(LossContract):
    function = 'charbonnier'
    reference = 'charbonnier'
    case_options = ('eps',)
    equal = 1e-3
    gradchecks = (({'eps': 0.01}, (2, 2, 3, 4)),)

    def build(self, **options):
        return S3NetCharbonnierLoss(**options)


def test_value_and_gradient_have_their_closed_form():
    pred = torch.full((1, 1, 2, 2), 3e-3, requires_grad=True)
    loss = charbonnier(pred, torch.full((1, 1, 2, 2), -1e-3), 3e-3)
    loss.backward()
    assert loss.item() == pytest.approx(5e-3)
    torch.testing.assert_close(pred.grad, torch.full((1, 1, 2, 2), 4 / 5 / 4))


@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none'])
def test_reductions_are_those_of_basicsr(reduction):
    pred, target = image_pair(1, (2, 3, 8, 9))
    options = {'loss_weight': 0.5, 'reduction': reduction}
    expected = CharbonnierLoss(eps=0.01**2, **options)(pred, target)
    torch.testing.assert_close(S3NetCharbonnierLoss(eps=0.01, **options)(pred, target), expected)
