import itertools
import time

import torch

from s3net_plugin.benchmark import choose_settings, describe
from s3net_plugin.benchmark.cases import Case, Fast, all_cases
from s3net_plugin.benchmark.measure import allocations, measure, time_in_turns

CPU = torch.device('cpu')
MEBIBYTE = 2**20
SETTINGS = choose_settings(CPU, quick=True)


def sleeping(seconds):
    return lambda: lambda: time.sleep(seconds)


def broken():
    raise torch.OutOfMemoryError('no memory left\nand much more to say')


def test_a_time_is_that_of_one_call_with_its_quartiles():
    found = time_in_turns({'short': lambda: time.sleep(0.002), 'long': lambda: time.sleep(0.02)}, rounds=2)
    # a sleep is never shorter; how much longer is for the machine's other work to say
    assert 0.002 <= found['short']['median'] < 0.02 <= found['long']['median'] < 0.2
    assert all(times['lower'] <= times['median'] <= times['upper'] for times in found.values())


def test_works_take_turns_in_both_orders():
    order = []
    time_in_turns({name: lambda name=name: (order.append(name), time.sleep(0.05)) for name in 'ab'}, rounds=2)
    assert ''.join(name for name, _ in itertools.groupby(order)) == 'aba'  # a and b, then b and a


def test_what_fails_has_a_reason_and_no_figure():
    ways = {'good': Fast('quickly', sleeping(0.001)), 'bad': Fast('grandly', broken)}
    good, bad = measure(Case((1, 2), sleeping(0.001), ways), SETTINGS)
    assert 'failure' not in good
    assert bad == {'name': 'bad', 'input': (1, 2), 'fast_is': 'grandly', 'failure': 'no memory left'}
    assert 'grandly: no memory left' in describe({'machine': {}, 'matrix_product': {}, 'rows': [good, bad]})


def test_nothing_is_claimed_without_the_plain_way():
    (row,) = measure(Case((1, 2), broken, {'thing': Fast('quickly', sleeping(0.001))}), SETTINGS)
    assert row['failure'] == 'no memory left'
    assert not row.keys() & {'plain', 'fast'}


def test_a_time_is_that_of_one_of_the_works_that_a_call_does():
    (row,) = measure(Case((1, 2), sleeping(0.04), {'thing': Fast('quickly', sleeping(0.04))}, 4), SETTINGS)
    assert all(0.01 <= row[way]['seconds']['median'] < 0.04 for way in ('plain', 'fast'))


def test_memory_is_what_a_work_keeps_and_what_it_needs():
    def build():
        weights = torch.empty(MEBIBYTE, dtype=torch.uint8)
        return lambda: weights.clone()

    (row,) = measure(Case((1, 2), build, {'thing': Fast('quickly', build)}), SETTINGS)
    assert row['plain']['peak_bytes'] == row['fast']['peak_bytes'] == 2 * MEBIBYTE


def test_peak_and_rest_are_exact():
    def work():
        first = torch.empty(MEBIBYTE, dtype=torch.uint8)
        second = torch.empty(2 * MEBIBYTE, dtype=torch.uint8)
        del first
        third = torch.empty(4 * MEBIBYTE, dtype=torch.uint8)
        del second
        return third

    kept, held, peak = allocations(work, CPU)
    assert kept.numel() == held == 4 * MEBIBYTE
    assert peak == 6 * MEBIBYTE


def test_what_was_there_before_does_not_count():
    before = [torch.empty(8 * MEBIBYTE, dtype=torch.uint8)]
    _, held, peak = allocations(lambda: torch.empty(MEBIBYTE, dtype=torch.uint8).max(), CPU)
    assert before
    assert held < MEBIBYTE <= peak < 2 * MEBIBYTE


def test_compiling_is_for_gpus_unless_asked_for():
    settings = {name: choose_settings(torch.device(name)) for name in ('cpu', 'cuda')}
    names = {name: [key for case in all_cases(chosen) for key in case.fast] for name, chosen in settings.items()}
    losses, never = ['charbonnier', 'wssim', 'wssim_compiled', 'perceptual'], ['shading', 'closed_form']
    never += ['test_set', 'test_set_bfloat16', 'first_iteration', 'relight_photo_cold', 'relight_photo']
    some = {'train_step_bfloat16', 'test_set_bfloat16'}  # where the processor has it, beside float32
    every = ['inference_b1', 'inference_b8', 'train_step', 'train_step_bfloat16', *losses, *never]
    has_bfloat16 = settings['cpu'].precision == 'bfloat16'
    assert names['cpu'] == [name for name in every if has_bfloat16 or name not in some]
    assert set(names['cuda']) - some == set(names['cpu']) - some - {'wssim_compiled'} | {'train_step_512'}
    compiled = {
        name: [fast.how for case in all_cases(chosen) for fast in case.fast.values() if 'compiled' in fast.how]
        for name, chosen in settings.items()
    }
    assert compiled['cpu'] == ['float32, compiled']
    assert len(compiled['cuda']) == len(set(names['cuda']) - set(never))
    asked = all_cases(choose_settings(torch.device('cpu'), compile=True))
    assert (
        sum('compiled' in fast.how for case in asked for fast in case.fast.values())
        == len(set(names['cpu']) - set(never)) - 1
    )
