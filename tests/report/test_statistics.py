import csv
import io
import math

import numpy as np
import pytest

from s3net_plugin.report.statistics import means_and_medians, metrics_csv, notable, ranked, worst


def test_means_and_medians_are_those_of_numpy(make_rows):
    scores = np.random.default_rng(0).normal(20, 3, 8)
    found = means_and_medians(make_rows(scores))
    assert found['model']['psnr']['mean'] == pytest.approx(scores.mean())
    assert found['model']['psnr']['median'] == pytest.approx(np.median(scores))
    assert found['copy_input']['psnr'] == {'mean': 10, 'median': 10}


def test_what_is_not_finite_is_said_to_be_so(make_rows):
    assert means_and_medians(make_rows([1, math.inf, 3]))['model']['psnr'] == {'mean': None, 'median': 3}
    assert means_and_medians(make_rows([1, math.nan, 3]))['model']['psnr'] == {'mean': None, 'median': None}


def test_images_are_ranked_as_the_metric_says_and_broken_ones_last(make_rows):
    rows = make_rows([3.0, math.nan, 1.0, 2.0])
    assert [row.position for row in ranked(rows, 'psnr', 'higher')] == [0, 3, 2, 1]
    assert [row.position for row in ranked(rows, 'psnr', 'lower')] == [2, 3, 0, 1]
    assert [row.position for row in ranked(rows, 'lpips', 'lower')] == [3, 2, 1, 0]


def test_the_worst_five_come_worst_first(make_rows):
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
