import numpy as np

from s3net_plugin.utils.panel import GAP, MIN_TILE, error_map, labelled_row, relight_panel


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
