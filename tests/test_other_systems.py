"""What Windows and macOS lack is taken away: the package is imported, relights, trains, is stopped and goes on."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, tiny_options, write_yaml

# PyTorch and its kin are imported before: they were built for this system.
WITHOUT = """
import ctypes, multiprocessing, platform, signal, sys
import torch, torchvision, torch.distributed, torch.utils.tensorboard, lmdb, cv2, scipy, skimage

class CDLL(ctypes.CDLL):
    def __init__(self, name, *args, **kwargs):
        if name is None:
            raise TypeError('there is no CDLL(None) on Windows')
        super().__init__(name, *args, **kwargs)

# Workers, which spawn starts, import this file, too.
sys.modules['fcntl'] = sys.modules['resource'] = None
for name in {names}:
    delattr(signal, name)
ctypes.CDLL = CDLL
platform.libc_ver = lambda *args, **kwargs: ('', '')
if __name__ == '__main__':
    multiprocessing.set_start_method('spawn')
    from s3net_plugin.running.cli import main
    sys.exit(main({arguments}))
"""
MACOS = ['sigwaitinfo', 'sigtimedwait']
WINDOWS = [*MACOS, 'SIGUSR1', 'SIGUSR2', 'SIGHUP', 'pthread_kill', 'sigwait']


@pytest.mark.parametrize('names', [MACOS, WINDOWS], ids=['macos', 'windows'])
def test_a_run_trains_with_workers_and_is_resumed(rendered, tmp_path, names):
    options = tiny_options(rendered)
    options['datasets']['train']['num_worker_per_gpu'] = 1
    options['logger']['use_tb_logger'] = False
    write_yaml(tmp_path / 'options.yml', options)
    for arguments in ([], ['--auto_resume', '--force_yml', 'train:total_iter=3']):
        (tmp_path / 'run.py').write_text(
            WITHOUT.format(names=names, arguments=['train', '-opt', 'options.yml', *arguments])
        )
        result = subprocess.run(
            [sys.executable, 'run.py'],
            cwd=tmp_path,
            env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / 'experiments/tiny/models/net_g_3.pth').is_file()
