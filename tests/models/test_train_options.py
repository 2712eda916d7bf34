import pytest

from s3net_plugin.models.train_options import OPTIONS, check_train_options
from s3net_plugin.utils.errors import OptionError

LOSS = {'pixel_opt': {'type': 'L1Loss'}}


def check(train, arch='S3Net'):
    check_train_options({'train': train, 'datasets': {'train': {'batch_size_per_gpu': 4}}, 'network_g': {'type': arch}})


def test_all_options_left_out_or_empty_are_fine():
    check(LOSS)
    check({**LOSS, 'ema_decay': None, **dict.fromkeys(OPTIONS)})


@pytest.mark.parametrize('train', [{}, {'pixel_opt': None, 'amp': 'bfloat16'}])
def test_a_run_needs_a_loss(train):
    with pytest.raises(ValueError, match='no loss; give at least one option that ends in _opt, such as pixel_opt'):
        check(train)


GOOD = {'amp': 'float16', 'channels_last': True, 'compile': False, 'cudnn_benchmark': True, 'sync_bn': False}
GOOD |= {'accumulate': 2, 'grad_clip': 0.5, 'keep_last': 1, 'max_nonfinite': 3, 'pad_channels': True}


def test_every_option_can_be_given():
    assert GOOD.keys() == OPTIONS
    check({**LOSS, **GOOD})


@pytest.mark.parametrize(
    ('option', 'value', 'message'),
    [
        ('amp', 'bf16', "amp: 'bf16' is unknown; did you mean 'bfloat16'"),
        ('amp', True, 'amp: True is unknown; known: auto, bfloat16, float16'),
        ('compile', 1, 'compile: 1 is not true or false'),
        ('grad_clip', '1e-1', "grad_clip: the text '1e-1', not a number"),
        ('accumulate', 0, 'accumulate: 0 is not a number of slices, at least 1'),
        ('accumulate', 3, 'accumulate: a batch of 4 does not divide into 3 equal slices'),
        ('accumulate', True, 'accumulate: True is not a number of slices'),
        ('grad_clip', -1.0, 'grad_clip: -1.0 is not the largest norm of the gradient, above 0'),
        ('keep_last', 1.5, 'keep_last: 1.5 is not a number of training states'),
        ('max_nonfinite', 0, 'max_nonfinite: 0 is not a number of steps, at least 1'),
    ],
)
def test_a_wrong_value_is_named(option, value, message):
    with pytest.raises(OptionError) as error:
        check({**LOSS, **GOOD, option: value})
    assert error.value.place == option
    assert message in str(error.value)


def test_channels_of_other_archs_cannot_be_padded():
    check(LOSS, 'RRDBNet')
    wanted = 'pad_channels: works with S3Net and ShadingGuidedS3Net only, not with '
    for arch in ('RRDBNet', 'NoSuchNet'):
        with pytest.raises(ValueError, match=wanted + arch):
            check({**LOSS, 'pad_channels': True}, arch)
    check({**LOSS, 'pad_channels': True}, 'ShadingGuidedS3Net')
    with pytest.raises(ValueError, match='pad_channels: does not go with Adafactor'):
        check({**LOSS, 'pad_channels': True, 'optim_g': {'type': 'Adafactor'}})
