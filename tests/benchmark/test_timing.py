import time

import pytest
import torch

from s3net_plugin.benchmark.timing import spread, time_alternately

CPU = torch.device('cpu')


def test_spread_is_median_and_quartiles():
    assert spread([5, 1, 4, 2, 3]) == (3, 2, 4)


def test_works_take_turns_in_both_orders():
    order = []
    works = [lambda: order.append('a'), lambda: order.append('b')]
    time_alternately(works, CPU, rounds=2, seconds=0)
    assert ''.join(order) == 'ab' + 'ab' + 'ba'  # once to learn how long each takes, then the rounds


def test_time_is_that_of_one_call():
    works = [lambda: time.sleep(0.002), lambda: time.sleep(0.02)]
    short, long = time_alternately(works, CPU, rounds=3, seconds=0.02)
    assert short.median == pytest.approx(0.002, rel=0.5)
    assert long.median == pytest.approx(0.02, rel=0.3)
    assert short.lower <= short.median <= short.upper
