import json

import pytest
import torch
from safetensors import safe_open

from s3net_plugin.archs.pretrained import write_pretrained
from s3net_plugin.utils.checkpoint import load_weights_only

OPTIONS = {'type': 'S3Net', 'encoder': 'resnet10t', 'upsampling': ['pixel_shuffle'] * 4, 'residual': True}
WEIGHTS = {'a.weight': torch.linspace(-3, 3, 24).reshape(4, 6).t(), 'a.num_batches_tracked': torch.tensor(2**40)}
NOTES = {'training': {'stages': [{'iterations': 4, 'machine': '2 Kerne, ½ GHz'}]}, 'scores': {'psnr': 17.5}}


def checkpoint(**changes):
    return {'params': WEIGHTS, 'network_g': OPTIONS, **changes}


def test_averaged_weights_if_any_come_back_with_options_and_notes(tmp_path):
    path = tmp_path / 'net.safetensors'
    averaged = {name: tensor + 1 for name, tensor in WEIGHTS.items()}
    for written, expected in ((checkpoint(), WEIGHTS), (checkpoint(params_ema=averaged), averaged)):
        write_pretrained(written, path, **NOTES)
        content = load_weights_only(path)
        assert content['network_g'] == OPTIONS
        assert torch.equal(content['params']['a.weight'], expected['a.weight'].half().float())
        assert torch.equal(content['params']['a.num_batches_tracked'], expected['a.num_batches_tracked'])
    with safe_open(path, 'pt') as file:
        assert file.get_tensor('a.weight').dtype == torch.float16
        metadata = file.metadata()
    assert {name: json.loads(metadata[name]) for name in NOTES} == NOTES
    assert (metadata['licence'], metadata['format']) == ('Apache-2.0', 'pt')
    assert [entry.name for entry in tmp_path.iterdir()] == ['net.safetensors']


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
