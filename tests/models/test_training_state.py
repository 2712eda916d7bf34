import copy
import logging
import math
import random

import numpy as np
import pytest
import torch
from basicsr.models.lr_scheduler import MultiStepRestartLR

from s3net_plugin.models.training_state import (
    RNGState,
    StateSignature,
    ValidationRecord,
    best_of,
    by_parts,
    match_layout,
    override_hyperparameters,
)
from s3net_plugin.utils.checkpoint import load_weights_only, save_atomic
from s3net_plugin.utils.errors import OptionError

METRICS = {'psnr': {'type': 'x'}, 'lpips': {'type': 'y', 'better': 'lower'}}


def results(psnr, lpips, iteration, name='val'):
    entry = {'psnr': {'better': 'higher', 'val': psnr, 'iter': iteration}}
    entry['lpips'] = {'better': 'lower', 'val': lpips, 'iter': iteration}
    return {name: entry}


def test_the_better_of_two_records_counts():
    merged = best_of([results(20.0, 0.3, 100), results(21.0, 0.4, 200)], ['val'], METRICS)
    assert (merged['val']['psnr']['val'], merged['val']['psnr']['iter']) == (21.0, 200)
    assert (merged['val']['lpips']['val'], merged['val']['lpips']['iter']) == (0.3, 100)


def test_data_sets_and_metrics_may_come_and_go():
    old = results(20.0, 0.3, 100, 'old')
    assert best_of([old, {}], ['val'], METRICS) == {}
    merged = best_of([old], ['old', 'new'], {'psnr': METRICS['psnr'], 'ssim': {'type': 'z'}})
    assert merged.keys() == {'old'}
    assert merged['old']['psnr']['val'] == 20.0
    assert merged['old']['ssim'] == {'better': 'higher', 'val': -math.inf, 'iter': -1}


def test_a_metric_that_has_changed_its_direction_starts_anew():
    merged = best_of([results(20.0, 0.3, 100)], ['val'], {'lpips': {'type': 'y'}})
    assert merged['val']['lpips'] == {'better': 'higher', 'val': -math.inf, 'iter': -1}


def test_a_record_comes_back(tmp_path):
    path = tmp_path / 'validation.json'
    best = results(20.0, math.inf, 100)
    record = ValidationRecord(path, ['val', 'other'], METRICS)
    record.best.update(best)
    record.write('val', 100)
    record.write('other', 50)
    again = ValidationRecord(path, ['val', 'other'], METRICS)
    assert again.lacks('val', 0)
    again.load_state_dict({})
    assert again.best == best
    assert not again.lacks('val', 100)
    assert not again.lacks('val', 99)
    assert again.lacks('val', 101)
    assert again.lacks('other', 51)
    assert again.lacks('new', 1)
    assert [entry.name for entry in tmp_path.iterdir()] == ['validation.json']


@pytest.mark.parametrize(
    'content',
    [
        *('', '{', '[]', '{}', '{"validated": 3}', '{"validated": {"val": "x"}, "best": {}}'),
        *('{"validated": {}, "best": 1}', '{"validated": {"val": 1}, "best": {"val": {"psnr": {"better": "higher"}}}}'),
    ],
)
def test_a_damaged_record_counts_as_none(tmp_path, content):
    path = tmp_path / 'validation.json'
    path.write_text(content)
    record = ValidationRecord(path, ['val'], METRICS)
    record.load_state_dict(results(20.0, 0.3, 100))
    assert record.best == results(20.0, 0.3, 100)
    assert record.lacks('val', 1)


def test_what_comes_after_the_state_that_a_run_goes_back_to_has_not_been_validated(tmp_path):
    record = ValidationRecord(tmp_path / 'validation.json', ['val', 'early'], METRICS)
    record.write('val', 20)
    record.write('early', 4)
    record.rewind(8)
    assert record.lacks('val', 12) and not record.lacks('val', 8)
    assert record.lacks('early', 8)


@pytest.mark.parametrize('kind', [torch.optim.Adam, torch.optim.SGD])
def test_the_state_of_an_optimizer_is_laid_out_like_its_parameters(kind):
    options = {'momentum': 0.9} if kind is torch.optim.SGD else {}
    weight = torch.nn.Parameter(torch.rand(4, 3, 5, 5))
    optimizer = kind([weight], lr=0.1, **options)
    weight.square().sum().backward()
    optimizer.step()
    weight.data = weight.data.to(memory_format=torch.channels_last)
    before = {name: value.clone() for name, value in optimizer.state[weight].items()}
    match_layout(optimizer)
    for name, value in optimizer.state[weight].items():
        assert torch.equal(value, before[name])
        assert value.ndim == 0 or value.stride() == weight.stride()


TRAIN = {'optim_g': {'type': 'Adam'}, 'scheduler': {'type': 'MultiStepLR'}}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'optim_g': {'type': 'SGD'}}, 'train:optim_g:type: the run that goes on had Adam'),
        ({'scheduler': {'type': 'Other'}}, 'train:scheduler:type: the run that goes on had MultiStepLR'),
        ({'pad_channels': True}, 'train:pad_channels: the run that goes on had false'),
    ],
)
def test_a_training_state_serves_what_it_is_made_for_only(change, message):
    state = StateSignature(TRAIN).state_dict()
    StateSignature(TRAIN).load_state_dict(state)
    with pytest.raises(OptionError, match=message):
        StateSignature({**TRAIN, **change}).load_state_dict(state)


def optimizer_and_scheduler(lr, milestones, **options):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=lr, **options)
    return optimizer, MultiStepRestartLR(optimizer, milestones, gamma=0.1)


def learning_rates(optimizer, scheduler, steps):
    rates = []
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]['lr'])
    return rates


def resumed(state, lr, milestones, **options):
    optimizer, scheduler = optimizer_and_scheduler(lr, milestones, **options)
    override_hyperparameters(state, [optimizer], [scheduler])
    optimizer.load_state_dict(state['optimizers'][0])
    scheduler.load_state_dict(state['schedulers'][0])
    return optimizer, scheduler


def test_a_run_that_goes_on_has_the_options_of_its_file_and_the_position_of_its_state(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger('basicsr'), 'propagate', True)
    caplog.set_level(logging.INFO, 'basicsr')
    optimizer, scheduler = optimizer_and_scheduler(1.0, [2, 100])
    assert learning_rates(optimizer, scheduler, 3) == pytest.approx([1, 0.1, 0.1])

    def state():
        return copy.deepcopy({'optimizers': [optimizer.state_dict()], 'schedulers': [scheduler.state_dict()]})

    same = resumed(state(), 1.0, [2, 100])
    assert learning_rates(*same, 3) == pytest.approx([0.1, 0.1, 0.1])
    assert not caplog.records
    changed = resumed(state(), 3.0, [2, 5], weight_decay=0.5)
    assert changed[0].param_groups[0]['weight_decay'] == 0.5
    assert learning_rates(*changed, 3) == pytest.approx([0.3, 0.03, 0.03])
    expected = 'lr 1.0 -> 3.0, milestones [2, 100] -> [2, 5], weight_decay 0 -> 0.5'
    assert caplog.messages[-1] == f'Changed since the training state was saved: {expected}.'


def test_the_state_of_another_network_is_refused():
    optimizer, scheduler = optimizer_and_scheduler(1.0, [2])
    state = {'optimizers': [optimizer.state_dict()], 'schedulers': [scheduler.state_dict()]}
    state['optimizers'][0]['param_groups'][0]['params'] = [0, 1]
    with pytest.raises(OptionError, match='network_g: the training state is for a network with other parameters'):
        override_hyperparameters(state, [optimizer], [scheduler])


def draw():
    return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(2).tolist()  # noqa: NPY002


def test_all_generators_repeat_themselves_after_a_trip_through_a_file(tmp_path):
    draw()  # leaves half of a pair of normal numbers behind in Python's and NumPy's generators
    save_atomic({'rng': RNGState().state_dict()}, tmp_path / 'a.state')
    expected = draw(), draw()
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    assert draw() != expected[0]
    RNGState().load_state_dict(load_weights_only(tmp_path / 'a.state')['rng'])
    assert (draw(), draw()) == expected


def test_generators_are_left_alone_where_the_number_of_processes_has_changed():
    state = RNGState().state_dict()
    expected = draw()
    RNGState().load_state_dict({'processes': state['processes'] * 2})
    assert draw() != expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_the_generator_of_the_gpu_is_part_of_it():
    torch.rand(1, device='cuda')
    state = RNGState().state_dict()
    expected = torch.rand(3, device='cuda')
    torch.rand(1, device='cuda')
    RNGState().load_state_dict(state)
    assert torch.equal(torch.rand(3, device='cuda'), expected)


def test_a_state_of_version_0_1_has_its_values_put_in_their_places():
    rng = RNGState().state_dict()['processes']
    state = {'epoch': 2, 'iter': 7, 'optimizers': [], 'scaler': {'scale': 2.0}, 'rng': rng, 'skipped': 3}
    state |= {'kept_options': {'pad_channels': True}, 'draws': 60, 'manual_seed': 5}
    state['best_metric_results'] = results(20.0, 0.3, 6)
    parts = by_parts(state)
    assert parts['sampler'] == {'seed': 5, 'epoch': 2, 'position': 60}
    assert parts['nonfinite'] == {'count': 3}
    assert parts['signature'] == {'pad_channels': True}
    assert parts['validation'] == results(20.0, 0.3, 6)
    assert parts['rng']['processes'] is rng
    assert {key: parts[key] for key in ('epoch', 'iter', 'optimizers', 'scaler')}.items() <= state.items()
    assert by_parts(parts)['sampler'] == parts['sampler']
