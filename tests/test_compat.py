"""Which BasicSR is imported, and that importing this package changes nothing in it."""

import subprocess
import sys

import pytest

from s3net_plugin import compat
from tests.conftest import ROOT


def run(code, folder):
    """Run ``code`` in a fresh process, as ``python -c`` and ``python -m`` do: the working directory is on the path."""
    environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, '-c', code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, env=environment)


UNCHANGED = """
import sys, types
stand_in = types.ModuleType('torchvision.transforms.functional_tensor')
stand_in.rgb_to_grayscale = None
sys.modules[stand_in.__name__] = stand_in
import basicsr.train, basicsr.test
from basicsr.data import prefetch_dataloader
from basicsr.models.base_model import BaseModel
from basicsr.models.sr_model import SRModel
from basicsr.utils import options
owners = basicsr.train, basicsr.test, prefetch_dataloader, options, BaseModel, SRModel
before = [dict(vars(owner)) for owner in owners]
import s3net_plugin.losses, s3net_plugin.models
assert [dict(vars(owner)) for owner in owners] == before
from s3net_plugin.running import pipeline
def stop(root):
    raise KeyError([basicsr.train.parse_options, BaseModel.save_network, prefetch_dataloader.PrefetchGenerator])
basicsr.train.train_pipeline = stop
before[0]['train_pipeline'] = stop
try:
    pipeline.train({}, None)
except KeyError as error:
    stock = before[0]['parse_options'], before[4]['save_network'], before[2]['PrefetchGenerator']
    assert not set(stock) & set(error.args[0])
assert [dict(vars(owner)) for owner in owners] == before
"""


def test_stock_parts_are_replaced_by_the_command_alone_and_put_back(tmp_path):
    result = run(UNCHANGED, tmp_path)
    assert result.returncode == 0, result.stderr


def test_a_clone_of_basicsr_in_the_working_directory_is_not_imported(tmp_path):
    (tmp_path / 'basicsr').mkdir()
    (tmp_path / 'basicsr/__init__.py').write_text('from .version import __version__')  # which a clone lacks
    result = run('import s3net_plugin, basicsr.archs; print(basicsr.__file__)', tmp_path)
    assert result.returncode == 0, result.stderr
    assert str(tmp_path) not in result.stdout
    assert f'basicsr: {tmp_path}/basicsr, a folder of the working directory, is not used' in result.stderr


def test_another_basicsr_than_the_one_tried_is_named(monkeypatch):
    monkeypatch.setattr(compat, 'TRIED', '0.1')
    with pytest.warns(UserWarning, match=r'BasicSR 1\.4\.2 is installed; s3net_plugin was tried with 0\.1'):
        assert compat.find_basicsr() is not None
