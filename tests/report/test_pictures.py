import cv2
import numpy as np
import pytest
from PIL import Image

from s3net_plugin.report.pictures import (
    GAP,
    MARGIN,
    MAX_WIDTH,
    MIN_TILE,
    TILE,
    downscale,
    error_map,
    labelled_row,
    relight_panel,
    section,
    stack,
    write_picture,
)


def grey(value, height=40, width=60):
    return np.full((height, width, 3), value, np.uint8)


def test_no_error_is_black_and_a_quarter_of_the_range_is_the_brightest():
    assert error_map(grey(9), grey(9)).max() < 8
    assert np.array_equal(error_map(grey(0), grey(64)), error_map(grey(0), grey(255)))


def test_a_panel_shows_every_view_unchanged_under_a_label():
    views = {'input': grey(50, 200, 200), 'guide': grey(90, 200, 200), 'output': grey(120, 200, 200)}
    panel = relight_panel(views)
    bar = panel.shape[0] - 200
    assert bar > 0
    assert panel.shape[1] == 3 * 200 + 2 * GAP
    for column, value in enumerate([50, 90, 120]):
        left = column * (200 + GAP)
        assert (panel[bar:, left : left + 200] == value).all()
        assert panel[:bar, left : left + 200].min() == 0  # a label is written


def test_error_and_target_are_shown_when_there_is_a_target():
    views = {name: grey(10, 200, 200) for name in ('input', 'output', 'target')}
    assert relight_panel(views).shape[1] == 4 * 200 + 3 * GAP


def test_small_images_are_enlarged_until_labels_are_readable():
    assert labelled_row({'a': grey(0, 32, 32)}).shape[0] > MIN_TILE


def test_large_panels_become_small_and_small_ones_stay():
    assert downscale(grey(0, 1097, 5 * 1024), 1024).shape == (274, 5 * 256, 3)
    assert downscale(grey(0, 280, 5 * TILE), TILE).shape == (280, 5 * TILE, 3)
    assert downscale(grey(0, 180, 20000), 160).shape[1] == MAX_WIDTH


def test_a_section_cuts_off_neither_panels_nor_captions():
    panels = [('short', grey((1, 2, 3), 50, 300)), ('a very long caption ' * 20, grey((4, 5, 6), 40, 900))]
    sheet = section('title', panels)
    for colour, size in (((1, 2, 3), 50 * 300), ((4, 5, 6), 40 * 900)):
        assert (sheet == colour).all(axis=2).sum() == size
    assert (sheet[:, -MARGIN:] == 255).all()  # the longest caption ends before the edge
    assert sheet.shape[1] > 900 + 2 * MARGIN
    narrow = section('title', [('c', panels[0][1])])
    assert narrow.shape[1] == 300 + 2 * MARGIN


def test_narrower_parts_are_filled_up_with_white():
    sheet = stack([grey(7, 2, 3), grey(8, 1, 5)])
    assert sheet[..., 0].tolist() == [[7, 7, 7, 255, 255], [7, 7, 7, 255, 255], [8] * 5]


def test_colours_survive_the_file_and_a_failure_leaves_the_old_one(tmp_path):
    path = tmp_path / 'sheet.png'
    blue = np.zeros((4, 5, 3), np.uint8)
    blue[..., 0] = 255
    write_picture(path, blue)
    assert Image.open(path).getpixel((0, 0)) == (0, 0, 255)
    with pytest.raises(cv2.error):
        write_picture(path, np.zeros((4, 5, 5), np.uint8))
    with pytest.raises(OSError, match=r'x\.png: cannot be written: .*shorten the names'):
        write_picture(path.with_name('x' * 300 + '.png'), blue)
    assert Image.open(path).getpixel((0, 0)) == (0, 0, 255)
    assert [file.name for file in tmp_path.iterdir()] == ['sheet.png']
