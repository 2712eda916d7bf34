"""The losses, the dataset and the metrics with archs that are not ours, from YAML only."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml

from s3net_plugin.utils.checkpoint import load_weights_only
from tests.conftest import ROOT, run_basicsr


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """The example plugin, installed the way a user installs a package."""
    folder, source = tmp_path_factory.mktemp('site'), tmp_path_factory.mktemp('source')
    shutil.copytree(ROOT / 'tests/example_plugin', source, dirs_exist_ok=True)  # pip builds where the source is
    command = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-build-isolation', '--no-index']
    subprocess.run([*command, '--target', folder, source], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ('model', 'network'),
    [
        ('S3NetModel', {'type': 'RRDBNet', 'num_feat': 4, 'num_block': 1, 'num_grow_ch': 4}),
        ('SRModel', {'type': 'S3Net', 'encoder': 'resnet10t'}),
        ('S3NetModel', {'type': 'GainNet', 'width': 4}),
    ],
)
def test_the_shipped_options_train_it(installed, options, write_options, tmp_path, monkeypatch, model, network):
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([str(installed), str(ROOT)]))
    opt = yaml.safe_load((ROOT / 'options/other_arch.yml').read_text())
    for phase in ('train', 'val'):
        opt['datasets'][phase] |= options['datasets'][phase] | {'gt_size': 0}
    opt |= {'num_gpu': 0, 'model_type': model}
    shared = {'num_in_ch': 8, 'num_out_ch': 3, 'scale': 1} if network['type'] == 'RRDBNet' else {}
    opt['network_g'] = network | shared
    opt['train']['total_iter'] = 2
    opt['val']['val_freq'] = opt['logger']['save_checkpoint_freq'] = opt['logger']['print_freq'] = 2
    if model == 'SRModel':
        opt['train']['pixel_opt'] = opt['train'].pop('wssim_opt')
    result = run_basicsr(tmp_path, 'train.py', '-opt', write_options(opt))
    assert result.returncode == 0, result.stderr
    assert 'l_pix:' in result.stderr
    assert '# relight_ssim:' in result.stderr
    assert load_weights_only(tmp_path / 'experiments/RRDBNet_relighting/models/net_g_latest.pth')['params']
