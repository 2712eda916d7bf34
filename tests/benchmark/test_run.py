import json
import time

import pytest
import torch

from s3net_plugin.benchmark import choose_settings, describe, to_json
from s3net_plugin.benchmark.cases import Case, Fast, all_cases
from s3net_plugin.benchmark.run import measure

SETTINGS = choose_settings(torch.device('cpu'), quick=True)


def sleeping(seconds):
    return lambda: lambda: time.sleep(seconds)


def broken():
    raise torch.OutOfMemoryError('no memory left\nand much more to say')


def test_speedup_is_the_ratio_of_the_medians():
    case = Case((1, 2), sleeping(0.01), {'thing': Fast('quickly', sleeping(0.002))})
    found = to_json({}, list(measure(case, SETTINGS)))
    (row,) = found['rows']
    ratio = row['plain']['seconds']['median'] / row['fast']['seconds']['median']
    assert found['speedup_over_plain'] == {'thing': ratio}
    assert ratio == pytest.approx(5, rel=0.5)


def test_what_fails_has_a_reason_and_no_figure():
    ways = {'good': Fast('quickly', sleeping(0.001)), 'bad': Fast('grandly', broken)}
    outcomes = list(measure(Case((1, 2), sleeping(0.001), ways), SETTINGS))
    found = to_json({}, outcomes)
    assert list(found['speedup_over_plain']) == ['good']
    good, bad = found['rows']
    assert 'failure' not in good
    assert bad == {'name': 'bad', 'input': (1, 2), 'fast_is': 'grandly', 'failure': 'no memory left'}
    assert 'grandly: no memory left' in describe({}, outcomes)


def test_nothing_is_claimed_without_the_plain_way():
    outcomes = list(measure(Case((1, 2), broken, {'thing': Fast('quickly', sleeping(0.001))}), SETTINGS))
    assert to_json({}, outcomes)['speedup_over_plain'] == {}
    assert [outcome.failure for outcome in outcomes] == ['no memory left']


def test_memory_is_what_a_work_keeps_and_what_it_needs():
    def build():
        weights = torch.empty(2**20, dtype=torch.uint8)
        return lambda: weights.clone()

    case = Case((1, 2), build, {'thing': Fast('quickly', build)})
    (outcome,) = measure(case, SETTINGS)
    assert outcome.plain.peak_bytes == outcome.fast.peak_bytes == 2 * 2**20
    assert json.dumps(to_json({}, [outcome]))


def test_compiling_is_for_gpus_unless_asked_for():
    settings = {name: choose_settings(torch.device(name)) for name in ('cpu', 'cuda')}
    names = {name: [key for case in all_cases(chosen) for key in case.fast] for name, chosen in settings.items()}
    losses, never = ['charbonnier', 'wssim', 'wssim_compiled', 'perceptual'], ['shading', 'closed_form']
    assert names['cpu'] == ['inference_b1', 'inference_b8', 'train_step', *losses, *never]
    assert set(names['cuda']) == set(names['cpu']) - {'wssim_compiled'} | {'train_step_512'}
    compiled = {
        name: [fast.how for case in all_cases(chosen) for fast in case.fast.values() if 'compiled' in fast.how]
        for name, chosen in settings.items()
    }
    assert compiled['cpu'] == ['float32, compiled']
    assert len(compiled['cuda']) == len(names['cuda']) - len(never)
    asked = all_cases(choose_settings(torch.device('cpu'), compile=True))
    assert sum('compiled' in fast.how for case in asked for fast in case.fast.values()) == len(names['cpu']) - 3
