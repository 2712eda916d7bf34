import csv
import io
import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from s3net_plugin.archs.pretrained import write_pretrained
from s3net_plugin.report.summary import means_and_medians, metrics_csv, notable, ranked, resolution, weights, worst


def test_means_and_medians_are_those_of_numpy(make_rows):
    scores = np.random.default_rng(0).normal(20, 3, 8)
    found = means_and_medians(make_rows(scores))
    assert found['model']['psnr']['mean'] == pytest.approx(scores.mean())
    assert found['model']['psnr']['median'] == pytest.approx(np.median(scores))
    assert found['copy_input']['psnr'] == {'mean': 10, 'median': 10}
    # what is not finite is said to be so
    assert means_and_medians(make_rows([1, math.inf, 3]))['model']['psnr'] == {'mean': None, 'median': 3}
    assert means_and_medians(make_rows([1, math.nan, 3]))['model']['psnr'] == {'mean': None, 'median': None}


def test_images_are_ranked_as_the_metric_says_broken_ones_last_and_the_worst_five_come_worst_first(make_rows):
    rows = make_rows([3.0, math.nan, 1.0, 2.0])
    assert [row.position for row in ranked(rows, 'psnr', 'higher')] == [0, 3, 2, 1]
    assert [row.position for row in ranked(rows, 'psnr', 'lower')] == [2, 3, 0, 1]
    assert [row.position for row in ranked(rows, 'lpips', 'lower')] == [3, 2, 1, 0]
    found = worst(ranked(make_rows([7.0, 1.0, 6.0, 2.0, 5.0, 3.0]), 'psnr', 'higher'))
    assert [row['psnr'] for row in found] == [1, 2, 3, 5, 6]
    assert found[0]['image'] == 'Pair001'


@pytest.mark.parametrize('count', range(1, 9))
def test_notable_images_are_the_ends_and_the_middle_and_none_comes_twice(make_rows, count):
    best_first = ranked(make_rows([float(i) for i in range(count)]), 'psnr', 'higher')
    found = notable(best_first)
    rows = [row for _, row in found]
    assert rows == sorted(rows, key=best_first.index)
    assert len({row.image for row in rows}) == len(rows) == (6 if count >= 6 else min(count, 3))
    assert rows[0] == best_first[0]
    assert rows[-1] == best_first[-1]
    if count >= 3:
        middle = [row.scores['psnr'] for kind, row in found if kind == 'median']
        assert abs(np.mean(middle) - (count - 1) / 2) <= 0.5


def test_the_table_of_scores_has_one_line_an_image_and_method_and_no_time_for_baselines(make_rows):
    text = metrics_csv({'a, b': make_rows([20.0]), 'c': make_rows([21.0, 22.0])})
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ['dataset', 'image', 'method', 'psnr', 'lpips', 'seconds']
    assert [row['dataset'] for row in rows] == ['a, b'] * 2 + ['c'] * 4
    assert [row['seconds'] for row in rows] == ['0.5000', '', '0.5000', '', '1.5000', '']
    assert float(rows[4]['psnr']) == 22


@pytest.mark.parametrize(
    ('keys', 'wanted', 'found'),
    [
        (['params', 'params_ema'], 'params_ema', 'params_ema'),
        (['params', 'params_ema'], 'params', 'params'),
        (['params'], 'params_ema', 'params'),  # what BasicSR takes instead
        (['a.weight'], None, None),
    ],
)
def test_the_weights_are_those_that_basicsr_loads(tmp_path, keys, wanted, found):
    path = tmp_path / 'net_g.pth'
    torch.save({key: {} for key in keys}, path)
    given = weights({'pretrain_network_g': str(path), 'param_key_g': wanted})
    assert given == {'weights': str(path), 'param_key': found, 'ema': found == 'params_ema'}


@pytest.mark.parametrize('key', ['params', 'params_ema'])
def test_packed_weights_are_averaged_if_those_that_were_packed_are(tmp_path, key):
    path = tmp_path / 'net.safetensors'
    write_pretrained({key: {'w': torch.ones(1)}, 'network_g': {'type': 'A'}}, path, training={}, scores={})
    given = weights({'pretrain_network_g': str(path), 'param_key_g': 'params_ema'})
    assert given == {'weights': str(path), 'param_key': 'params', 'ema': key == 'params_ema'}
    save_file({'w': torch.ones(1)}, path)
    assert weights({'pretrain_network_g': str(path)})['ema'] is None  # the file does not say
    assert weights({'pretrain_network_g': None}) == {'weights': None, 'param_key': None, 'ema': False}


def test_the_resolution_names_the_smallest_and_the_largest_image(make_rows):
    assert resolution(make_rows([1, 2], size=(48, 64))) == '64 x 48'
    mixed = make_rows([1], size=(90, 40)) + make_rows([1], size=(48, 64)) + make_rows([1], size=(50, 60))
    assert resolution(mixed) == '60 x 50 to 40 x 90'
