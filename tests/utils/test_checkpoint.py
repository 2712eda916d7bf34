import json
import os
import pickle
import resource
import struct

import pytest
import torch
from safetensors.torch import save, save_file

from s3net_plugin.utils.checkpoint import (
    load_weights_only,
    plain_state_dict,
    read_state_dict,
    save_atomic,
    state_dict_mismatch,
)

STATE = {'a.weight': torch.arange(6.0).reshape(2, 3), 'a.bias': torch.ones(2)}


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / 'a.pth'
    save_atomic({'params': STATE, 'iter': 3}, path)
    content = load_weights_only(path)
    assert content['iter'] == 3
    assert all(map(torch.equal, content['params'].values(), STATE.values()))
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


def test_safetensors_are_read_as_a_checkpoint_in_float32(tmp_path):
    path, options = tmp_path / 'w.safetensors', {'type': 'S3Net', 'upsampling': ['pixel_shuffle'], 'residual': True}
    tensors = {'module.w': torch.linspace(0, 1, 5).half(), 'module.count': torch.tensor(2**40)}
    save_file(tensors, path, {'network_g': json.dumps(options)})
    content = load_weights_only(path)
    assert content.keys() == {'params', 'network_g'}
    assert content['network_g'] == options
    assert content['params']['w'].dtype == torch.float32
    assert all(torch.equal(content['params'][name.removeprefix('module.')], value) for name, value in tensors.items())
    save_file(tensors, path)
    assert load_weights_only(path).keys() == {'params'}


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize(
    'damage',
    [
        *(lambda whole, size=size: whole[:size] for size in (0, 1, 100, -1)),
        *(lambda _, content=content: content for content in (b'not weights', b'\xff' * 64, b'PK\x03\x04' + bytes(100))),
        lambda _: struct.pack('<Q', 2**40) + b'{}',
        lambda _: struct.pack('<Q', 2) + b'[]',
        lambda _: struct.pack('<Q', 39) + b'{"__metadata__":{"network_g":{"a": 1}}}',
    ],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path, suffix, damage):
    path = tmp_path / f'a.{suffix}'
    torch.save(STATE, path) if suffix == 'pth' else path.write_bytes(save(STATE))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=rf'a\.{suffix}: not a whole checkpoint \(.{{1,200}}\)$'):
        load_weights_only(path)


@pytest.mark.parametrize(
    'text',
    [
        *('{', '{"type": "S3Net", "ambient": NaN}', '__import__("os").mkdir("owned")'),
        pytest.param('[' * 200_000, id='deep'),
        pytest.param('{"type": "S3Net", "x": ' + '9' * 10_000 + '}', id='digits'),
    ],
)
def test_hostile_options_are_refused_in_one_line(tmp_path, text):
    save_file(STATE, tmp_path / 'a.safetensors', {'network_g': text})
    with pytest.raises(ValueError, match=r'a\.safetensors: .*\(network_g in its metadata is no JSON: .{1,100}\)$'):
        load_weights_only(tmp_path / 'a.safetensors')


class Hostile:
    def __reduce__(self):
        return os.mkdir, ('owned',)


def bare_pickle(content, path):
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize('write', [torch.save, bare_pickle])
def test_a_hostile_file_is_refused_and_not_run(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    write({'state_dict': Hostile()}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth: refused'):
        load_weights_only(tmp_path / 'a.pth')
    assert not (tmp_path / 'owned').exists()


@pytest.mark.parametrize('name', ['none.pth', 'none.safetensors'])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=f'{name}: no such file'):
        load_weights_only(tmp_path / name)


@pytest.mark.parametrize('wrap', [dict, *(lambda state, key=key: {key: state} for key in ('state_dict', 'params'))])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_a_state_dict_is_found_however_it_is_wrapped(tmp_path, wrap, prefix):
    torch.save(wrap({prefix + name: tensor for name, tensor in STATE.items()}), tmp_path / 'w.pth')
    state = read_state_dict(tmp_path / 'w.pth')
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize('content', [3, {}, [torch.ones(1)], {'epoch': 3}, {'state_dict': {'a': 1}}])
def test_what_is_no_state_dict_is_refused(content):
    with pytest.raises(ValueError, match='state dict'):
        plain_state_dict(content)


def test_misfit_lists_missing_unknown_and_misshaped_and_cuts_long_lists():
    got = {'a.weight': torch.ones(3, 3), 'b': torch.ones(1)}
    expected = 'missing: a.bias; unknown: b; shapes: a.weight is (3, 3) and should be (2, 3)'
    assert state_dict_mismatch(STATE, got) == expected
    assert state_dict_mismatch(STATE, STATE) == ''
    assert state_dict_mismatch({f'layer{i}': torch.ones(1) for i in range(100)}, {}).endswith('layer7 and 92 more')
