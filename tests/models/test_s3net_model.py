"""The model on its own, step by step: what the speed options change and what they leave alone."""

import math

import pytest
import torch
from torch import nn

from s3net_plugin.models import S3NetModel
from s3net_plugin.utils.checkpoint import load_plain
from s3net_plugin.utils.errors import OptionError, RunError
from tests.conftest import change

TINY = {'type': 'TinyNet'}
S3NET = {'type': 'S3Net', 'encoder': 'resnet10t', 'residual': True}
SLOW = {'train:optim_g': {'type': 'Adam', 'lr': 0.0003}}


@pytest.fixture
def build(tiny_options, tmp_path):
    """Build the model of an option file as BasicSR does."""

    def model(changes=None, *, network=TINY, seed=0):
        opt = change(tiny_options, {'network_g': dict(network), **(changes or {})})
        opt |= {'is_train': True, 'dist': False, 'rank': 0, 'world_size': 1}
        for name in ('models', 'training_states', 'experiments_root'):
            opt['path'][name] = str(tmp_path / name)
            (tmp_path / name).mkdir(exist_ok=True)
        torch.manual_seed(seed)
        return S3NetModel(opt)

    yield model
    torch.backends.cudnn.benchmark = False


def batch(size=4, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lq = torch.rand(size, 8, side, side, generator=generator)
    gt = (lq[:, :3] * torch.tensor([0.9, 0.6, 0.4]).view(3, 1, 1)).clamp(0, 1)
    return {'lq': lq, 'gt': gt, 'lq_path': [f'sample{seed}_{i}.png' for i in range(size)]}


def curve(model, iterations=25, **kwargs):
    """Train on a stream of batches and return the loss of every step."""
    losses = []
    for iteration in range(1, iterations + 1):
        model.update_learning_rate(iteration)
        model.feed_data(batch(seed=iteration, **kwargs))
        model.optimize_parameters(iteration)
        losses.append(model.get_current_log()['l_pix'])
    return torch.tensor(losses)


def step(model, iteration=1, data=None):
    model.feed_data(data or batch(seed=iteration))
    model.optimize_parameters(iteration)


def tensors(net):
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def gradient(model):
    return torch.cat([parameter.grad.flatten() for parameter in model.net_g.parameters()])


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# -- speed options ---------------------------------------------------------------------------------------------------


def test_bfloat16_has_the_loss_curve_of_float32_within_half_a_percent(build):
    plain = curve(build(SLOW, network=S3NET))
    mixed = curve(build({**SLOW, 'train:amp': 'bfloat16'}, network=S3NET))
    assert plain[-1] < 0.7 * plain[0]
    assert not torch.equal(plain, mixed)
    assert torch.allclose(plain, mixed, rtol=5e-3, atol=0)


def test_channels_last_has_the_loss_curve_of_the_default_layout(build):
    plain = curve(build(SLOW, network=S3NET), 10)
    model = build({**SLOW, 'train:channels_last': True}, network=S3NET)
    for net in (model.net_g, model.net_g_ema):
        assert net.encoder.conv1[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(plain, curve(model, 10), rtol=1e-4, atol=0)


def test_float16_scales_the_loss_and_has_the_same_curve(build):
    plain = curve(build(), 10)
    model = build({'train:amp': 'float16'})
    assert torch.allclose(plain, curve(model, 10), rtol=5e-3, atol=0)
    assert model.get_current_log()['loss_scale'] == 2**16


@pytest.mark.parametrize('clip', [None, 0.1])
def test_float16_lowers_its_scale_after_a_bad_step_and_keeps_it_in_the_state(build, tmp_path, clip):
    options = {'train:amp': 'float16', 'train:grad_clip': clip, 'train:bad_opt': {'type': 'FailingLoss', 'calls': [2]}}
    model = build(options)
    for iteration in (1, 2, 3):
        step(model, iteration)
    assert (model.get_current_log()['skipped'], model.get_current_log()['loss_scale']) == (1, 2**15)
    model.save(0, 3)
    resumed = build(options)
    resumed.resume_training(load_plain(tmp_path / 'training_states/3.state'))
    assert resumed.get_current_log()['loss_scale'] == 2**15
    assert resumed.get_current_log()['skipped'] == 1


def test_float16_that_can_never_succeed_ends_the_run(build):
    model = build({'train:amp': 'float16', 'train:max_nonfinite': 100})
    data = batch()
    data['lq'] *= 1e30
    with pytest.raises(RunError, match='set train:amp to bfloat16'):
        for iteration in range(1, 30):
            step(model, iteration, data)
            model.precision.scale()


@pytest.mark.parametrize('slices', [2, 5])
def test_accumulation_has_the_gradient_of_the_whole_batch(build, slices):
    models = [build({'train:accumulate': count}, network=S3NET) for count in (1, slices)]
    for model in models:
        model.net_g.eval()  # BatchNorm in training would see the slices one by one
        step(model, data=batch(10))
    whole, sliced = map(gradient, models)
    assert torch.allclose(whole, sliced, rtol=1e-4, atol=1e-6 * whole.abs().max())
    assert models[0].get_current_log()['l_pix'] == pytest.approx(models[1].get_current_log()['l_pix'])


def test_compiled_checkpoints_load_without_compile_and_the_other_way_round(build, compiler_backend, tmp_path):
    compiler_backend('eager')
    plain, compiled = build(), build({'train:compile': True})
    assert torch.allclose(curve(plain, 6), curve(compiled, 6), rtol=1e-5)
    from torch._dynamo.utils import counters

    assert counters['frames']['ok'] > 0
    compiled.save(0, 6)
    path = tmp_path / 'models/net_g_6.pth'
    content = load_plain(path)
    assert content['params'].keys() == content['params_ema'].keys() == plain.net_g.state_dict().keys()
    for options in ({}, {'train:compile': True}):
        again = build({**options, 'path:pretrain_network_g': str(path)}, seed=1)
        assert same(tensors(again.net_g), content['params'])


def test_padded_channels_train_the_same_and_are_in_no_checkpoint(build, tmp_path):
    options = {'train:pad_channels': True, **SLOW}
    plain, padded = build(SLOW, network=S3NET), build(options, network=S3NET)
    count = [sum(parameter.numel() for parameter in model.net_g.parameters()) for model in (plain, padded)]
    assert count[1] > count[0]
    assert torch.allclose(curve(plain, 4), curve(padded, 4), rtol=1e-4)
    padded.save(0, 4)
    content = load_plain(tmp_path / 'models/net_g_4.pth')
    for name, tensor in plain.net_g.state_dict().items():
        assert content['params'][name].shape == content['params_ema'][name].shape == tensor.shape
    state = load_plain(tmp_path / 'training_states/4.state')
    weights = {'path:pretrain_network_g': str(tmp_path / 'models/net_g_4.pth')}
    resumed = build({**options, **weights}, network=S3NET, seed=1)
    resumed.resume_training(state)
    for model in (padded, resumed):
        torch.manual_seed(0)
        step(model, 5)
    assert same(tensors(padded.net_g), tensors(resumed.net_g))
    with pytest.raises(OptionError, match='train:pad_channels: the run that goes on had true'):
        build({**SLOW, **weights}, network=S3NET).resume_training(state)


def test_the_norm_of_the_gradient_is_clipped(build):
    free, clipped, wide = (build({'train:grad_clip': limit}) for limit in (None, 0.01, 1e6))
    for model in (free, clipped, wide):
        step(model)
    assert gradient(clipped).norm() == pytest.approx(0.01, rel=1e-3)
    assert torch.allclose(gradient(clipped), gradient(free) * (0.01 / gradient(free).norm()), rtol=1e-3)
    assert torch.equal(gradient(wide), gradient(free))


def test_a_fused_optimizer_takes_the_same_steps(build):
    adam = {'type': 'Adam', 'lr': 0.01, 'betas': [0.9, 0.99]}
    models = [build({'train:optim_g': {**adam, 'fused': fused}}) for fused in (False, True)]
    assert models[1].optimizer_g.defaults['fused']
    plain, fused = (curve(model) for model in models)
    assert torch.allclose(plain, fused, rtol=1e-5)


@pytest.mark.parametrize('amp', [None, 'float16'])
@pytest.mark.parametrize('fused', [False, True])
def test_a_resumed_optimizer_is_fused_if_the_option_file_says_so(build, tmp_path, fused, amp):
    def options(fused):
        return {'train:amp': amp, 'train:optim_g': {'type': 'Adam', 'lr': 0.01, 'fused': fused}}

    model = build(options(not fused))
    step(model, 1)
    model.save(0, 1)
    resumed = build({**options(fused), 'path:pretrain_network_g': str(tmp_path / 'models/net_g_1.pth')})
    resumed.resume_training(load_plain(tmp_path / 'training_states/1.state'))
    assert resumed.optimizer_g.param_groups[0]['fused'] is fused
    for each in (model, resumed):
        step(each, 2)
    expected = tensors(model.net_g)
    for name, tensor in tensors(resumed.net_g).items():
        torch.testing.assert_close(tensor, expected[name], msg=name)


def test_any_optimizer_of_torch_will_do(build):
    model = build({'train:optim_g': {'type': 'AdamW', 'lr': 0.01, 'weight_decay': 0.1}})
    assert type(model.optimizer_g) is torch.optim.AdamW
    assert curve(model)[-1] < 0.7 * curve(build())[0]


def test_synchronised_batch_norm_needs_gpus(build):
    with pytest.raises(ValueError, match='train:sync_bn needs GPUs and a launcher'):
        build({'train:sync_bn': True})


@pytest.mark.parametrize('wanted', [True, False])
def test_cudnn_benchmark_is_as_asked_for(build, wanted):
    torch.backends.cudnn.benchmark = not wanted
    build({'train:cudnn_benchmark': wanted})
    assert torch.backends.cudnn.benchmark is wanted
    build()
    assert torch.backends.cudnn.benchmark is wanted


@pytest.mark.parametrize(
    'network', [S3NET, {'type': 'S3Net', 'encoder': 'res2net101d'}], ids=lambda options: options['encoder']
)
def test_every_parameter_has_a_gradient(build, network):
    """A parameter without one stops distributed training."""
    model = build(network=network)
    step(model, data=batch(2))
    without = [name for name, parameter in model.net_g.named_parameters() if parameter.grad is None]
    assert not without


# -- the average -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('layout', [False, True])
def test_the_average_follows_the_parameters_and_has_the_statistics(build, layout):
    model = build({'train:ema_decay': 0.9, 'train:channels_last': layout})
    before = tensors(model.net_g_ema)
    assert same(before, tensors(model.net_g))
    step(model)
    for name, value in model.net_g_ema.state_dict().items():
        now = model.net_g.state_dict()[name]
        is_parameter = name in dict(model.net_g.named_parameters())
        expected = 0.9 * before[name] + 0.1 * now if is_parameter else now
        assert torch.allclose(value, expected, atol=1e-7)
        assert not torch.equal(now, before[name])


def test_without_an_average_checkpoints_hold_one_network(build, tmp_path):
    model = build({'train:ema_decay': 0})
    step(model)
    model.save(0, 1)
    assert load_plain(tmp_path / 'models/net_g_1.pth').keys() == {'params', 'network_g'}


# -- steps that fail -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('decay', [0, 0.5])
@pytest.mark.parametrize('accumulate', [1, 2])
def test_a_failed_step_leaves_everything_as_it_was(build, decay, accumulate):
    call = 2 * accumulate  # the last slice of the second step
    options = {'train:accumulate': accumulate, 'train:ema_decay': decay}
    model = build({**options, 'train:bad_opt': {'type': 'FailingLoss', 'calls': [call]}})
    spared = build({**options, 'train:bad_opt': {'type': 'FailingLoss'}})
    for one in (model, spared):
        step(one, 1)
    before = tensors(model.net_g)
    step(model, 2)
    assert same(tensors(model.net_g), before)
    assert math.isnan(model.get_current_log()['l_bad'])
    assert model.get_current_log()['skipped'] == 1
    for one in (model, spared):
        step(one, 3)
    # weights, BatchNorm's statistics, the average and the optimizer: as if the second step had never been tried
    assert not same(tensors(model.net_g), before)
    assert same(tensors(model.net_g), tensors(spared.net_g))
    if decay:
        assert same(tensors(model.net_g_ema), tensors(spared.net_g_ema))


def test_a_gradient_that_is_not_finite_is_skipped_where_it_is_clipped(build):
    class Steep(nn.Module):
        def forward(self, output, target):
            return (output * 0).sum().abs().sqrt()  # value 0, slope not a number

    model = build({'train:grad_clip': 1.0})
    model.objective._losses.append(('l_steep', Steep()))
    before = tensors(model.net_g)
    step(model)
    assert same(tensors(model.net_g), before)
    assert model.get_current_log()['skipped'] == 1


def test_too_many_failed_steps_in_a_row_end_the_run_and_name_the_samples(build):
    failing = {'train:bad_opt': {'type': 'FailingLoss', 'calls': [1, 2, 4, 5, 6]}, 'train:max_nonfinite': 3}
    model = build(failing)
    for iteration in range(1, 6):
        step(model, iteration)
    with pytest.raises(RunError) as error:
        step(model, 6)
    text = str(error.value)
    assert text.startswith('iteration 6: loss or gradient was not finite 3 times in a row (train:max_nonfinite)')
    assert 'sample6_0.png, sample6_1.png, sample6_2.png, sample6_3.png' in text
    assert len(text.splitlines()) == 1


def test_weights_that_are_not_finite_are_not_saved(build, tmp_path):
    model = build()
    model.save(0, 1)
    with torch.no_grad():
        model.net_g.conv1.weight[0, 0, 0, 0] = float('nan')
    with pytest.raises(RunError, match='not finite any more, and are not saved'):
        model.save(0, 2)
    with pytest.raises(RunError, match='not finite any more'):
        model.validation(None, 2, None)  # which would save the best network
    assert [path.name for path in (tmp_path / 'models').iterdir()] == ['net_g_1.pth']


# -- going on --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('fused', [False, True])
def test_a_run_may_change_its_memory_layout_when_it_goes_on(build, tmp_path, fused):
    options = {'train:optim_g': {'type': 'Adam', 'lr': 0.01, 'fused': fused}}
    network = {**TINY, 'batch_norm': False}  # which makes the gradient of a bias rounding, and Adam magnifies that
    model = build(options, network=network)
    curve(model, 3)
    model.save(0, 3)
    saved = {'path:pretrain_network_g': str(tmp_path / 'models/net_g_3.pth')}
    results = []
    for layout in (False, True):
        resumed = build({**options, **saved, 'train:channels_last': layout}, network=network)
        resumed.resume_training(load_plain(tmp_path / 'training_states/3.state'))
        step(resumed, 4)
        results.append(tensors(resumed.net_g))
    for name, value in results[0].items():
        assert torch.allclose(value, results[1][name], atol=1e-6)


def test_states_hold_tensors_and_plain_values_only(build, tmp_path):
    model = build({'train:amp': 'float16'})
    step(model)
    model.best_metric_results = {'val': {'psnr': {'better': 'higher', 'val': torch.tensor(1.0), 'iter': 1}}}
    model.save(0, 1)
    assert torch.load(tmp_path / 'models/net_g_1.pth', weights_only=True)['network_g'] == TINY
    state = torch.load(tmp_path / 'training_states/1.state', weights_only=True)
    assert state['best_metric_results']['val']['psnr']['val'] == 1.0
