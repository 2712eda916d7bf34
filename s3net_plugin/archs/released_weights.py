"""The S3Net authors' released checkpoint, turned into one for this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from s3net_plugin.archs.s3net_arch import S3Net
from s3net_plugin.utils.checkpoint import state_dict_mismatch

RELEASED_OPTIONS: dict[str, Any] = {
    'type': 'S3Net',
    'in_channels': 8,
    'out_channels': 3,
    'encoder': 'res2net101d',
    'upsampling': ['pixel_shuffle'] * 4,
    'residual': False,
}

FIRST_CONV = 'encoder.conv1.0.weight'
# theirs: input RGB, guide RGB, input depth, guide depth; ours: input RGB, input depth, guide RGB, guide depth
CHANNEL_ORDER = (0, 1, 2, 6, 3, 4, 5, 7)
UNUSED = 'enhancer.batch1.'
# (ours, theirs), replaced in this order
RENAMES = (
    ('attentions.0.', 'mid_conv.'),
    ('attentions.', 'attention'),
    ('.channel_attention.1.', '.calayer.ca.0.'),
    ('.channel_attention.3.', '.calayer.ca.2.'),
    ('.spatial_attention.', '.palayer.pa.'),
    ('enhancer.conv', 'enhancer.refine'),
    ('enhancer.pool_convs.0.', 'enhancer.conv1010.'),
    ('enhancer.pool_convs.1.', 'enhancer.conv1020.'),
    ('enhancer.pool_convs.2.', 'enhancer.conv1030.'),
    ('enhancer.pool_convs.3.', 'enhancer.conv1040.'),
    ('conv_last.', 'tail.1.'),
)


def released_name(name: str) -> str:
    """Return the authors' name of the tensor that is called ``name`` here.

    Example:
        >>> released_name('attentions.1.channel_attention.1.weight')
        'attention1.calayer.ca.0.weight'
    """
    for ours, theirs in RENAMES:
        name = name.replace(ours, theirs)
    return name


def convert_released(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """State dict of ``S3Net`` in the released arrangement, from that of the authors' checkpoint.

    The input channels of the first convolution are put into this package's order, so the function stays the same.
    ``enhancer.batch1``, a layer that their network never calls, is dropped.

    Raises:
        ValueError: A tensor is missing, unknown or of another shape; the message lists them.
    """
    theirs = {name: t for name, t in state_dict.items() if not name.startswith(UNUSED)}
    with torch.device('meta'):
        expected = S3Net(**{key: value for key, value in RELEASED_OPTIONS.items() if key != 'type'}).state_dict()
    misfit = state_dict_mismatch({released_name(name): tensor for name, tensor in expected.items()}, theirs)
    if misfit:
        raise ValueError(f'not the released S3Net: {misfit}')
    ours = {name: theirs[released_name(name)] for name in expected}
    ours[FIRST_CONV] = ours[FIRST_CONV][:, CHANNEL_ORDER].clone()
    return ours
