"""Runs of the real command, and of the report alone."""

import csv
import itertools
import json
import re
import shutil
import subprocess
import sys
from statistics import median

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

from s3net_plugin.report import Report
from tests.conftest import ROOT, change
from tests.formula_weights import fill_state_dict
from tests.models.commands import Command

SIMILARITY = {'type': 'calculate_relight_ssim', 'crop_border': 0, 'mode': 'gaussian11'}


@pytest.fixture
def run_test(options, write_options, tmp_path):
    """Run ``basicsr test.py`` on data sets; returns what it said, its folder and its summary."""

    def run(changes=(), **datasets):
        common = {'type': 'RGBDRelightPairedDataset', 'io_backend': {'type': 'disk'}}
        sets = {f'test_{i}': {**common, 'name': name, **opt} for i, (name, opt) in enumerate(datasets.items())}
        metrics = {'similarity': SIMILARITY, **options['val']['metrics']}
        test = {'name': 'tiny_test', 'datasets': sets, 'train': ..., 'logger': ..., **dict(changes)}
        test['val'] = {'save_img': False, 'suffix': None, 'metrics': metrics}
        command = Command(tmp_path, 'test', '-opt', write_options(change(options, test))).succeed()
        folder = tmp_path / 'results/tiny_test'
        return command.output, folder, json.loads((folder / 'summary.json').read_text())

    return run


def test_a_run_on_several_sets_is_reported_in_one_place(run_test, layouts):
    output, folder, summary = run_test(
        scenes={'layout': 'scenes', 'dataroot': str(layouts['scenes']), 'num_samples': 4, 'batch_size_per_gpu': 3},
        blind={'layout': 'pairs', 'dataroot': str(layouts['no_target'])},
        pairs={'layout': 'pairs', 'dataroot': str(layouts['pairs']), 'resize': 48},
    )
    files = {path.name for path in folder.iterdir() if path.suffix != '.log'}
    assert files == {'metrics.csv', 'summary.json', 'summary.md', 'contact_sheet.png', 'visualization'}

    with (folder / 'metrics.csv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    methods = ('model', 'copy_input', 'colour_transfer', 'shading_transfer')
    assert {(row['dataset'], row['method']) for row in rows} == set(itertools.product(('scenes', 'pairs'), methods))
    for dataset, methods in summary['datasets'].items():
        for method, metrics in methods.items():
            for metric, found in metrics.items():
                scores = [float(r[metric]) for r in rows if (r['dataset'], r['method']) == (dataset, method)]
                assert found['mean'] == pytest.approx(np.mean(scores), abs=1e-6)
                assert found['median'] == pytest.approx(np.median(scores), abs=1e-6)
    seconds = [float(row['seconds']) for row in rows if row['dataset'] == 'pairs' and row['seconds']]
    assert summary['images_per_second']['pairs'] == pytest.approx(1 / median(seconds), rel=0.05)
    assert summary['settings']['resolution'] == {'scenes': '32 x 32', 'pairs': '48 x 48'}
    assert 'gaussian11' in summary['settings']['metrics']['similarity']['description']
    assert summary['complexity_input'] == [1, 8, 32, 32]
    assert summary['flops'] > summary['parameters'] > 0
    assert summary['git'] is None
    worst = [row['similarity'] for row in summary['worst']['scenes']]
    assert worst == sorted(worst)

    text = (folder / 'summary.md').read_text(encoding='utf-8')
    assert text.index('## scenes') < text.index('| shading transfer') < text.index('## pairs')
    assert text.count(summary['settings']['metrics']['psnr']['description']) == 2
    assert '## pairs' in output
    assert output.count('blind: no scores, it has no targets; and val: save_img is off') == 1
    with Image.open(folder / 'contact_sheet.png') as sheet:
        assert max(sheet.size) < 3000


def test_without_a_guide_copying_the_input_is_the_one_baseline(run_test, layouts):
    data = {'layout': 'one_to_one', 'dataroot': str(layouts['one_to_one'])}
    _, _, summary = run_test({'network_g:in_channels': 4}, one=data)
    assert list(summary['datasets']['one']) == ['model', 'copy_input']


def test_the_released_network_is_evaluated_by_the_two_documented_commands(layouts, tmp_path):
    path = ROOT / 'options/test_s3net_released.yml'
    commands = re.findall(r'^#   (python|basicsr) (.+)$', path.read_text(), re.MULTILINE)
    assert [command for command, _ in commands] == ['python', 'basicsr']
    shutil.copytree(layouts['pairs'], tmp_path / 'datasets/VIDIT/val')
    shapes = json.loads((ROOT / 'tests/assets/s3net_released_state_dict.json').read_text())
    torch.save({'state_dict': fill_state_dict(shapes)}, tmp_path / 'S3Net_authors.pth')
    for folder in ('scripts', 'options'):
        (tmp_path / folder).symlink_to(ROOT / folder)
    subprocess.run([sys.executable, *commands[0][1].split()], cwd=tmp_path, check=True, capture_output=True)
    Command(tmp_path, *commands[1][1].split()).succeed()
    summary = json.loads((tmp_path / 'results/test_S3Net_VIDIT_released/summary.json').read_text())
    assert summary['images'] == {'VIDIT_val': 3}
    assert summary['settings']['weights'] == 'datasets/VIDIT/s3net_released.pth'
    assert not summary['settings']['ema']
    # 318 GMAC at 1024 x 1024, 49.35 M parameters
    assert summary['flops'] == pytest.approx(318e9 / 1024, rel=0.01)
    assert summary['parameters'] == pytest.approx(49.35e6, rel=0.001)


def test_the_released_options_are_those_of_the_import(tmp_path):
    from s3net_plugin.archs.released_weights import RELEASED_OPTIONS
    from s3net_plugin.archs.s3net_arch import S3Net

    network = yaml.safe_load((ROOT / 'options/test_s3net_released.yml').read_text())['network_g']
    defaults = S3Net.__init__.__kwdefaults__
    assert {**defaults, **network} == {**defaults, **RELEASED_OPTIONS}


class FakeSet(list):
    opt = {'name': 'fake'}  # noqa: RUF012


FAKE = FakeSet([{'lq': torch.zeros(8, 48, 64)}])


@pytest.fixture
def report(tmp_path):
    metrics = {
        'psnr': {'type': 'calculate_psnr', 'crop_border': 0},
        'lpips': {'type': 'calculate_psnr', 'crop_border': 1, 'better': 'lower'},
    }
    opt = {'name': 'alone', 'datasets': {}, 'path': {'results_root': str(tmp_path)}}
    opt['val'] = {'save_img': True, 'metrics': metrics}
    return Report(opt, nn.Conv2d(8, 3, 1), torch.device('cpu'))


def test_pictures_are_computed_again_for_notable_images_only(report, make_rows, tmp_path):
    asked = []

    def view(index):
        asked.append(index)
        return {name: np.full((48, 64, 3), 40 * index, np.uint8) for name in ('input', 'output', 'target')}

    report.add(FAKE, make_rows([5.0, 9.0, 1.0, 7.0]), view)
    assert asked == [1, 3, 2]
    assert {path.name for path in tmp_path.iterdir()} == {
        *('metrics.csv', 'summary.json', 'summary.md', 'contact_sheet.png')
    }


def test_scores_are_safe_when_a_picture_fails(report, make_rows, tmp_path):
    with pytest.raises(OSError, match='gone'):
        report.add(FAKE, make_rows([5.0, float('inf')]), lambda index: (_ for _ in ()).throw(OSError('gone')))
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert summary['datasets']['fake']['model']['psnr']['mean'] is None
    assert summary['worst']['fake'][0]['psnr'] == 5


def test_a_set_without_scores_leaves_a_line_in_the_log_and_no_file(report, messages, tmp_path):
    report.add(FAKE, [], lambda index: {})
    assert messages == ['fake: no scores, it has no targets; images only.']
    assert list(tmp_path.iterdir()) == []
