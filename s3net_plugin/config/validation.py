"""The section ``val``: when to validate, and metrics that can be computed."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from basicsr.utils.registry import METRIC_REGISTRY

from s3net_plugin.config.values import (
    check_at_least,
    check_flags,
    fits,
    is_number,
    is_third_party,
    known,
    named,
    registered,
    reject_typos,
    require,
    subsection,
)
from s3net_plugin.metrics.options import prepare_metric
from s3net_plugin.utils.errors import OptionError

# What BasicSR 1.4.2's models and pipeline read.
_KNOWN = {'val_freq', 'save_img', 'suffix', 'metrics', 'pbar', 'flip_seq', 'center_frame_only', 'num_val_samples'}


def check_val(opt: dict[str, Any], is_train: bool) -> None:
    """Check the section, which a test needs, and training with a validation set."""
    if not is_train or any(str(phase).startswith('val') for phase in opt['datasets']):
        require(opt, ['val'], '')
        val = subsection(opt, 'val')
        reject_typos(val, _KNOWN, 'val')
        check_flags(val, ['save_img', 'pbar'], 'val')
        require(val, ['save_img', *(['val_freq'] if is_train else [])], 'val')
        if not is_train and val['save_img']:
            require(val, ['suffix'], 'val')
        check_at_least(val, 'val_freq', 1, 'a number of iterations', 'val:', needed=is_train)
    metrics = (opt.get('val') or {}).get('metrics') or {}
    require(metrics, [], 'val:metrics')
    for name, metric in metrics.items():
        _check_metric(metric, f'val:metrics:{name}')


def _check_metric(metric: Any, place: str) -> None:
    require(metric, ['type'], place)
    function = registered(METRIC_REGISTRY, metric['type'], f'{place}:type')
    arguments = {name: value for name, value in metric.items() if name not in ('type', 'better')}
    fits(function, arguments, place, given={'img', 'img2'})
    if not is_third_party(function):
        # BasicSR's metrics take and forget any further option.
        parameters = inspect.signature(function).parameters.values()
        known(arguments, {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} - {'img', 'img2'}, place)
        require(arguments, [p.name for p in parameters if p.name == 'crop_border' and p.default is p.empty], place)
    check_flags(metric, ['test_y_channel'], place)
    if metric.get('better', 'higher') not in ('higher', 'lower'):
        raise OptionError(f'{place}:better: {metric["better"]!r} is neither higher nor lower')
    if metric.get('input_order', 'HWC') != 'HWC':
        raise OptionError(f'{place}:input_order: validation hands over HWC; leave it out')
    border = metric.get('crop_border', 0)
    if not is_number(border, int) or border < 0:
        raise OptionError(f'{place}:crop_border: {border!r} is not a whole number of pixels, at least 0')
    with named(place):
        prepare_metric(metric, torch.device('cpu'))
