import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    'module', ['metrics', 'metrics.baselines', 'metrics.images', 'metrics.ssim', 'benchmark.measure']
)
def test_examples_in_docstrings_hold(module):
    found = doctest.testmod(import_module(f's3net_plugin.{module}'))
    assert found.attempted > 0
    assert found.failed == 0
