import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
import torch
from basicsr.archs import build_network

from tests.conftest import RENDERED, ROOT
from tests.models.commands import free_port

WORK_SIZE = 96


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory):
    """An untrained network as BasicSR saves it; this one moves shadows all the same."""
    options = {'type': 'ShadingGuidedS3Net', 'encoder': 'resnet10t'}
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('checkpoint') / 'net.pth'
    torch.save({'params': build_network(dict(options)).state_dict(), 'network_g': options}, path)
    return path


@pytest.fixture(scope='session')
def guide_folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp('guides')
    for name in ('guides', 'guide_depth'):
        (folder / name).mkdir()
    shutil.copy(RENDERED / 'guide_2500_NW.png', folder / 'guides/evening.png')
    shutil.copy(RENDERED / 'guide_depth.png', folder / 'guide_depth/evening.png')
    (folder / 'guides/secret.txt').write_text('not to be served')
    return folder


@pytest.fixture(scope='session')
def app(checkpoint, guide_folders, tmp_path_factory):
    """The address of the app, which runs in its own process; without a network there is no depth model."""
    pytest.importorskip('gradio', reason="needs the extra 'app'")
    port = free_port()
    folder = tmp_path_factory.mktemp('app')
    command = [sys.executable, '-m', 's3net_plugin.app', '--checkpoint', checkpoint, '--port', port, '--device', 'cpu']
    command += ['--guides', guide_folders / 'guides', '--guide-depth', guide_folders / 'guide_depth']
    command += ['--work-size', WORK_SIZE, '--max-upload', 2, '--max-megapixels', 1, '--depth-model', folder / 'none']
    environment = {**os.environ, 'TMPDIR': str(folder), 'HF_HUB_OFFLINE': '1', 'NO_PROXY': '127.0.0.1'}
    environment['PYTHONPATH'] = str(ROOT)
    log = (folder / 'log').open('w')
    process = subprocess.Popen([str(part) for part in command], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 300
        while True:
            with socket.socket() as knock:
                if knock.connect_ex(('127.0.0.1', port)) == 0:
                    break
            assert process.poll() is None and time.monotonic() < deadline, (folder / 'log').read_text()
            time.sleep(0.2)
        yield f'http://127.0.0.1:{port}'
    finally:
        process.terminate()
        process.wait(20)
        log.close()
