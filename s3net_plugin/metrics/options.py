"""What a run does with the options of any metric: try them before the first image, and say what they mean."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch

from s3net_plugin.metrics.lpips import describe_lpips
from s3net_plugin.metrics.ssim import describe_ssim

_OURS = ('calculate_lpips', 'calculate_mps', 'calculate_relight_ssim')


def prepare_metric(opt: dict[str, Any], device: str | torch.device) -> dict[str, Any]:
    """Return the options of a metric, ready for ``calculate_metric``: call this before the first image.

    A metric of this package is tried on a small black image, so that everything that can be wrong with its options or
    its weights is said now, and its network is built on ``device`` (unless ``opt`` names another). Its ``better`` is
    filled in, which BasicSR reads as 'higher' where it is missing. Other metrics' options come back as they are.

    Args:
        opt: as in an option file: ``type`` and the metric's own options. Left as it is.
        device: the model's.

    Example:
        >>> prepare_metric({'type': 'calculate_relight_ssim', 'crop_border': 4}, 'cpu')
        {'type': 'calculate_relight_ssim', 'better': 'higher', 'crop_border': 4}

    Raises:
        FileNotFoundError: the metric's weights are missing; the message says which file belongs where.
        ValueError: an option is unknown, missing or wrong.
    """
    from basicsr.metrics import calculate_metric
    from basicsr.utils.registry import METRIC_REGISTRY

    if opt['type'] not in _OURS:
        return dict(opt)
    given = {name: value for name, value in opt.items() if name != 'type'}
    parameters = inspect.signature(METRIC_REGISTRY.get(opt['type'])).parameters
    if 'device' in parameters and given.get('device') is None:
        given['device'] = str(device)
    ready = {'type': opt['type'], 'better': parameters['better'].default, **given}
    black = np.zeros((3, 64, 64) if given.get('input_order') == 'CHW' else (64, 64, 3), dtype=np.uint8)
    border = given.get('crop_border')
    # How much may be cropped is for the real images to say.
    trial = {**ready, 'crop_border': 0} if type(border) is int and border > 0 else ready
    try:
        calculate_metric({'img': black, 'img2': black}, trial)
    except TypeError as error:
        raise ValueError(str(error)) from None
    return ready


def describe_metric(opt: dict[str, Any]) -> str:
    """Return in words what a metric's number depends on besides the images, defaults included, for logs and reports.

    ``opt`` is as for ``prepare_metric``.

    Example:
        >>> describe_metric({'type': 'calculate_relight_ssim', 'crop_border': 4})  # doctest: +ELLIPSIS
        'SSIM skimage7 (scikit-image ...), range [0, 255], crop_border 4'

    Raises:
        ValueError: an option is unknown or missing.
    """
    from basicsr.utils.registry import METRIC_REGISTRY

    signature = inspect.signature(METRIC_REGISTRY.get(opt['type']))
    try:
        bound = signature.bind(img=None, img2=None, **{name: value for name, value in opt.items() if name != 'type'})
    except TypeError as error:
        raise ValueError(f'{opt["type"]}: {error}') from None
    bound.apply_defaults()
    settings = bound.arguments
    if opt['type'] not in _OURS:
        shown = {**settings, **settings.get('kwargs', {})}
        hidden = ('img', 'img2', 'kwargs', 'better')
        return ', '.join([opt['type'], *(f'{name} {value}' for name, value in shown.items() if name not in hidden)])
    parts = []
    if 'mode' in settings:
        parts.append(describe_ssim(settings['mode']))
    if 'net' in settings:
        parts.append(describe_lpips(settings['net'], settings['weights']))
    text = ' and '.join(parts)
    prefix = 'MPS = (SSIM + 1 - LPIPS) / 2 of ' if len(parts) == 2 else ''
    return f'{prefix}{text}, crop_border {settings["crop_border"]}'
