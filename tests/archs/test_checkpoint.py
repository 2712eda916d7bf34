import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from s3net_plugin.utils.checkpoint import plain_state_dict, read_state_dict, state_dict_mismatch

STATE = {'a.weight': torch.arange(6.0).reshape(2, 3), 'a.bias': torch.ones(2)}


@pytest.mark.parametrize('wrap', [dict, *(lambda state, key=key: {key: state} for key in ('state_dict', 'params'))])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_state_dict_is_found_however_it_is_wrapped(tmp_path, wrap, prefix):
    torch.save(wrap({prefix + name: tensor for name, tensor in STATE.items()}), tmp_path / 'w.pth')
    state = read_state_dict(tmp_path / 'w.pth')
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


def test_safetensors_and_pickle_hold_the_same(tmp_path):
    save_file(STATE, tmp_path / 'w.safetensors')
    state = read_state_dict(tmp_path / 'w.safetensors')
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


class Hostile:
    def __reduce__(self):
        return os.mkdir, ('owned',)


def test_code_in_a_pickle_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({'state_dict': Hostile()}, 'new.pth')
    (tmp_path / 'raw.pth').write_bytes(pickle.dumps({'state_dict': Hostile()}))
    for name in ('new.pth', 'raw.pth'):
        with pytest.raises(ValueError, match=f'{name}: (not a whole checkpoint|refused)'):
            read_state_dict(name)
    assert not (tmp_path / 'owned').exists()


@pytest.mark.parametrize('name', ['torn.pth', 'torn.safetensors'])
@pytest.mark.parametrize('content', [b'', b'not weights', b'PK\x03\x04' + bytes(100)])
def test_damaged_file_is_named_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f'{name}: ') as error:
        read_state_dict(tmp_path / name)
    assert '\n' not in str(error.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.pth: no such file'):
        read_state_dict(tmp_path / 'none.pth')


@pytest.mark.parametrize('content', [3, {}, [torch.ones(1)], {'epoch': 3}, {'state_dict': {'a': 1}}])
def test_what_is_no_state_dict_is_refused(content):
    with pytest.raises(ValueError, match='state dict'):
        plain_state_dict(content)


def test_misfit_lists_missing_unknown_and_misshaped():
    got = {'a.weight': torch.ones(3, 3), 'b': torch.ones(1)}
    expected = 'missing: a.bias; unknown: b; shapes: a.weight is (3, 3) and should be (2, 3)'
    assert state_dict_mismatch(STATE, got) == expected
    assert state_dict_mismatch(STATE, STATE) == ''


def test_long_lists_are_cut():
    names = {f'layer{i}': torch.ones(1) for i in range(100)}
    assert state_dict_mismatch(names, {}).endswith('layer7 and 92 more')
