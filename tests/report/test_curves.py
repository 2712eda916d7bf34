import math
import re

import numpy as np
import pytest
from PIL import Image

from s3net_plugin.report.curves import write_curves


@pytest.fixture
def draw(drawn, tmp_path):
    """Draw curves and return the figure."""
    return lambda runs: (write_curves(runs, tmp_path / 'curves.png'), drawn.pop())[1]


def test_every_run_is_in_every_chart_it_has_values_for(draw):
    runs = {'a': {'l_pix': {1: 0.5, 2: 0.4}, 'val: psnr': {2: 20.0}}, 'b': {'l_pix': {1: 0.6}}}
    loss, psnr = draw(runs).axes
    assert [axes.get_title() for axes in (loss, psnr)] == ['l_pix', 'val: psnr']
    assert {line.get_label(): line.get_ydata()[0] for line in loss.lines} == {'a': 0.5, 'b': 0.6}
    assert [line.get_label() for line in psnr.lines] == ['a']
    colours = {line.get_color() for axes in (loss, psnr) for line in axes.lines if line.get_label() == 'a'}
    assert len(colours) == 1


def test_values_that_are_not_finite_break_the_line_and_are_marked(draw):
    figure = draw({'a': {'l_pix': {1: 1.0, 2: math.nan, 3: math.inf, 4: 1.0}}})
    line, marks = figure.axes[0].lines
    assert np.isnan(line.get_ydata()).tolist() == [False, True, True, False]
    assert list(marks.get_xdata()) == [2, 3]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a', 'not finite']


def test_a_long_curve_is_drawn_with_its_running_mean(draw):
    values = [i + (-1) ** i for i in range(100)]
    values[50] = math.nan
    faint, mean = draw({'a': {'l_pix': dict(enumerate(values))}}).axes[0].lines[:2]
    assert list(faint.get_ydata()) == pytest.approx(values, nan_ok=True)
    assert faint.get_alpha() < 1
    inner = np.r_[10:40, 60:90]
    assert np.abs(mean.get_ydata()[inner] - inner).max() < 0.2
    assert np.isnan(mean.get_ydata()).sum() == 1


def test_a_loss_that_falls_far_has_a_logarithmic_axis(draw):
    figure = draw({'a': {'l_far': {1: 1.0, 2: 0.01}, 'l_near': {1: 1.0, 2: 0.5}, 'l_negative': {1: 1.0, 2: -1.9}}})
    assert [axes.get_yscale() for axes in figure.axes] == ['log', 'linear', 'linear']


def test_the_script_draws_real_logs(run_script, monkeypatch, tmp_path):
    line = '2026-01-01 00:00:00,000 INFO: [tiny..][epoch:  0, iter: {:7,d}, lr:(1.000e-03,)] [eta: 0:00:00, time'
    line += ' (data): 0.1 (0.0)] l_pix: 5.0000e-01 \n'
    for name in ('one', 'two'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'train_x_20260101_000000.log').write_text(''.join(line.format(i) for i in (500, 1000)))
    monkeypatch.chdir(tmp_path)
    assert run_script('plot_log', 'one', 'two') == (0, 'curves.png\n', '')
    with Image.open('curves.png') as picture:
        assert min(picture.size) > 300
    message, _, _ = run_script('plot_log', 'three')
    assert re.fullmatch(r'error: three: no BasicSR training log[^\n]+', message)
    message, _, _ = run_script('plot_log', 'one', '--output', 'a.nothing')
    assert re.fullmatch(r"error: [^\n]*'nothing'[^\n]*", message)
