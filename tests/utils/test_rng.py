import random

import numpy as np
import pytest
import torch

from s3net_plugin.utils.checkpoint import load_weights_only, save_atomic
from s3net_plugin.utils.rng import rng_state, set_rng_state


def draw():
    return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(2).tolist()  # noqa: NPY002


def test_all_generators_repeat_themselves_after_a_trip_through_a_file(tmp_path):
    draw()  # leaves half of a pair of normal numbers behind in Python's and NumPy's generators
    save_atomic({'rng': rng_state()}, tmp_path / 'a.state')
    expected = draw(), draw()
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    assert draw() != expected[0]
    set_rng_state(load_weights_only(tmp_path / 'a.state')['rng'])
    assert (draw(), draw()) == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_the_generator_of_the_gpu_is_part_of_it():
    torch.rand(1, device='cuda')
    state = rng_state()
    expected = torch.rand(3, device='cuda')
    torch.rand(1, device='cuda')
    set_rng_state(state)
    assert torch.equal(torch.rand(3, device='cuda'), expected)
