import json
import os
import subprocess
import sys

import pytest
import torch

from tests.conftest import ROOT


def test_one_command_measures_everything(tmp_path):
    flags = ['--device', 'cpu', '--quick', '--json', tmp_path / 'found.json']
    command = [sys.executable, ROOT / 'scripts/benchmark.py', *flags]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    result = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / 'found.json').read_text())
    assert [path.name for path in tmp_path.iterdir()] == ['found.json']
    names = ['inference_b1', 'inference_b8', 'train_step', 'train_step_bfloat16', 'charbonnier']
    names += ['wssim', 'wssim_compiled', 'perceptual']
    names += ['shading', 'closed_form', 'test_set', 'test_set_bfloat16', 'first_iteration']
    names += ['relight_photo_cold', 'relight_photo']
    if 'bfloat16' not in found['matrix_product']:  # the processor has none
        names = [name for name in names if 'bfloat16' not in name]
    assert list(found['speedup_over_plain']) == names
    assert all(rate > 0 for rate in found['matrix_product'].values())
    assert 'inference_b1, ' in result.stdout.split('A large matrix product reaches ')[1]
    assert found['machine']['threads'] == 1
    assert found['machine']['torch'] == torch.__version__
    assert found['machine']['cpu'] in result.stdout
    for row in found['rows']:
        ratio = row['plain']['seconds']['median'] / row['fast']['seconds']['median']
        assert found['speedup_over_plain'][row['name']] == ratio > 0
        for way in ('plain', 'fast'):
            seconds = row[way]['seconds']
            assert 0 < seconds['lower'] <= seconds['median'] <= seconds['upper']
            assert row[way]['peak_bytes'] > 0
        assert f'| {row["name"]} ' in result.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_a_missing_gpu_is_one_line(run_script):
    message = 'error: --device cuda: PyTorch sees no GPU here; take --device cpu'
    assert run_script('benchmark', '--device', 'cuda') == (message, '', '')


def test_one_round_is_refused_since_it_has_no_quartiles(run_script):
    status, _, error = run_script('benchmark', '--device', 'cpu', '--rounds', '1')
    assert status == 2
    assert '--rounds: at least 2 are needed' in error


def test_one_work_can_be_measured_alone(run_script):
    status, output, _ = run_script('benchmark', '--device', 'cpu', '--quick', '--only', 'charbonnier')
    assert status == 0
    assert '| charbonnier ' in output
    assert '| wssim ' not in output


def test_an_unknown_work_is_one_line_that_names_the_others(run_script):
    message, output, _ = run_script('benchmark', '--device', 'cpu', '--quick', '--only', 'infer')
    assert message.startswith('error: infer: no such work; there are inference_b1, inference_b8, ')
    assert not output
