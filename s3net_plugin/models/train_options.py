"""What ``train`` may hold beside BasicSR's own keys, and what must be true of it."""

from __future__ import annotations

from typing import Any

import torch
from basicsr.utils.registry import ARCH_REGISTRY

from s3net_plugin.archs import S3Net
from s3net_plugin.models.precision import TYPES
from s3net_plugin.utils.names import did_you_mean

# option: (the types it may have, in words)
OPTIONS: dict[str, tuple[tuple[type, ...], str]] = {
    'amp': ((str,), 'bfloat16, float16 or ~'),
    'channels_last': ((bool,), 'true or false'),
    'pad_channels': ((bool,), 'true or false'),
    'compile': ((bool,), 'true or false'),
    'cudnn_benchmark': ((bool,), 'true or false'),
    'sync_bn': ((bool,), 'true or false'),
    'accumulate': ((int,), 'a number of slices, at least 1'),
    'grad_clip': ((int, float), 'the largest norm of the gradient, above 0'),
    'keep_last': ((int,), 'a number of training states, at least 1'),
    'max_nonfinite': ((int,), 'a number of steps, at least 1'),
}


def check_train_options(opt: dict[str, Any]) -> None:
    """Check the options of ``train`` that S3NetModel reads; ``~`` counts as left out.

    Args:
        opt: the option file.

    Raises:
        ValueError: an option has a wrong type or value (the message starts with its name), or there is no loss.
    """
    train = opt['train']
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
    arch = (opt.get('network_g') or {}).get('type')
    cls = ARCH_REGISTRY.get(arch) if arch in ARCH_REGISTRY else None
    if train.get('pad_channels') and not (isinstance(cls, type) and issubclass(cls, S3Net)):
        raise ValueError(f'pad_channels: works with S3Net and ShadingGuidedS3Net only, not with {arch}')
    if train.get('pad_channels') and (train.get('optim_g') or {}).get('type') == 'Adafactor':
        raise ValueError('pad_channels: does not go with Adafactor, whose means would count the added zeros')
    if train.get('sync_bn') and (opt.get('num_gpu') == 0 or not torch.cuda.is_available()):
        raise ValueError('sync_bn: needs GPUs and a launcher; SyncBatchNorm does not work on the CPU')
    accumulate, batch_size = train.get('accumulate') or 1, opt['datasets']['train']['batch_size_per_gpu']
    if batch_size % accumulate:
        raise ValueError(f'accumulate: a batch of {batch_size} does not divide into {accumulate} equal slices')
