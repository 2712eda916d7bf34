import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from s3net_plugin.app import __main__ as command
from s3net_plugin.app.service import RelightService
from s3net_plugin.archs import pretrained
from s3net_plugin.archs.load import load_network
from s3net_plugin.relight.lights import GUIDES, Light
from s3net_plugin.relight.relighter import Relighter
from tests.app.conftest import WORK_SIZE
from tests.conftest import RENDERED, ROOT


@pytest.fixture
def make_service(checkpoint, guide_folders, tmp_path):
    def make(estimate=None, guide_depth=guide_folders / 'guide_depth'):
        guides = sorted((guide_folders / 'guides').iterdir())  # one of them is no photo
        relighter = Relighter(load_network(checkpoint), work_size=WORK_SIZE)
        return RelightService(relighter, estimate, tmp_path, guides=guides, guide_depth=guide_depth, max_pixels=10**6)

    return make


def test_guide_that_cannot_be_read_is_left_out(make_service, capsys):
    service = make_service(guide_depth=None)
    assert [name for _, name in service.thumbnails] == ['evening']
    assert 'secret.txt' in capsys.readouterr().err
    guide, depth = service.offered_guide(0)
    assert guide.shape == (96, 96, 3)
    assert depth is None


def test_depth_is_estimated_once_if_there_is_a_model(make_service):
    seen = []

    def estimate(rgb):
        seen.append(rgb.shape)
        return np.zeros(rgb.shape[:2], np.float32)

    service, photo = make_service(estimate), str(RENDERED / 'scene_4500_E.png')
    result = service.relight(photo, None, str(RENDERED / 'guide_2500_NW.png'), None)
    assert sorted(seen) == [(96, 96, 3), (96, 96, 3)]
    again = service.relight(photo, None, light=Light('E'))
    assert len(seen) == 2  # of the same photo no second time
    assert np.abs(again.after.astype(int) - result.after).max() > 0
    assert result.before.shape == result.after.shape == (256, 256, 3)
    assert result.path.name == 'scene_4500_E_relit.png'


def test_light_by_name_is_that_of_the_guide_in_the_package(make_service, tmp_path):
    service = make_service()
    photo, depth = service.sample()
    Image.fromarray(service.preview('S', 3000)).save(tmp_path / 'guide.png')
    guide = (str(tmp_path / 'guide.png'), str(GUIDES / 'depth.png'))
    by_name, by_file = service.relight(photo, depth, light=Light('S', 3000)), service.relight(photo, depth, *guide)
    assert by_name.before.shape == (512, 512, 3)
    np.testing.assert_allclose(by_name.after.astype(int), by_file.after, atol=2)  # of which the guide has 8 bits


def test_only_the_colour_is_changed_without_depth_if_that_is_wanted(make_service):
    photo = str(RENDERED / 'scene_4500_E.png')
    with pytest.raises(ValueError, match='no depth for it'):
        make_service().relight(photo, None, light=Light('E'))
    assert make_service().relight(photo, None, light=Light('E'), colour_only=True).after.shape == (256, 256, 3)


def test_app_needs_no_arguments(checkpoint, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(pretrained, 'pretrained_path', lambda: checkpoint)
    monkeypatch.setattr('sys.argv', ['app'])
    monkeypatch.setitem(sys.modules, 'transformers', None)  # as where the extra is not installed
    service = command.make_service(command.parse_arguments(), tmp_path)
    chosen, missing = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r'note: the network computes in (float32|bfloat16) on (cpu|cuda|mps)', chosen)
    assert missing.startswith('note: depth has to be uploaded, or only the colour changes: ')
    photo, depth = service.sample()
    assert service.relight(photo, depth, light=Light('W')).path.exists()


def test_ctrl_c_ends_in_one_line_and_leaves_no_folder(monkeypatch, capsys, tmp_path):
    def interrupted(args, folder):
        (folder / 'upload').touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(command, 'serve', interrupted)
    monkeypatch.setattr('sys.argv', ['app', '--checkpoint', 'net.pth'])
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == 'stopped\n'
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('module', ['s3net_plugin.app', 's3net_plugin.commands relight --input a.jpg --output b.jpg'])
def test_threads_are_told_to_sleep_while_they_wait_before_torch_is_there(tmp_path, module):
    (tmp_path / 'torch.py').write_text('import os\nraise SystemExit(os.environ.get("OMP_WAIT_POLICY"))')
    said = ('OMP_', 'GOMP_', 'KMP_')  # by a command that ran in this process
    environment = {name: value for name, value in os.environ.items() if not name.startswith(said)}
    environment['PYTHONPATH'] = f'{tmp_path}{os.pathsep}{ROOT}'
    command = [sys.executable, '-m', *module.split()]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, '', 'passive\n')
