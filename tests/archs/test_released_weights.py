import subprocess
import sys

import numpy as np
import pytest
import torch
from basicsr.archs import build_network

from s3net_plugin.archs.released_weights import convert_released
from s3net_plugin.commands import import_released_weights
from tests.conftest import ROOT

SCRIPT = ROOT / 'scripts/import_released_weights.py'


def test_imported_checkpoint_reproduces_the_released_output(released_checkpoint, tmp_path):
    torch.save(released_checkpoint, tmp_path / 'authors.pth')
    command = [sys.executable, str(SCRIPT), 'authors.pth', 'net_g.pth']
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['authors.pth', 'net_g.pth']

    checkpoint = torch.load(tmp_path / 'net_g.pth', weights_only=True)
    network = build_network(checkpoint['network_g']).eval()
    network.load_state_dict(checkpoint['params'], strict=True)
    x = np.random.RandomState(1000).random_sample((1, 8, 64, 96)).astype(np.float32)
    with torch.no_grad():
        output = network(torch.from_numpy(x)).numpy()
    expected = np.load(ROOT / 'tests/assets/s3net_released_output.npz')['output']
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-4)


def test_what_does_not_fit_is_listed_under_the_authors_names(released_checkpoint):
    state = {name.removeprefix('module.'): tensor for name, tensor in released_checkpoint['state_dict'].items()}
    del state['mid_conv.calayer.ca.2.bias'], state['enhancer.conv1030.weight']
    state['attention2.conv1.weight'] = torch.ones(1)
    state['surprise'] = torch.ones(1)
    expected = (
        'missing: mid_conv.calayer.ca.2.bias, enhancer.conv1030.weight; unknown: surprise; '
        'shapes: attention2.conv1.weight is (1,) and should be (192, 192, 3, 3)'
    )
    with pytest.raises(ValueError, match='not the released S3Net') as error:
        convert_released(state)
    assert str(error.value).endswith(expected)


def test_existing_file_survives_unless_forced(released_checkpoint, tmp_path):
    src, dst = tmp_path / 'authors.pth', tmp_path / 'net_g.pth'
    dst.write_text('precious')
    with pytest.raises(FileExistsError, match=r'net_g\.pth: already there; pass --force'):
        import_released_weights.import_released(src, dst, force=False)
    torch.save({'state_dict': {'x': torch.ones(1)}}, src)
    with pytest.raises(ValueError, match=r'authors\.pth: not the released S3Net'):
        import_released_weights.import_released(src, dst, force=True)
    assert dst.read_text() == 'precious'
    torch.save(released_checkpoint, src)
    import_released_weights.import_released(src, dst, force=True)
    assert 'params' in torch.load(dst, weights_only=True)


def test_script_fails_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', [str(SCRIPT), 'none.pth', 'net_g.pth'])
    with pytest.raises(SystemExit, match=r'^error: none\.pth: no such file$'):
        import_released_weights.main()
    assert list(tmp_path.iterdir()) == []
