"""The examples in docstrings are run as they stand, and what people find by name has one.

Only modules with an example are imported, so that this costs seconds and needs no extra.
"""

import doctest
import importlib

import pytest
from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY

from tests.conftest import ROOT

FILES = sorted(path for path in (ROOT / 's3net_plugin').rglob('*.py') if '>>> ' in path.read_text())
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize('name', ['.'.join(path.relative_to(ROOT).with_suffix('').parts) for path in FILES])
def test_examples_give_what_they_say(name):
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert tried and not failed


def test_every_registered_class_has_an_example():
    for registry in (ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY):
        ours = [item for _, item in registry if item.__module__.startswith('s3net_plugin.')]
        assert ours
        assert [item.__name__ for item in ours if '>>> ' not in item.__doc__] == []
