"""The section ``val``: when to validate, and metrics that can be computed."""

from __future__ import annotations

from typing import Any, Literal

import torch
from basicsr.models.base_model import BaseModel
from basicsr.utils.registry import METRIC_REGISTRY
from pydantic import Field

from s3net_plugin.config.stock_keys import VAL
from s3net_plugin.config.values import admit, check_signature, error_context, handles_itself, is_third_party, registered
from s3net_plugin.metrics.options import prepare_metric
from s3net_plugin.utils.schema import StockSection, check_section, flag, iterations


class Val(StockSection):
    """``val``; a test needs no ``val_freq``."""

    val_freq: float | None = iterations(1, None)
    save_img: bool | None = flag()
    pbar: bool | None = flag(False)


class Metric(StockSection):
    """What BasicSR reads of a metric's section, and what is known of its own metrics' options."""

    type: Any
    better: Literal['higher', 'lower'] = Field('higher', description='higher or lower')
    crop_border: int = Field(0, ge=0, description='a whole number of pixels, at least 0')
    test_y_channel: bool = flag(False)
    input_order: Literal['HWC'] = Field('HWC', description='HWC, which validation hands over; leave it out')


def check_val(opt: dict[str, Any], is_train: bool, model: type[BaseModel], unread: list[str]) -> None:
    """Check the section, which a test needs; without it training validates nothing."""
    if is_train and opt.get('val') is None:
        return
    if not is_train or any(str(phase).startswith('val') for phase in opt['datasets']):
        val = check_section(check_section(opt, '', ['val'])['val'], 'val')
        if not is_third_party(model):
            unread += admit(val, VAL | getattr(model, 'val_options', frozenset()), 'val')
        if hasattr(model, 'check_val_options'):
            with error_context('val'):
                model.check_val_options(opt)
        options = Val.parse(val, 'val')
        named = options.save_img and not is_third_party(model)  # which may name its images in another way
        needed = ['val_freq'] if is_train else ['suffix'] if named else []
        check_section({key: value for key, value in val.items() if value is not None or key == 'suffix'}, 'val', needed)
    metrics = (opt.get('val') or {}).get('metrics') or {}
    for name, metric in check_section(metrics, 'val:metrics').items():
        if not handles_itself(model, metric, METRIC_REGISTRY):
            _check_metric(metric, f'val:metrics:{name}', unread)


def _check_metric(metric: Any, place: str, unread: list[str]) -> None:
    arguments = check_section(metric, place, ['type'])
    function = registered(METRIC_REGISTRY, arguments.pop('type'), f'{place}:type')
    arguments.pop('better', None)
    known = check_signature(function, arguments, place, given={'img', 'img2'})
    if known is not None and not is_third_party(function):
        # BasicSR's metrics take and forget any further option.
        unread += admit(arguments, known, place)
    Metric.parse(metric, place)
    with error_context(place):
        prepare_metric(metric, torch.device('cpu'))
