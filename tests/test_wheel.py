"""What pip installs from a wheel does everything, in an empty folder and without a checkout."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Unpack a wheel of the package, as pip does, and run modules of it in an empty folder."""
    folder = tmp_path_factory.mktemp('wheel')
    for name in ('s3net_plugin', 'options'):
        shutil.copytree(ROOT / name, folder / 'source' / name, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('setup.py', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, folder / 'source')
    options = ['--no-deps', '--no-build-isolation', '--no-index', '--quiet', '--wheel-dir', folder]
    build = [sys.executable, '-m', 'pip', 'wheel', *options, folder / 'source']
    result = subprocess.run(build, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    with zipfile.ZipFile(next(folder.glob('*.whl'))) as wheel:
        wheel.extractall(folder / 'installed')
    (folder / 'empty').mkdir()

    def run(module, *arguments):
        environment = {**os.environ, 'PYTHONPATH': str(folder / 'installed'), 'OMP_NUM_THREADS': '1'}
        command = [sys.executable, '-m', module, *map(str, arguments)]
        result = subprocess.run(
            command, cwd=folder / 'empty', env=environment, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    run.folder = folder
    return run


def test_a_photo_is_relit_with_the_weights_and_the_guides_in_the_wheel(run):
    sample = run.folder / 'installed/s3net_plugin/assets/sample'
    arguments = ['--input', sample / 'photo.jpg', '--input-depth', sample / 'depth.png', '--work-size', '64']
    run('s3net_plugin.commands', 'relight', *arguments, '--light', 'NE', '--output', 'relit.jpg')
    assert (run.folder / 'empty/relit.jpg').is_file()


def test_data_are_checked_and_a_network_is_trained_and_tested_by_a_shipped_option_file(run, rendered):
    assert 'scenes' in run('s3net_plugin.commands', 'check', rendered)
    data = [f'datasets:train:dataroot={rendered}', 'datasets:train:scenes=[0,2]', 'datasets:train:batch_size_per_gpu=2']
    changes = [*data, 'datasets:train:resize=32', 'train:total_iter=2', 'num_gpu=0']
    out = run('s3net_plugin.train', '-opt', 'quickstart_train.yml', '--force_yml', *changes)
    assert 'quickstart_train.yml: no such file here; taking the one of this package' in out
    data = [
        f'datasets:test_{n}:{option}'
        for n in (1, 2)
        for option in (f'dataroot={rendered}', 'scenes=[0,2]', 'num_samples=2')
    ]
    run('s3net_plugin.test', '-opt', 'quickstart_test.yml', '--force_yml', *data, 'num_gpu=0')
    assert (run.folder / 'empty/results/quickstart_test/summary.md').is_file()
