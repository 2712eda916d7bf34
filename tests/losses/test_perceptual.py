import pytest
import torch
import torch.nn.functional as F
from torchvision.models import vgg19

from s3net_plugin.losses import S3NetPerceptualLoss, VGG19Features, perceptual_loss
from s3net_plugin.losses.perceptual import DEFAULT_LAYER_WEIGHTS
from tests.losses.reference import assert_names_both_shapes, cases, image_pair


@pytest.fixture(scope='module')
def loss(vgg_file):
    return S3NetPerceptualLoss(weights=vgg_file)


@pytest.mark.parametrize('case', cases('perceptual'))
def test_value_and_gradient_norm_are_the_reference(case, loss):
    assert case['salt'] == 0
    pred, target = image_pair(case['seed'], case['shape'])
    value, style = loss(pred, target)
    value.backward()
    assert style is None
    assert value.item() == pytest.approx(case['loss'], rel=1e-4)
    assert pred.grad.norm().item() == pytest.approx(case['grad_norm'], rel=1e-4)


def plain_loss(pred, target, state, layer_weights):
    """Frozen VGG19 of torchvision in its own layout; layers by their position."""
    with torch.device('meta'):
        features = vgg19(init_weights=False).features[:12]
    names = {f'features.{name}' for name in features.state_dict()}
    features.load_state_dict({name.removeprefix('features.'): state[name] for name in names}, assign=True)
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


def test_equal_images_give_zero(loss):
    image = torch.rand(1, 3, 16, 16)
    assert loss(image, image)[0].item() == 0


def test_gradient_is_right_in_float64():
    vgg = VGG19Features(['relu1_1', 'conv2_1'], 'random').double()
    pred, target = image_pair(5, (1, 3, 3, 4), torch.float64)
    assert torch.autograd.gradcheck(
        lambda image: perceptual_loss(image, target, vgg, {'relu1_1': 1, 'conv2_1': 0.5}), pred
    )


def test_gradient_reaches_pred_only(loss):
    pred, target = image_pair(1, (1, 3, 16, 16))
    loss(pred, target.requires_grad_())[0].backward()
    assert target.grad is None
    assert pred.grad.norm() > 0
    assert all(not value.requires_grad and value.grad is None for value in loss.parameters())


def test_features_are_the_same_in_train_and_eval_mode(loss):
    pred, target = image_pair(1, (1, 3, 16, 16))
    values = [loss.train(mode)(pred, target)[0] for mode in (True, False)]
    assert torch.equal(*values)


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


def test_half_precision_images_work_outside_autocast(loss):
    pred, target = (image.detach().bfloat16() for image in image_pair(1, (1, 3, 16, 16)))
    torch.testing.assert_close(loss(pred, target)[0], loss(pred.float(), target.float())[0])


def test_compiles_to_one_graph_forward_and_backward(loss):
    pred, target = image_pair(2, (1, 3, 16, 20))
    compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
    values = [function(pred, target)[0] for function in (loss, compiled)]
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(value, pred)[0] for value in values))


def test_weight_scales_the_loss(loss, vgg_file):
    pred, target = image_pair(1, (1, 3, 16, 16))
    scaled, _ = S3NetPerceptualLoss(loss_weight=0.25, weights=vgg_file)(pred, target)
    torch.testing.assert_close(scaled, 0.25 * loss(pred, target)[0])
    torch.testing.assert_close(scaled, 0.25 * perceptual_loss(pred, target, loss.vgg, DEFAULT_LAYER_WEIGHTS))


@pytest.mark.parametrize(
    ('first', 'second'),
    [((3, 8, 8), (3, 8, 8)), ((1, 3, 8, 8), (1, 3, 8, 9)), ((1, 1, 8, 8), (1, 1, 8, 8)), ((1, 3, 3, 8), (1, 3, 3, 8))],
)
def test_wrong_shapes_are_named(first, second, loss):
    with pytest.raises(ValueError, match='perceptual_loss') as error:
        loss(torch.zeros(first), torch.zeros(second))
    assert_names_both_shapes(error, first, second)


def test_smallest_side_works(loss):
    assert loss.vgg.minimum_side == 4
    assert torch.isfinite(loss(torch.rand(1, 3, 4, 5), torch.rand(1, 3, 4, 5))[0])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'layer_weights': {'relu1_7': 1}}, "no layer 'relu1_7'; did you mean 'relu1_"),
        ({'layer_weights': {}}, 'no layer of VGG19 is named'),
        ({'layer_weights': {'relu1_1': '1/32'}}, "layer_weights: relu1_1 is the text '1/32'"),
        ({'layer_weights': ['relu1_1']}, 'layer_weights must map layers to numbers'),
        ({'loss_weight': '1e-2'}, "loss_weight is the text '1e-2'"),
        ({'normalize_input': 'no'}, "normalize_input must be true or false, got 'no'"),
        ({'weights': None}, "weights must be 'imagenet', 'random' or a path, got None"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        S3NetPerceptualLoss(**{'weights': 'random', **options})
