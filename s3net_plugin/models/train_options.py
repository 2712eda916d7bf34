"""What ``train`` may hold beside BasicSR's own keys, and what must be true of it."""

from __future__ import annotations

from typing import Any, Literal

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from pydantic import Field

from s3net_plugin.archs import S3Net
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.schema import StockSection, flag


class TrainOptions(StockSection):
    """The options of ``train`` that S3NetModel reads beside ``SRModel``; ``~`` counts as left out."""

    amp: Literal['bfloat16', 'float16', 'auto'] | None = None
    channels_last: bool | None = flag(None)
    pad_channels: bool | None = flag(None)
    compile: bool | None = flag(None)
    cudnn_benchmark: bool | None = flag(None)
    sync_bn: bool | None = flag(None)
    accumulate: int | None = Field(None, ge=1, description='a number of slices, at least 1')
    grad_clip: float | None = Field(
        None, gt=0, allow_inf_nan=False, description='the largest norm of the gradient, above 0'
    )
    keep_last: int | None = Field(None, ge=1, description='a number of training states, at least 1')
    max_nonfinite: int | None = Field(None, ge=1, description='a number of steps, at least 1')


OPTIONS = frozenset(TrainOptions.model_fields)


def is_s3net(arch: Any) -> bool:
    """Whether the arch that is registered as ``arch`` is S3Net or a subclass of it."""
    cls = ARCH_REGISTRY.get(arch) if arch in ARCH_REGISTRY else None
    return isinstance(cls, type) and issubclass(cls, S3Net)


def check_s3net(opt: dict[str, Any], option: str, what: str = 'works') -> None:
    """Raise an OptionError if ``network_g`` is not S3Net or a subclass of it, with which alone ``option`` works."""
    arch = (opt.get('network_g') or {}).get('type')
    if not is_s3net(arch):
        raise OptionError(option, f'{what} with S3Net and ShadingGuidedS3Net only, not with {arch}')


def check_train_options(opt: dict[str, Any]) -> None:
    """Check the options of ``train`` that S3NetModel reads; ``~`` counts as left out.

    Args:
        opt: the option file.

    Raises:
        OptionError: an option has a wrong type or value, or there is no loss.
    """
    train = opt['train']
    options = TrainOptions.parse(train)
    if not any(str(name).endswith('_opt') and value for name, value in train.items()):
        raise OptionError('', 'no loss', 'give at least one option that ends in _opt, such as pixel_opt')
    if options.pad_channels:
        check_s3net(opt, 'pad_channels')
    if options.pad_channels and (train.get('optim_g') or {}).get('type') == 'Adafactor':
        raise OptionError('pad_channels', 'does not go with Adafactor, whose means would count the added zeros')
    if options.sync_bn and (opt.get('num_gpu') == 0 or not torch.cuda.is_available()):
        raise OptionError('sync_bn', 'needs GPUs and a launcher; SyncBatchNorm does not work on the CPU')
    accumulate, batch_size = options.accumulate or 1, opt['datasets']['train']['batch_size_per_gpu']
    if batch_size % accumulate:
        raise OptionError('accumulate', f'a batch of {batch_size} does not divide into {accumulate} equal slices')
