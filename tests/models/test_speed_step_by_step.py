"""The model step by step: the speed options leave what it learns alone."""

import pytest
import torch

from s3net_plugin.utils.checkpoint import load_weights_only
from s3net_plugin.utils.errors import OptionError, RunError
from tests.models.runs import equal
from tests.models.steps import S3NET, SLOW, batch, curve, gradient, step, tensors


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
    resumed.resume_training(load_weights_only(tmp_path / 'training_states/3.state'))
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
    content = load_weights_only(path)
    assert content['params'].keys() == content['params_ema'].keys() == plain.net_g.state_dict().keys()
    for options in ({}, {'train:compile': True}):
        again = build({**options, 'path:pretrain_network_g': str(path)}, seed=1)
        assert equal(tensors(again.net_g), content['params'])


def test_padded_channels_train_the_same_and_are_in_no_checkpoint(build, tmp_path):
    options = {'train:pad_channels': True, **SLOW}
    plain, padded = build(SLOW, network=S3NET), build(options, network=S3NET)
    count = [sum(parameter.numel() for parameter in model.net_g.parameters()) for model in (plain, padded)]
    assert count[1] > count[0]
    assert torch.allclose(curve(plain, 4), curve(padded, 4), rtol=1e-4)
    padded.save(0, 4)
    content = load_weights_only(tmp_path / 'models/net_g_4.pth')
    for name, tensor in plain.net_g.state_dict().items():
        assert content['params'][name].shape == content['params_ema'][name].shape == tensor.shape
    state = load_weights_only(tmp_path / 'training_states/4.state')
    weights = {'path:pretrain_network_g': str(tmp_path / 'models/net_g_4.pth')}
    resumed = build({**options, **weights}, network=S3NET, seed=1)
    resumed.resume_training(state)
    for model in (padded, resumed):
        torch.manual_seed(0)
        step(model, 5)
    assert equal(tensors(padded.net_g), tensors(resumed.net_g))
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
    resumed.resume_training(load_weights_only(tmp_path / 'training_states/1.state'))
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
