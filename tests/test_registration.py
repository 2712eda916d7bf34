"""What importing this package imports and changes, which BasicSR it finds, and what that knows, in whatever order."""

import subprocess
import sys

import pytest

from s3net_plugin import compat
from tests.conftest import ROOT

# What stands below models in .importlinter: BasicSR's import brings in the models, which bring in all of this.
BELOW = ('archs', 'data', 'losses', 'metrics', 'relight', 'rendering', 'report', 'utils')
KNOWN = """
from basicsr.utils import registry as r
assert {'S3Net', 'ShadingGuidedS3Net'} <= set(r.ARCH_REGISTRY.keys())
assert {'S3NetCharbonnierLoss', 'S3NetPerceptualLoss', 'S3NetWaveletSSIMLoss'} <= set(r.LOSS_REGISTRY.keys())
assert {'calculate_lpips', 'calculate_mps', 'calculate_relight_ssim'} <= set(r.METRIC_REGISTRY.keys())
assert 'RGBDRelightPairedDataset' in r.DATASET_REGISTRY and 'S3NetModel' in r.MODEL_REGISTRY
"""


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


def run(code, folder=ROOT):
    """Run ``code`` in a fresh process in ``folder``, which is on its path, as ``python -m`` has it, too."""
    environment = {'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin', 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, '-c', code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, env=environment)
    assert result.returncode == 0, result.stderr
    return result


def test_importing_the_package_costs_nothing_and_nothing_below_the_models_imports_basicsr():
    files = [file for room in BELOW for file in (ROOT / 's3net_plugin' / room).rglob('*.py')]
    modules = ['.'.join(file.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__') for file in files]
    run(
        'import sys, importlib, s3net_plugin; assert "torch" not in sys.modules\n'
        f'for name in {modules}: importlib.import_module(name)\n'
        'assert "basicsr" not in sys.modules'
    )


@pytest.mark.parametrize(
    'first',
    [
        'import s3net_plugin',
        'from s3net_plugin.models import S3NetModel',
        'import s3net_plugin, basicsr.models; assert s3net_plugin.archs.S3Net',
        'import s3net_plugin, sys, importlib; s3net_plugin.compat.provide_functional_tensor(); '
        'del sys.meta_path[0]; import basicsr; importlib.reload(s3net_plugin)',
    ],
    ids=['package', 'model', 'basicsr', 'basicsr before the package'],
)
def test_basicsr_knows_everything_whatever_is_imported_first(first):
    run(first + KNOWN)


@pytest.mark.parametrize('arguments', [['train.py', '-opt', 'missing.yml'], ['test.py', '--help'], ['nothing']])
def test_the_command_says_what_is_wrong_before_it_imports_pytorch(arguments):
    run(
        f'import sys\nfrom s3net_plugin.running.cli import main\ntry: main({arguments})\nexcept SystemExit: pass\n'
        'assert "torch" not in sys.modules'
    )


def test_a_photo_is_relit_without_basicsr(tmp_path):
    sample = ROOT / 's3net_plugin/assets/sample'
    arguments = ['--input', f'{sample}/photo.jpg', '--input-depth', f'{sample}/depth.png', '--light', 'NE']
    arguments += ['--work-size', '64', '--output', f'{tmp_path}/relit.jpg']
    run(
        f'import runpy, sys\nsys.argv = ["relight.py", *{arguments}]\nsys.path.insert(0, "{ROOT}/scripts")\n'
        f'try: runpy.run_path("{ROOT}/scripts/relight.py", run_name="__main__")\n'
        'except SystemExit as ended: assert not ended.code\n'
        'assert "s3net_plugin.archs" in sys.modules and "basicsr" not in sys.modules'
    )
    assert (tmp_path / 'relit.jpg').is_file()


def test_stock_parts_are_replaced_by_the_command_alone_and_put_back(tmp_path):
    run(UNCHANGED, tmp_path)


def test_a_clone_of_basicsr_in_the_working_directory_is_not_imported(tmp_path):
    (tmp_path / 'basicsr').mkdir()
    (tmp_path / 'basicsr/__init__.py').write_text('from .version import __version__')  # which a clone lacks
    result = run('import s3net_plugin, basicsr.archs; print(basicsr.__file__)', tmp_path)
    assert str(tmp_path) not in result.stdout
    assert f'basicsr: {tmp_path}/basicsr, a folder of the working directory, is not used' in result.stderr


def test_another_basicsr_than_the_one_tried_is_named(monkeypatch):
    monkeypatch.setattr(compat, 'TRIED', '0.1')
    with pytest.warns(UserWarning, match=r'BasicSR 1\.4\.2 is installed; s3net_plugin was tried with 0\.1'):
        assert compat.find_basicsr() is not None
