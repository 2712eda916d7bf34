import pytest

from s3net_plugin.data.options import parse_options
from s3net_plugin.utils.errors import OptionError


@pytest.fixture
def opt(tmp_path):
    return {'name': 'V', 'type': 'Any', 'phase': 'train', 'dataroot': str(tmp_path), 'layout': 'scenes'}


def test_defaults_leave_the_images_as_they_are(opt):
    options = parse_options(opt)
    assert (options.gt_size, options.resize, options.use_hflip, options.scenes) == (0, None, False, None)
    assert (options.holdout_pairs, options.num_samples, options.io_backend) == (0, None, 'disk')


def test_basicsr_options_and_empty_ones_are_accepted(opt):
    opt |= {
        'scale': 1, 'dataset_enlarge_ratio': 100, 'num_worker_per_gpu': 0, 'batch_size_per_gpu': 4, 'use_shuffle': True,
        'prefetch_mode': 'cuda', 'num_prefetch_queue': 2, 'pin_memory': True, 'persistent_workers': False,
        'io_backend': {'type': 'disk'}, 'resize': None, 'scenes': None, 'gt_size': 64, 'use_hflip': True,
    }  # fmt: skip
    options = parse_options(opt)
    assert (options.gt_size, options.resize, options.use_hflip, options.scenes) == (64, None, True, None)


@pytest.mark.parametrize(
    ('change', 'place', 'words'),
    [
        ({'gt_sise': 64}, '', "unknown option 'gt_sise'; did you mean 'gt_size'?"),
        ({'use_rot': True}, '', "unknown option 'use_rot'"),
        ({'layout': 'scene'}, 'layout', "'scene' is unknown; did you mean 'scenes'?"),
        ({'layout': None}, '', "the option 'layout' is missing"),
        ({'dataroot': None}, '', "the option 'dataroot' is missing"),
        ({'dataroot': 3}, 'dataroot', '3 is not the path of a folder'),
        ({'phase': 'eval'}, 'phase', "'eval' is unknown; did you mean 'val'?"),
        ({'gt_size': '64'}, 'gt_size', "the text '64', not a number"),
        ({'gt_size': 64.5}, 'gt_size', '64.5 is not a whole number from 0'),
        ({'gt_size': True}, 'gt_size', 'True is not a whole number from 0'),
        ({'gt_size': -1}, 'gt_size', '-1 is not a whole number from 0'),
        ({'resize': 0}, 'resize', '0 is not a whole number from 1'),
        ({'gt_size': 128, 'resize': 64}, 'gt_size', '128, larger than the images after `resize: 64`'),
        ({'use_hflip': 'yes'}, 'use_hflip', "'yes' is not true or false"),
        ({'holdout_pairs': '1e-1'}, 'holdout_pairs', "the text '1e-1', not a number; YAML wants 1.0e-3 for 1e-3"),
        ({'holdout_pairs': 1}, 'holdout_pairs', '1 is not a number from 0 to below 1'),
        ({'holdout_pairs': float('nan')}, 'holdout_pairs', 'nan is not a number from 0'),
        ({'holdout_pairs': 0.1, 'layout': 'pairs'}, 'holdout_pairs', 'is for layout scenes'),
        ({'scenes': [5, 1]}, 'scenes', '[5, 1], but the first is after the last'),
        ({'scenes': 5}, 'scenes', '5 is not the first and the last scene number, such as [1, 250]'),
        ({'scenes': [1, '9']}, 'scenes', "the text '9', not a number"),
        ({'num_samples': 8}, 'num_samples', 'bounds a validation or test set; leave it out in training'),
        ({'phase': 'val', 'use_hflip': True}, 'use_hflip', 'is for training only'),
        ({'scale': 4}, 'scale', '4, but relighting keeps the size; it must be 1'),
        ({'prefetch_mode': 'gpu'}, 'prefetch_mode', "'gpu' is unknown; did you mean 'cpu'?"),
        ({'io_backend': {'type': 'disc'}}, 'io_backend:type', "'disc' is unknown; did you mean 'disk'?"),
        ({'io_backend': 'disk'}, 'io_backend', "'disk' is not {type: NAME}"),
        ({'io_backend': {'type': 'disk', 'db_paths': 'x'}}, 'io_backend', 'is not {type: NAME} with one of: disk'),
    ],
)
def test_a_wrong_option_gives_one_line_that_names_it(opt, change, place, words):
    with pytest.raises(OptionError) as caught:
        parse_options(opt | change)
    text = str(caught.value)
    assert caught.value.place == place
    assert words in text and '\n' not in text
    assert "dataset 'V': " in text


def test_a_missing_dataroot_says_where_the_data_comes_from(opt):
    for layout, example in (('scenes', 'Image001_2500_E.png'), ('pairs', 'guide/'), ('one_to_one', 'depth/Image001')):
        with pytest.raises(ValueError, match=r'no folder .*NTIRE 2021.*github\.com/majedelhelou/VIDIT') as caught:
            parse_options(opt | {'dataroot': 'nowhere/VIDIT', 'layout': layout})
        assert example in str(caught.value) and '\n' not in str(caught.value)


def test_the_home_folder_is_expanded(opt, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    assert parse_options(opt | {'dataroot': '~'}).dataroot == str(tmp_path)
