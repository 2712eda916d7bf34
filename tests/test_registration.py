"""What importing this package imports, and what BasicSR knows after it, in whatever order things are imported."""

import subprocess
import sys

import pytest

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


def run(code):
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


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
