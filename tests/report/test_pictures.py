import numpy as np
import pytest
from PIL import Image

from s3net_plugin.report.pictures import MARGIN, MAX_WIDTH, TILE, section, shrink, stack, write_picture


def picture(value, height, width):
    return np.full((height, width, 3), value, np.uint8)


def test_large_panels_become_small_and_small_ones_stay():
    assert shrink(picture(0, 1097, 5 * 1024), 1024).shape == (274, 5 * 256, 3)
    assert shrink(picture(0, 280, 5 * TILE), TILE).shape == (280, 5 * TILE, 3)
    assert shrink(picture(0, 180, 20000), 160).shape[1] == MAX_WIDTH


def test_a_section_cuts_off_neither_panels_nor_captions():
    panels = [('short', picture((1, 2, 3), 50, 300)), ('a very long caption ' * 20, picture((4, 5, 6), 40, 900))]
    sheet = section('title', panels)
    for colour, size in (((1, 2, 3), 50 * 300), ((4, 5, 6), 40 * 900)):
        assert (sheet == colour).all(axis=2).sum() == size
    assert (sheet[:, -MARGIN:] == 255).all()  # the longest caption ends before the edge
    assert sheet.shape[1] > 900 + 2 * MARGIN
    narrow = section('title', [('c', panels[0][1])])
    assert narrow.shape[1] == 300 + 2 * MARGIN


def test_narrower_parts_are_filled_up_with_white():
    sheet = stack([picture(7, 2, 3), picture(8, 1, 5)])
    assert sheet[..., 0].tolist() == [[7, 7, 7, 255, 255], [7, 7, 7, 255, 255], [8] * 5]


def test_colours_survive_the_file_and_a_failure_leaves_the_old_one(tmp_path):
    path = tmp_path / 'sheet.png'
    blue = np.zeros((4, 5, 3), np.uint8)
    blue[..., 0] = 255
    write_picture(path, blue)
    assert Image.open(path).getpixel((0, 0)) == (0, 0, 255)
    with pytest.raises(TypeError):
        write_picture(path, np.zeros((4, 5, 3), np.complex128))
    assert Image.open(path).getpixel((0, 0)) == (0, 0, 255)
    assert [file.name for file in tmp_path.iterdir()] == ['sheet.png']
