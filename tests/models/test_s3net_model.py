"""The model step by step: averages, steps that fail, and what goes on from a state."""

import math

import pytest
import torch
from torch import nn

from s3net_plugin.models import S3NetModel
from s3net_plugin.utils.checkpoint import load_weights_only
from s3net_plugin.utils.errors import RunError
from tests.models.runs import equal
from tests.models.steps import TINY, curve, step, tensors


@pytest.mark.parametrize(
    'method', ['model_to_device', 'model_ema', 'save_network', 'save_training_state', 'load_network']
)
def test_what_a_stock_model_lacks_is_its_own(method):
    """BasicSR's ``BaseModel`` is mended for stock models only, and only while a command runs."""
    assert method in vars(S3NetModel)


# -- the average -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('layout', [False, True])
def test_the_average_follows_the_parameters_and_has_the_statistics(build, layout):
    model = build({'train:ema_decay': 0.9, 'train:channels_last': layout})
    before = tensors(model.net_g_ema)
    assert equal(before, tensors(model.net_g))
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
    assert load_weights_only(tmp_path / 'models/net_g_1.pth').keys() == {'params', 'network_g'}


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
    assert equal(tensors(model.net_g), before)
    assert math.isnan(model.get_current_log()['l_bad'])
    assert model.get_current_log()['skipped'] == 1
    for one in (model, spared):
        step(one, 3)
    # weights, BatchNorm's statistics, the average and the optimizer: as if the second step had never been tried
    assert not equal(tensors(model.net_g), before)
    assert equal(tensors(model.net_g), tensors(spared.net_g))
    if decay:
        assert equal(tensors(model.net_g_ema), tensors(spared.net_g_ema))


def test_a_gradient_that_is_not_finite_is_skipped_where_it_is_clipped(build):
    class Steep(nn.Module):
        def forward(self, output, target):
            return (output * 0).sum().abs().sqrt()  # value 0, slope not a number

    model = build({'train:grad_clip': 1.0})
    model.criterion._losses.append(('l_steep', Steep()))
    before = tensors(model.net_g)
    step(model)
    assert equal(tensors(model.net_g), before)
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
        resumed.resume_training(load_weights_only(tmp_path / 'training_states/3.state'))
        step(resumed, 4)
        results.append(tensors(resumed.net_g))
    for name, value in results[0].items():
        assert torch.allclose(value, results[1][name], atol=1e-6)


def test_states_hold_tensors_and_plain_values_only(build, tmp_path):
    model = build({'train:amp': 'float16'})
    step(model)
    model.best_metric_results['val'] = {'psnr': {'better': 'higher', 'val': torch.tensor(1.0), 'iter': 1}}
    model.save(0, 1)
    assert torch.load(tmp_path / 'models/net_g_1.pth', weights_only=True)['network_g'] == TINY
    state = torch.load(tmp_path / 'training_states/1.state', weights_only=True)
    assert state['validation']['val']['psnr']['val'] == 1.0
