import subprocess
from pathlib import Path

import pytest
import torch

from s3net_plugin.report.environment import git_hash, hardware, peak_memory, versions

CPU = torch.device('cpu')


def test_the_commit_is_that_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert git_hash() is None
    author = ['-c', 'user.name=n', '-c', 'user.email=e@x', '-c', 'commit.gpgsign=false']
    subprocess.run(['git', 'init', '-q'], check=True)
    assert git_hash() is None  # nothing committed yet
    subprocess.run(['git', *author, 'commit', '-q', '--allow-empty', '-m', 'm'], check=True)
    log = subprocess.run(['git', 'log', '--format=%H'], capture_output=True, text=True, check=True)
    assert git_hash() == log.stdout.strip()


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='the kernel tells it only on Linux')
def test_peak_memory_is_what_the_kernel_says():
    lines = Path('/proc/self/status').read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) * 1024
    assert peak_memory(CPU)['bytes'] == pytest.approx(peak, rel=0.02)


def test_versions_and_hardware_are_named():
    assert versions()['torch'].split('+')[0] == torch.__version__.split('+')[0]
    assert all(versions().values())
    assert hardware(CPU)['cpu']
    assert hardware(CPU)['gpu'] is None
