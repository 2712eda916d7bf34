"""What ``train`` may hold beside BasicSR's own keys, and what must be true of it."""

from __future__ import annotations

from typing import Any

from s3net_plugin.models.precision import TYPES
from s3net_plugin.utils.names import did_you_mean

# option: (the types it may have, in words)
OPTIONS: dict[str, tuple[tuple[type, ...], str]] = {
    'amp': ((str,), 'bfloat16, float16 or ~'),
    'channels_last': ((bool,), 'true or false'),
    'compile': ((bool,), 'true or false'),
    'cudnn_benchmark': ((bool,), 'true or false'),
    'sync_bn': ((bool,), 'true or false'),
    'accumulate': ((int,), 'a number of slices, at least 1'),
    'grad_clip': ((int, float), 'the largest norm of the gradient, above 0'),
    'keep_last': ((int,), 'a number of training states, at least 1'),
    'max_nonfinite': ((int,), 'a number of steps, at least 1'),
}


def check_train_options(train: dict[str, Any], batch_size: int) -> None:
    """Check the options of ``train`` that are S3NetModel's; ``~`` counts as left out.

    Args:
        train: the section of the option file.
        batch_size: ``batch_size_per_gpu`` of the training set.

    Raises:
        ValueError: an option has a wrong type or value (the message starts with its name), or there is no loss.
    """
    for name, (kinds, words) in OPTIONS.items():
        value = train.get(name)
        if value is None:
            continue
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f'{name}: {value!r} is not {words}')
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0:
            raise ValueError(f'{name}: {value} is not {words}')
    if not any(str(name).endswith('_opt') and value for name, value in train.items()):
        raise ValueError('no loss; give at least one option that ends in _opt, such as pixel_opt')
    amp = train.get('amp')
    if amp is not None and amp not in TYPES:
        raise ValueError(f'amp: {amp!r} is unknown{did_you_mean(amp, TYPES)}')
    accumulate = train.get('accumulate') or 1
    if batch_size % accumulate:
        raise ValueError(f'accumulate: a batch of {batch_size} does not divide into {accumulate} equal slices')
