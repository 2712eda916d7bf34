import os
import pickle
import resource

import pytest
import torch

from s3net_plugin.utils.checkpoint import load_weights_only, save_atomic


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / 'a.pth'
    save_atomic({'params': {'w': torch.arange(3.0)}, 'iter': 3}, path)
    content = load_weights_only(path)
    assert content['iter'] == 3
    assert torch.equal(content['params']['w'], torch.arange(3.0))
    assert [entry.name for entry in tmp_path.iterdir()] == ['a.pth']


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / 'a.pth'
    save_atomic({'iter': 1}, path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        with pytest.raises(OSError, match=r'a\.pth: cannot be saved \(.+\); what was there before is unchanged'):
            save_atomic({'w': torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_weights_only(path) == {'iter': 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ['a.pth']


@pytest.mark.parametrize('keep', [0, 1, 100, -1])
def test_a_torn_file_is_named(tmp_path, keep):
    path = tmp_path / 'a.pth'
    save_atomic({'w': torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r'a\.pth: not a whole checkpoint'):
        load_weights_only(path)


class Hostile:
    def __reduce__(self):
        return os.system, ('touch hostile_ran',)


def bare_pickle(content, path):
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize('save', [torch.save, bare_pickle])
def test_a_hostile_file_is_refused_and_not_run(tmp_path, monkeypatch, save):
    monkeypatch.chdir(tmp_path)
    save({'w': Hostile()}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth: refused'):
        load_weights_only(tmp_path / 'a.pth')
    assert not (tmp_path / 'hostile_ran').exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.pth: no such file'):
        load_weights_only(tmp_path / 'none.pth')
