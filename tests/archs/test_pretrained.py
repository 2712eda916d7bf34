import json
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from s3net_plugin.archs import pretrained
from s3net_plugin.archs.pretrained import (
    read_checkpoint,
    read_metadata,
    read_options,
    write_pretrained,
)

OPTIONS = {'type': 'S3Net', 'encoder': 'resnet10t', 'upsampling': ['pixel_shuffle'] * 4, 'residual': True}
WEIGHTS = {'a.weight': torch.linspace(-3, 3, 24).reshape(4, 6).t(), 'a.num_batches_tracked': torch.tensor(2**40)}
NOTES = {'training': {'stages': [{'iterations': 4, 'machine': '2 Kerne, ½ GHz'}]}, 'scores': {'psnr': 17.5}}


def checkpoint(**changes):
    return {'params': WEIGHTS, 'network_g': OPTIONS, **changes}


def test_a_file_gives_back_weights_options_and_notes(tmp_path):
    path = tmp_path / 'net.safetensors'
    write_pretrained(checkpoint(), path, **NOTES)
    content = read_checkpoint(path)
    assert content['network_g'] == read_options(path) == OPTIONS
    weights = content['params']
    assert weights['a.weight'].dtype == torch.float32
    assert torch.equal(weights['a.weight'], WEIGHTS['a.weight'].half().float())
    assert torch.equal(weights['a.num_batches_tracked'], WEIGHTS['a.num_batches_tracked'])
    metadata = read_metadata(path)
    assert {name: json.loads(metadata[name]) for name in NOTES} == NOTES
    assert (metadata['licence'], metadata['format']) == ('Apache-2.0', 'pt')
    with safe_open(path, 'pt') as file:
        assert file.get_tensor('a.weight').dtype == torch.float16
    assert [entry.name for entry in tmp_path.iterdir()] == ['net.safetensors']


def test_averaged_weights_are_written_where_there_are_any(tmp_path):
    averaged = {name: tensor + 1 for name, tensor in WEIGHTS.items()}
    write_pretrained(checkpoint(params_ema=averaged), tmp_path / 'net.safetensors', **NOTES)
    written = read_checkpoint(tmp_path / 'net.safetensors')['params']
    assert torch.equal(written['a.weight'], averaged['a.weight'].half().float())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'params': {'w': torch.tensor([1.0, 7e4])}}, 'w: a value is too large for half precision'),
        ({'params': {'w': torch.tensor([1.0, float('nan')])}}, 'w: a value is not finite'),
        ({'params': {'w': torch.tensor([-float('inf')])}}, 'w: a value is not finite'),
        ({'params': None}, 'no state dict'),
        ({'network_g': None}, 'holds no network_g'),
    ],
)
def test_what_cannot_be_written_leaves_the_old_file(tmp_path, changes, message):
    path = tmp_path / 'net.safetensors'
    path.write_bytes(b'old')
    with pytest.raises(ValueError, match=message) as error:
        write_pretrained(checkpoint(**changes), path, **NOTES)
    assert '\n' not in str(error.value)
    assert path.read_bytes() == b'old'
    assert [entry.name for entry in tmp_path.iterdir()] == ['net.safetensors']


def test_another_suffix_is_refused_since_it_would_be_read_as_a_pickle(tmp_path):
    with pytest.raises(ValueError, match=r'net\.pth: weights are written to a file that ends in \.safetensors'):
        write_pretrained(checkpoint(), tmp_path / 'net.pth', **NOTES)


@pytest.mark.parametrize(
    'text',
    [
        *('', '{', '[]', '"S3Net"', '{"encoder": "resnet10t"}', '{"type": 3}', '{"type": "S3Net", "ambient": NaN}'),
        pytest.param('[' * 200_000, id='deep'),
        pytest.param('{"type": "S3Net", "x": ' + '9' * 10_000 + '}', id='digits'),
        '__import__("os").mkdir("owned")',
    ],
)
def test_hostile_options_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / 'net.safetensors'
    save_file({'w': torch.ones(1)}, path, metadata={'network_g': text})
    for read in (read_options, read_checkpoint):
        with pytest.raises(ValueError, match=r'net\.safetensors: network_g in its metadata') as error:
            read(path)
        assert '\n' not in str(error.value)
        assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    'content',
    [
        *(b'', b'not weights', b'\xff' * 64, struct.pack('<Q', 2**40) + b'{}', struct.pack('<Q', 2) + b'[]'),
        struct.pack('<Q', 38) + b'{"__metadata__": {"network_g": {"a":1}}}'[:38],
    ],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path, content):
    path = tmp_path / 'net.safetensors'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'net\.safetensors: ') as error:
        read_metadata(path)
    assert '\n' not in str(error.value)


def test_a_header_larger_than_any_networks_is_not_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, 'safe_open', None)
    save_file({'w': torch.ones(1)}, tmp_path / 'net.safetensors', metadata={'x': 'y' * 2**22})
    with pytest.raises(ValueError, match=r'net\.safetensors: not a whole checkpoint \(a header of'):
        read_metadata(tmp_path / 'net.safetensors')


def test_files_of_others_need_no_options(tmp_path):
    save_file({'module.w': torch.ones(1)}, tmp_path / 'net.safetensors')
    assert read_options(tmp_path / 'net.safetensors') is None
    assert read_checkpoint(tmp_path / 'net.safetensors').keys() == {'params'}
    with pytest.raises(FileNotFoundError, match=r'none\.safetensors: no such file'):
        read_checkpoint(tmp_path / 'none.safetensors')
