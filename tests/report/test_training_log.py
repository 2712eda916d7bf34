import math

import pytest
from basicsr.utils.logger import MessageLogger

from s3net_plugin.report.training_log import read_log, read_run
from tests.report.conftest import listen

OPTIONS = 'INFO: \n  train:[\n    total_iter: 1000.0\n  ]\n  val:[\n    val_freq: 30\n    save_img: False\n  ]\n'


def step(iteration, **losses):
    """The line that BasicSR itself writes."""
    opt = {'name': 'tiny_run', 'logger': {'print_freq': 1, 'use_tb_logger': False}, 'train': {'total_iter': 10**7}}
    values = {'epoch': 2, 'iter': iteration, 'lrs': [1e-3, 1e-4], 'time': 0.1, 'data_time': 0.01, **losses}
    with listen() as said:
        MessageLogger(opt)(values)
    return f'2026-01-01 00:00:00,000 INFO: {said[0]}\n'


def validation(name='val', **scores):
    rows = ''.join(f'\t # {metric}: {score:.4f}\tBest: 99.0000 @ 7 iter\n' for metric, score in scores.items())
    return f'2026-01-01 00:00:00,000 INFO: Validation {name}\n{rows}\n'


def test_losses_are_read_from_the_lines_that_basicsr_writes():
    text = step(1, l_pix=0.5, l_wssim=-1.25) + step(1234567, l_pix=math.nan, l_wssim=math.inf)
    curves = read_log(text)
    assert list(curves) == ['l_pix', 'l_wssim']
    assert curves['l_wssim'] == {1: -1.25, 1234567: math.inf}
    assert curves['l_pix'][1] == 0.5
    assert math.isnan(curves['l_pix'][1234567])


def test_scores_get_the_iteration_of_their_validation_whatever_the_print_frequency():
    text = OPTIONS + step(50, l_pix=1)
    text += validation(psnr=1) + validation('other', psnr=5, ssim=0.5)  # the multiple of 30 after 50
    text += validation(psnr=2) + step(100, l_pix=1) + validation(psnr=3)
    curves = read_log(text)
    assert curves['val: psnr'] == {60: 1, 90: 2, 120: 3}
    assert curves['other: ssim'] == {60: 0.5}
    frequent = OPTIONS.replace('30', '10') + validation(psnr=1) + validation(psnr=2) + step(50, l_pix=1)
    assert read_log(frequent)['val: psnr'] == {10: 1, 20: 2}


def test_the_last_validation_is_at_the_end_and_a_resumed_log_goes_on_from_its_start():
    text = OPTIONS + step(980, l_pix=1) + validation(psnr=1) + step(1000, l_pix=1) + validation(psnr=2)
    assert read_log(text)['val: psnr'] == {990: 1, 1000: 2}
    text = OPTIONS + 'INFO: Resuming training from epoch: 3, iter: 600.\n' + validation(psnr=1)
    assert read_log(text)['val: psnr'] == {630: 1}
    without_options = step(50, l_pix=1) + validation(psnr=1)
    assert read_log(without_options)['val: psnr'] == {50: 1}  # where the last line was


def test_the_logs_of_an_experiment_are_read_by_age_and_a_later_one_replaces_what_it_repeats(tmp_path):
    first = ''.join(step(iteration, l_pix=1) for iteration in (10, 20, 25)) + step(30, l_pix=1, l_old=1)
    (tmp_path / 'train_b_20260102_000000.log').write_text(first)
    (tmp_path / 'train_a_20260103_000000.log').write_text(step(20, l_pix=5) + step(40, l_pix=6))
    (tmp_path / 'train_c_20260103_000001.log').write_text('')
    (tmp_path / 'test_b_20260104_000000.log').write_text(step(1, l_pix=9))
    assert read_run(tmp_path) == {'l_pix': {10: 1, 20: 5, 40: 6}}
    assert read_run(tmp_path / 'train_b_20260102_000000.log')['l_pix'] == dict.fromkeys((10, 20, 25, 30), 1)


def test_what_is_no_log_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none: no BasicSR training log'):
        read_run(tmp_path / 'none')
    with pytest.raises(FileNotFoundError, match=r'no BasicSR training log'):
        read_run(tmp_path)
    (tmp_path / 'other.log').write_bytes(b'\xff\xfe nothing\n')
    with pytest.raises(ValueError, match=r'other\.log: no losses or scores in it'):
        read_run(tmp_path / 'other.log')
