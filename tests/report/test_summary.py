import pytest
import torch

from s3net_plugin.report.summary import resolution, weights


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


def test_without_a_file_no_weights_are_named():
    assert weights({'pretrain_network_g': None}) == {'weights': None, 'param_key': None, 'ema': False}


def test_the_resolution_names_the_smallest_and_the_largest_image(make_rows):
    assert resolution(make_rows([1, 2], size=(48, 64))) == '64 x 48'
    mixed = make_rows([1], size=(90, 40)) + make_rows([1], size=(48, 64)) + make_rows([1], size=(50, 60))
    assert resolution(mixed) == '60 x 50 to 40 x 90'
