"""What every loss promises, said once: the test class of a loss inherits it and says how that loss is built."""

import re

import pytest
import torch

from tests.losses.reference import VALUES, image_pair


def value(loss, pred, target):
    """The scalar of a loss that returns it alone, or in front of BasicSR's style loss."""
    result = loss(pred, target)
    return result[0] if isinstance(result, tuple) else result


class LossContract:
    """Attributes of a subclass:

    function: what messages begin with.
    reference: key of the recorded values; ``case_options`` are the options that a case gives.
    equal: the loss of equal images.
    smallest: pairs of options and of the height and width from which images are taken.
    gradchecks: pairs of options and of a shape small enough for finite differences.
    """

    case_options = ()
    smallest = (({}, 1),)

    def build(self, **options):
        """The registered class with ``options``."""
        raise NotImplementedError

    def test_value_and_gradient_norm_are_the_reference(self):
        assert VALUES[self.reference]
        for case in VALUES[self.reference]:
            pred, target = image_pair(case['seed'], case['shape'])
            found = value(self.build(**{name: case[name] for name in self.case_options}), pred, target)
            found.backward()
            assert found.item() == pytest.approx(case['loss'], rel=1e-4)
            if 'grad_norm' in case:
                assert pred.grad.norm().item() == pytest.approx(case['grad_norm'], rel=1e-4)

    def test_equal_images_give_the_least_value_and_no_gradient(self):
        image = image_pair(3, (1, 3, 48, 37))[0]
        loss = self.build()
        found = value(loss, image, image.detach())
        found.backward()
        assert found.item() == pytest.approx(self.equal, abs=1e-6)
        assert image.grad.norm().item() == pytest.approx(0, abs=1e-6)
        assert value(loss, *image_pair(3, (1, 3, 48, 37))).item() > self.equal

    def test_gradient_is_right_in_float64(self):
        for options, shape in self.gradchecks:
            loss = self.build(**options).double()
            pred, target = image_pair(5, shape, torch.float64)
            assert torch.autograd.gradcheck(lambda image, loss=loss, wanted=target: value(loss, image, wanted), pred)

    def test_gradient_reaches_pred_only(self):
        loss = self.build()
        pred, target = image_pair(1, (1, 3, 16, 16))
        value(loss, pred, target.requires_grad_()).backward()
        assert target.grad is None
        assert pred.grad.norm() > 0
        assert all(not weight.requires_grad and weight.grad is None for weight in loss.parameters())

    @pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
    def test_half_precision_images_are_compared_in_fp32(self, dtype):
        loss = self.build()
        pred, target = (image.detach().to(dtype) for image in image_pair(1, (1, 3, 32, 32)))
        expected = value(loss, pred.float(), target.float())
        assert expected.dtype == torch.float32
        torch.testing.assert_close(value(loss, pred, target), expected, rtol=0, atol=0)
        if not getattr(loss, 'follows_autocast', False):
            with torch.autocast('cpu', dtype=dtype):
                torch.testing.assert_close(value(loss, pred, target), expected, rtol=0, atol=0)

    def test_compiles_to_one_graph_forward_and_backward(self):
        loss = self.build()
        pred, target = image_pair(2, (1, 3, 24, 20))
        compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
        values = [value(function, pred, target) for function in (loss, compiled)]
        torch.testing.assert_close(*values)
        torch.testing.assert_close(*(torch.autograd.grad(found, pred)[0] for found in values))

    def test_weight_scales_the_loss(self):
        pred, target = image_pair(1, (1, 3, 16, 16))
        scaled = value(self.build(loss_weight=0.25), pred, target)
        torch.testing.assert_close(scaled, 0.25 * value(self.build(), pred, target))

    def test_a_video_is_a_batch_of_its_frames(self):
        loss = self.build()
        video, target = image_pair(6, (2, 3, 3, 20, 24))
        frames, wanted = video.flatten(0, 1), target.flatten(0, 1)
        found = value(loss, video, target)
        each = [value(loss, *pair) for pair in zip(frames.split(1), wanted.split(1), strict=True)]
        torch.testing.assert_close(found, torch.stack(each).mean())
        gradients = [torch.autograd.grad(result, video)[0] for result in (found, value(loss, frames, wanted))]
        torch.testing.assert_close(*gradients)
        assert torch.equal(value(loss, video[None], target[None]), found)
        torch.testing.assert_close(value(loss, frames[0], wanted[0]), each[0])

    @pytest.mark.parametrize(
        ('first', 'second'),
        [
            ((16, 16), (16, 16)),
            ((2, 3, 16, 16), (2, 3, 16, 17)),
            ((1, 3, 16, 16), (1, 1, 16, 16)),
            ((1, 3, 16, 16), (3, 16, 16)),
            ((1, 2, 3, 16, 16), (2, 3, 16, 16)),
            ((0, 3, 16, 16), (0, 3, 16, 16)),
        ],
    )
    def test_wrong_shapes_are_named(self, first, second):
        message = f'{self.function}: .*{re.escape(str(first))}.*{re.escape(str(second))}'
        with pytest.raises(ValueError, match=message):
            self.build()(torch.zeros(first), torch.zeros(second))

    def test_smallest_side_works_and_one_less_is_named(self):
        for options, side in self.smallest:
            loss = self.build(**options)
            assert torch.isfinite(value(loss, *torch.rand(2, 1, 3, side, side + 5)))
            with pytest.raises(ValueError, match=f'at least {side} and .*{re.escape(str((1, 3, side + 5, side - 1)))}'):
                loss(*torch.rand(2, 1, 3, side + 5, side - 1))

    def test_integer_images_are_refused(self):
        image = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
        with pytest.raises(ValueError, match=r'floating point.*uint8'):
            self.build()(image, image)
