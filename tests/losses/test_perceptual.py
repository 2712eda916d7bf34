import pytest
import torch
import torch.nn.functional as F
from torchvision.models import vgg19

from s3net_plugin.losses import S3NetPerceptualLoss, perceptual_loss
from s3net_plugin.losses.perceptual import DEFAULT_LAYER_WEIGHTS
from tests.losses.contract import LossContract
from tests.losses.reference import VALUES, image_pair


@pytest.fixture(scope='module')
def loss(vgg_file):
    return S3NetPerceptualLoss(weights=vgg_file)


class TestPerceptual(LossContract):
    function = 'perceptual_loss'
    reference = 'perceptual'
    equal = 0
    smallest = (({}, 4),)
    gradchecks = (({'weights': 'random', 'layer_weights': {'relu1_1': 1, 'conv2_1': 0.5}}, (1, 3, 3, 4)),)

    @pytest.fixture(autouse=True)
    def _weights(self, vgg_file):
        assert {case['salt'] for case in VALUES['perceptual']} == {0}
        self.vgg_file = vgg_file

    def build(self, **options):
        return S3NetPerceptualLoss(**{'weights': self.vgg_file, **options})


def plain_loss(pred, target, state, layer_weights):
    """Frozen VGG19 of torchvision in its own layout; layers by their position."""
    with torch.device('meta'):
        features = vgg19(init_weights=False).features[:12]
    features.load_state_dict({name.removeprefix('features.'): value for name, value in state.items()}, assign=True)
    loss = 0
    for position, module in enumerate(features):
        pred, target = module(pred).clone(), module(target).clone()
        if position in layer_weights:
            loss = loss + layer_weights[position] * F.l1_loss(pred, target)
    return loss


@pytest.mark.parametrize('compiled', [False, True])
def test_chunks_have_the_same_value_and_gradient_and_keep_less(compiled, vgg_file):
    pred, target = image_pair(4, (5, 3, 32, 32))

    def compute(chunk_size):
        loss = S3NetPerceptualLoss(weights=vgg_file, chunk_size=chunk_size)
        if compiled:
            loss.compile(backend='aot_eager', dynamic=False)
        kept = set()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.add((t.data_ptr(), t.nbytes)) or t, lambda t: t):
            value, _ = loss(pred, target)
        weights = {parameter.data_ptr() for parameter in loss.parameters()}
        return value, torch.autograd.grad(value, pred)[0], sum(size for place, size in kept if place not in weights)

    *expected, everything = compute(None)
    *found, kept = compute(2)
    torch.testing.assert_close(found, expected)
    assert kept < everything / 10
    torch.testing.assert_close(list(compute(5)[:2]), expected, rtol=0, atol=0)


def test_layers_are_torchvisions_even_before_an_activation_in_place(vgg_file, vgg_state):
    pred, target = image_pair(4, (2, 3, 20, 28))
    names = {'conv1_1': 1, 'relu1_1': 2, 'pool1': 3, 'relu2_1': 0.5, 'conv3_1': 0.25}
    value, _ = S3NetPerceptualLoss(layer_weights=names, weights=vgg_file)(pred, target)
    expected = plain_loss(pred, target, vgg_state, dict(zip((0, 1, 4, 6, 10), names.values(), strict=True)))
    torch.testing.assert_close(value, expected)
    gradients = [torch.autograd.grad(result, pred)[0] for result in (value, expected)]
    torch.testing.assert_close(*gradients)


def test_normalized_input_is_what_torchvision_trained_on(vgg_file, vgg_state):
    pred, target = image_pair(4, (1, 3, 16, 16))
    value, _ = S3NetPerceptualLoss(weights=vgg_file, normalize_input=True)(pred, target)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    expected = plain_loss((pred - mean) / std, (target - mean) / std, vgg_state, {1: 1 / 32, 6: 1 / 16, 11: 1 / 8})
    torch.testing.assert_close(value, expected)


def test_the_class_returns_the_function_and_no_style_loss_in_train_and_eval_mode(loss):
    pred, target = image_pair(1, (1, 3, 16, 16))
    expected = perceptual_loss(pred, target, loss.vgg, DEFAULT_LAYER_WEIGHTS)
    for mode in (True, False):
        value, style = loss.train(mode)(pred, target)
        assert torch.equal(value, expected)
        assert style is None


def test_autocast_runs_vgg_in_bfloat16_and_accumulates_in_fp32(loss):
    pred, target = image_pair(1, (1, 3, 64, 64))
    exact, _ = loss(pred, target)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert loss.vgg(pred)['relu3_1'].dtype == torch.bfloat16
        value, _ = loss(pred, target)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=1e-2)
    assert not torch.equal(value, exact)
    assert torch.isfinite(pred.grad).all()


def test_grey_images_are_refused(loss):
    with pytest.raises(ValueError, match=r'perceptual_loss: expected 3 channels, got pred \(1, 1, 8, 8\)'):
        loss(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))
