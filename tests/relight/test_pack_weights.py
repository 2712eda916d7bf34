import json
import re

import pytest
import torch
from safetensors import safe_open

from s3net_plugin.archs.load import load_network


@pytest.fixture
def pack(run_main, checkpoints, tmp_path, monkeypatch):
    """Run the script in a folder with notes."""
    monkeypatch.chdir(tmp_path)
    for name in ('training', 'scores'):
        (tmp_path / f'{name}.json').write_text(json.dumps({'of': name}))

    def run(checkpoint=checkpoints / 'guided.pth', scores='scores.json'):
        notes = ('--training', 'training.json', '--scores', scores)
        run_main('pack_weights', '--checkpoint', checkpoint, '--output', 'net.safetensors', *notes)

    return run


def test_size_and_difference_are_those_of_the_file(pack, checkpoints, tmp_path, capsys):
    pack()
    line = capsys.readouterr().out
    size, difference = re.fullmatch(r'net\.safetensors: (\S+) MB; .* by at most (\S+)\n', line).groups()
    path = tmp_path / 'net.safetensors'
    assert float(size) == pytest.approx(path.stat().st_size / 1e6, abs=0.05)
    assert path.stat().st_size < 0.55 * (checkpoints / 'guided.pth').stat().st_size
    with safe_open(path, 'pt') as file:
        metadata = file.metadata()
    assert [json.loads(metadata[name]) for name in ('training', 'scores')] == [{'of': 'training'}, {'of': 'scores'}]
    x = torch.rand(1, 8, 64, 64)
    moved = (load_network(path)(x) - load_network(checkpoints / 'guided.pth')(x)).abs().max().item()
    assert 0.1 * moved < float(difference) < 10 * moved  # of another input


def test_what_is_wrong_gets_one_line_and_leaves_no_file(pack, checkpoints, tmp_path):
    (tmp_path / 'list.json').write_text('[]')
    (tmp_path / 'text.json').write_text('psnr 17')
    content = torch.load(checkpoints / 'guided.pth', weights_only=True)
    content['params']['conv_last.bias'][0] = 1e6
    torch.save(content, tmp_path / 'large.pth')
    for wrong, message in (
        ({'scores': 'list.json'}, 'list.json: expected a JSON object, got list'),
        ({'scores': 'text.json'}, 'text.json: no JSON'),
        ({'checkpoint': 'large.pth'}, 'large.pth: conv_last.bias: a value is too large for half precision'),
        ({'checkpoint': 'none.pth'}, 'none.pth: no such file'),
    ):
        with pytest.raises(SystemExit, match=f'^error: {message}'):
            pack(**wrong)
        assert not (tmp_path / 'net.safetensors').exists()
