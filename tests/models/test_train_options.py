import pytest

from s3net_plugin.models.train_options import OPTIONS, check_train_options

LOSS = {'pixel_opt': {'type': 'L1Loss'}}


def test_all_options_left_out_or_empty_are_fine():
    check_train_options(LOSS, 3)
    check_train_options({**LOSS, **dict.fromkeys(OPTIONS)}, 3)


@pytest.mark.parametrize('train', [{}, {'pixel_opt': None, 'amp': 'bfloat16'}])
def test_a_run_needs_a_loss(train):
    with pytest.raises(ValueError, match='no loss; give at least one option that ends in _opt, such as pixel_opt'):
        check_train_options(train, 3)


GOOD = {'amp': 'float16', 'channels_last': True, 'compile': False, 'cudnn_benchmark': True, 'sync_bn': False}
GOOD |= {'accumulate': 2, 'grad_clip': 0.5, 'keep_last': 1, 'max_nonfinite': 3}


def test_every_option_can_be_given():
    assert GOOD.keys() == OPTIONS.keys()
    check_train_options({**LOSS, **GOOD}, 4)


@pytest.mark.parametrize(
    ('option', 'value', 'message'),
    [
        ('amp', 'bf16', "amp: 'bf16' is unknown; did you mean 'bfloat16'"),
        ('amp', True, 'amp: True is not bfloat16, float16 or ~'),
        ('compile', 1, 'compile: 1 is not true or false'),
        ('accumulate', 0, 'accumulate: 0 is not a number of slices, at least 1'),
        ('accumulate', 3, 'accumulate: a batch of 4 does not divide into 3 equal slices'),
        ('accumulate', True, 'accumulate: True is not a number of slices'),
        ('grad_clip', -1.0, 'grad_clip: -1.0 is not the largest norm of the gradient, above 0'),
        ('keep_last', 1.5, 'keep_last: 1.5 is not a number of training states'),
        ('max_nonfinite', 0, 'max_nonfinite: 0 is not a number of steps, at least 1'),
    ],
)
def test_a_wrong_value_is_named(option, value, message):
    with pytest.raises(ValueError) as error:
        check_train_options({**LOSS, **GOOD, option: value}, 4)
    assert message in str(error.value)
