"""Skips with and without CI=true, by pytest in a process of its own."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SKIPPING = """
import pytest

@pytest.fixture
def browser():
    pytest.skip('needs Chromium: apt-get install chromium')

def test_page(browser): ...

def test_extra():
    pytest.importorskip('extra_that_is_not_there')

@pytest.mark.skipif(True, reason='needs a GPU')
def test_gpu(): ...

@pytest.mark.xfail
def test_expected():
    assert False

def test_plain(): ...
"""


@pytest.mark.parametrize(
    ('ci', 'summary'),
    [('true', '1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error'), ('', '1 passed, 3 skipped, 1 xfailed')],
)
def test_on_ci_only_a_gpu_may_be_missing(tmp_path, ci, summary):
    (tmp_path / 'test_some.py').write_text(SKIPPING)
    command = [sys.executable, '-m', 'pytest', '-p', 'tests.skips', '-p', 'no:cacheprovider', 'test_some.py']
    environment = {**os.environ, 'CI': ci, 'PYTHONPATH': str(ROOT)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert summary in result.stdout.splitlines()[-1]
    assert ('needs Chromium: apt-get install chromium' in result.stdout) == (ci == 'true')
