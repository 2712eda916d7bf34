"""What version 0.1 wrote, whose layout of modules was another, is read as it was then: databases, checkpoint, state.

``tests/assets/earlier`` holds two databases of one rendered set (raw images and float32 depth; PNG and uint16 depth), a
run of 12 iterations as it stood after 6, and its last network.
"""

import hashlib
import json
import shutil

import pytest
import torch

from s3net_plugin.data.readers import READERS
from s3net_plugin.utils.checkpoint import load_weights_only
from tests.conftest import ROOT
from tests.models.commands import Command, install_plugin

EARLIER = ROOT / 'tests/assets/earlier'
EXPECTED = json.loads((EARLIER / 'expected/digests.json').read_text())


def digests(name, folder):
    """A hash of every bit of all images and of all depth maps of a database."""
    reader = READERS['lmdb'](str(folder / name))
    images = [f'Image{n:03d}_{t}_{d}.png' for n in (0, 1) for t in (2500, 6500) for d in ('N', 'SW')]
    found = {}
    for kind, read, names in (
        ('images', reader.image, images),
        ('depth', reader.depth, ['Image000.npy', 'Image001.npy']),
    ):
        content = hashlib.sha256()
        for one in names:
            content.update(read(one).tobytes())
        found[kind] = content.hexdigest()
    return found


@pytest.mark.parametrize('name', ['lmdb_raw', 'lmdb_png'])
def test_a_database_holds_what_it_held(name, tmp_path):
    shutil.copytree(EARLIER / name, tmp_path / name)
    assert digests(name, tmp_path) == EXPECTED[name]


def test_a_run_goes_on_and_ends_where_it_ended(tmp_path):
    shutil.copytree(EARLIER, tmp_path, dirs_exist_ok=True)
    install_plugin(tmp_path)
    command = Command(tmp_path, 'train.py', '-opt', 'options.yml', '--auto_resume').succeed()
    assert 'iter:       7' in command.output
    assert 'iter:       6' not in command.output
    found, expected = (
        load_weights_only(path)
        for path in (tmp_path / 'experiments/before/models/net_g_12.pth', EARLIER / 'expected/net_g_12.pth')
    )
    # Another PyTorch or processor may add in another order. The gradient of the bias before the BatchNorm is only
    # rounding, so it goes its own way then, and the mean that the BatchNorm keeps goes with it.
    here = {'torch': torch.__version__, 'capability': torch.backends.cpu.get_cpu_capability()}
    is_same = here == EXPECTED['made_with']
    for key in ('params', 'params_ema'):
        for name, tensor in expected[key].items():
            if is_same or name not in ('conv1.bias', 'norm.running_mean'):
                torch.testing.assert_close(found[key][name], tensor, rtol=0, atol=0 if is_same else 1e-3)


def test_a_state_is_refused_where_it_was(tmp_path):
    shutil.copytree(EARLIER, tmp_path, dirs_exist_ok=True)
    install_plugin(tmp_path)
    change = 'train:optim_g:type=AdamW'
    command = Command(tmp_path, 'train.py', '-opt', 'options.yml', '--auto_resume', '--force_yml', change)
    assert command.wait() == 2
    assert 'error: train:optim_g:type: the run that goes on had Adam' in command.output.splitlines()[-1]
