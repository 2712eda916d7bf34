"""Encoders: any convolutional network of timm that gives features at strides 4, 8 and 16."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import nn

from s3net_plugin.utils.names import did_you_mean

STRIDES = (4, 8, 16)


def build_encoder(name: str, in_channels: int) -> tuple[nn.Module, list[int]]:
    """Build timm's network ``name`` with random weights, cut off after stride 16.

    Returns:
        The encoder, which maps (N, in_channels, H, W) to the list of features at strides 4, 8 and 16, and their widths.

    Raises:
        ValueError: timm has no such network, or it does not give such features.
    """
    if not timm.is_model(name):
        raise ValueError(f'encoder: timm {timm.__version__} has no {name!r}{did_you_mean(name, timm.list_models())}')
    try:
        with torch.device('meta'):  # costs no memory; says which features there are
            probe: Any = timm.create_model(name, features_only=True, in_chans=in_channels)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f'encoder: {name!r} cannot be used for its features: {error}') from error
    last_of_stride = {info['reduction']: index for index, info in enumerate(probe.feature_info.info)}
    if not set(STRIDES) <= last_of_stride.keys():
        raise ValueError(f'encoder: {name!r} has strides {sorted(last_of_stride)}; 4, 8 and 16 are needed')
    if str(getattr(probe, 'output_fmt', 'NCHW')).rpartition('.')[-1] != 'NCHW':
        raise ValueError(f'encoder: {name!r} gives features as {probe.output_fmt}; a convolutional network is needed')
    indices = tuple(last_of_stride[stride] for stride in STRIDES)
    encoder: Any = timm.create_model(name, features_only=True, in_chans=in_channels, out_indices=indices)
    return encoder, encoder.feature_info.channels()
