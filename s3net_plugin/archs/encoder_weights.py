"""Pretrained weights for the encoder: where they come from, and how three channels become RGB, depth, RGB, depth."""

from __future__ import annotations

import re

import huggingface_hub
import torch
from torch import nn

from s3net_plugin.utils.checkpoint import read_state_dict, state_dict_mismatch
from s3net_plugin.utils.download import download

# 13: a relit picture, then the 8, then two maps of shading, which are grey as depth is
LAYOUTS = {3: 'rgb', 4: 'rgbd', 8: 'rgbdrgbd', 13: 'rgbrgbdrgbddd'}


def adapt_input_filters(weight: torch.Tensor, in_channels: int) -> torch.Tensor:
    """Input filters (O, 3, K, K) learnt on RGB, adapted to RGB and depth, or both twice: (O, in_channels, K, K).

    Each RGB group takes the RGB filters over the number of groups, so a sample whose photos are the same and whose
    depth is 0 gets exactly the pretrained response, and two photos get the mean of theirs. Depth takes the mean of
    the three colour filters, over the number of groups as well: an edge in depth answers like an edge of gray, at the
    weight of one colour channel. Opponent colours cancel in that mean, which is right, since depth has no colour.
    Filters of zero would leave depth to be found at the small learning rates of fine-tuning.

    Raises:
        ValueError: ``in_channels`` is not 3, 4, 8 or 13.

    Example:
        >>> adapt_input_filters(torch.ones(64, 3, 7, 7), in_channels=8).shape
        torch.Size([64, 8, 7, 7])
    """
    if in_channels not in LAYOUTS:
        raise ValueError(f'encoder_weights: pretrained filters serve 3, 4, 8 or 13 channels, not {in_channels}')
    layout = LAYOUTS[in_channels]
    filters = dict(zip('rgb', weight.unbind(1), strict=True), d=weight.mean(1))
    return torch.stack([filters[channel] for channel in layout], dim=1) / layout.count('r')


def imagenet_file(name: str) -> str:
    """Pretrained weights of timm's network ``name``: their path in the Hugging Face cache, once downloaded if need be.

    Raises:
        ValueError: timm has no pretrained weights of that network.
        FileNotFoundError: They are neither cached nor to be had; said within 5 seconds if nothing answers.
    """
    import timm

    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise ValueError(f'encoder_weights: timm has no pretrained weights of {name!r}; pass None or a file')
    repository, file = config.hf_hub_id, config.hf_hub_filename or 'model.safetensors'
    cached = huggingface_hub.try_to_load_from_cache(repository, file)
    if isinstance(cached, str):
        return cached
    return download(
        'encoder_weights: imagenet',
        f'the weights of {name!r}',
        huggingface_hub.hf_hub_url(repository, file),
        lambda: huggingface_hub.hf_hub_download(repository, file),
        'give its path as encoder_weights, or null for random weights',
    )


def load_encoder_weights(encoder: nn.Module, name: str, in_channels: int, source: str) -> None:
    """Load pretrained weights into ``encoder``, timm's network ``name``, and adapt the filters that see its input.

    timm's own loading (``pretrained_cfg_overlay``) is no substitute: for features it lets missing tensors pass, and it
    gives depth and guide the RGB filters in turn.

    Args:
        source: ``imagenet``, or the path of a state dict of timm's classifier or of its features.

    Raises:
        ValueError: The weights do not fit the encoder; the message names the file and what is wrong.
        FileNotFoundError: There is no such file, or no way to download it.
    """
    path = imagenet_file(name) if source == 'imagenet' else source
    found, fitted, expected = read_state_dict(path), {}, encoder.state_dict()
    for key, target in expected.items():
        # timm renames what it takes apart for features: 'stages.0.x' to 'stages_0.x', or 'x' to 'model.x'
        spellings = (key, re.sub(r'^(\w+)_(\d+)\.', r'\1.\2.', key), key.removeprefix('model.'))
        value = next((found[spelling] for spelling in spellings if spelling in found), None)
        if value is not None:
            is_input = value.ndim == 4 and value.shape[1] == 3 and target.shape[1] == in_channels != 3
            fitted[key] = adapt_input_filters(value, in_channels) if is_input else value
    misfit = state_dict_mismatch(expected, fitted)
    if misfit:
        raise ValueError(f'encoder_weights: {path} does not fit {name!r}: {misfit}')
    encoder.load_state_dict(fitted)
