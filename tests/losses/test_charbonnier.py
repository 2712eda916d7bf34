import math

import pytest
import torch

from s3net_plugin.losses import S3NetCharbonnierLoss, charbonnier
from tests.losses.reference import assert_names_both_shapes, cases, image_pair


@pytest.mark.parametrize('case', cases('charbonnier'))
def test_value_is_the_reference(case):
    pred, target = image_pair(case['seed'], case['shape'])
    assert charbonnier(pred, target, case['eps']).item() == pytest.approx(case['loss'], rel=1e-4)


def test_equal_images_give_eps():
    image = torch.rand(1, 3, 4, 5)
    assert charbonnier(image, image, 0.25).item() == pytest.approx(0.25)


def test_value_and_gradient_have_their_closed_form():
    pred = torch.full((1, 1, 2, 2), 3e-3, requires_grad=True)
    loss = charbonnier(pred, torch.full((1, 1, 2, 2), -1e-3), 3e-3)
    loss.backward()
    assert loss.item() == pytest.approx(5e-3)
    torch.testing.assert_close(pred.grad, torch.full((1, 1, 2, 2), 4 / 5 / 4))


def test_gradient_is_right_in_float64():
    pred, target = image_pair(5, (2, 2, 3, 4), torch.float64)
    assert torch.autograd.gradcheck(lambda image: charbonnier(image, target), pred)


def test_gradient_reaches_pred_only_and_is_finite_at_zero():
    pred = torch.zeros(1, 3, 4, 4, requires_grad=True)
    target = torch.zeros(1, 3, 4, 4, requires_grad=True)
    charbonnier(pred, target).backward()
    assert target.grad is None
    assert torch.equal(pred.grad, torch.zeros_like(pred))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_images_are_compared_in_fp32(dtype):
    pred, target = (image.detach().to(dtype) for image in image_pair(1, (1, 3, 16, 16)))
    loss = charbonnier(pred, target)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, charbonnier(pred.float(), target.float()))


def test_compiles_to_one_graph():
    pred, target = image_pair(1, (1, 3, 8, 8))
    compiled = torch.compile(S3NetCharbonnierLoss(), fullgraph=True, backend='aot_eager')
    assert compiled(pred, target).item() == pytest.approx(charbonnier(pred, target).item())


def test_weight_scales_the_loss():
    pred, target = image_pair(1, (1, 3, 8, 8))
    assert S3NetCharbonnierLoss(loss_weight=3, eps=0.1)(pred, target).item() == pytest.approx(
        3 * charbonnier(pred, target, 0.1).item()
    )


@pytest.mark.parametrize(
    ('first', 'second'),
    [((3, 8, 8), (3, 8, 8)), ((1, 3, 8, 8), (1, 1, 8, 8)), ((1, 3, 8, 8), (3, 8, 8)), ((0, 3, 8, 8), (0, 3, 8, 8))],
)
def test_wrong_shapes_are_named(first, second):
    with pytest.raises(ValueError, match='charbonnier') as error:
        charbonnier(torch.zeros(first), torch.zeros(second))
    assert_names_both_shapes(error, first, second)


def test_integer_images_are_refused():
    image = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r'floating point.*uint8'):
        charbonnier(image, image)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'eps': '1e-3'}, r"S3NetCharbonnierLoss: eps is the text '1e-3'"),
        ({'eps': 0}, r'S3NetCharbonnierLoss: eps must be finite and from 1e-12 up'),
        ({'loss_weight': '1'}, r"loss_weight is the text '1'"),
        ({'loss_weight': True}, r'loss_weight must be a number, got True'),
        ({'loss_weight': math.nan}, r'loss_weight must be finite'),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        S3NetCharbonnierLoss(**options)
