"""The first sample of every data set, through the network and the losses: whether the parts of a run fit each other."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from basicsr.metrics import calculate_metric
from basicsr.models.sr_model import SRModel
from basicsr.utils import tensor2img
from basicsr.utils.registry import METRIC_REGISTRY
from torch import Tensor, nn

from s3net_plugin.config.datasets import first_sample
from s3net_plugin.config.values import error_context, is_third_party, uses_gpu
from s3net_plugin.metrics.options import prepare_metric
from s3net_plugin.utils.errors import OptionError

T = TypeVar('T')

# What takes a corner of this side takes all of a larger image, and in a hundredth of the time.
_SIDE = 64


def dry_run(
    opt: dict[str, Any], model: type, datasets: Mapping[str, Any], net: nn.Module | None, losses: dict[str, nn.Module]
) -> None:
    """Read the first sample of every data set, run ``network_g`` and every loss on it, and every metric, on the CPU.

    Of the network only the shapes are computed where its layers can (on PyTorch's meta device, in milliseconds).
    Of models that use their network and losses in ways of their own only the data are tried, and archs of other
    packages only for runs on the CPU, since they may need a GPU. ``datasets`` holds by phase what could be built.
    """
    on_meta = functools.cache(_on_meta)  # once, not once a data set
    knows_model = model is SRModel or (hasattr(model, 'check_train_options') and not is_third_party(model))
    for phase, dataset in datasets.items():
        if dataset is None:
            continue
        place, options = f'datasets:{phase}', opt['datasets'][phase]
        if options.get('gt_size') and getattr(net, 'needs_whole_frames', False):
            problem = f'{options["gt_size"]} cuts pieces out, but {type(net).__name__} needs whole frames'
            hint = 'set gt_size: 0, and resize to choose the size'
            raise OptionError(f'{place}:gt_size', f'{problem}, which hold what casts the shadows', hint)
        sample = first_sample(dataset, options, place)
        lq = sample.get('lq') if isinstance(sample, dict) else None
        if not knows_model or net is None or not isinstance(lq, Tensor) or lq.ndim != 3:
            continue
        trains = phase.split('_')[0] == 'train'
        gt = sample.get('gt')
        if trains and gt is None:
            raise OptionError(place, 'its samples have no target (gt), which training needs')
        if not (uses_gpu(opt) and is_third_party(type(net))):
            _check_network(net, on_meta, lq, gt, place, exact=trains)
        if trains:
            _check_losses(losses, gt, model)
        elif gt is not None:
            _check_metrics((opt.get('val') or {}).get('metrics') or {}, gt, place)


def _corner_first(call: Callable[[int | None], T]) -> T:
    """Call with the side of a corner, or, where that is refused, with None for the whole."""
    try:
        return call(_SIDE)
    except Exception:  # as foreign code says it; a corner that is too small is no error of the file
        return call(None)


def _check_network(
    net: nn.Module, on_meta: Callable[[nn.Module], nn.Module], lq: Tensor, gt: Tensor | None, place: str, *, exact: bool
) -> None:
    """Check that ``net`` takes ``lq`` (C, H, W) and makes an image of the size of ``gt``, or, unless ``exact``, of as
    many times the size of ``lq``."""
    with torch.no_grad(), error_context(place, f'it and network_g do not fit, its first sample is {tuple(lq.shape)}'):
        source, made = _output_shape(net.eval(), on_meta, lq)
    if gt is None:
        return
    wanted = tuple(gt.shape)
    if not exact or source != tuple(lq.shape):
        factors = [big // small for big, small in zip(gt.shape[1:], lq.shape[1:], strict=True)]
        wanted = (gt.shape[0], source[1] * factors[0], source[2] * factors[1])
    if made != wanted:
        raise OptionError(place, f'network_g makes {made} of {source}, but the target is {wanted}')


def _output_shape(net: nn.Module, on_meta: Callable[[nn.Module], nn.Module], lq: Tensor) -> tuple[tuple[int, ...], Any]:
    """Return the shapes of what goes into a network and of what comes out, or what else comes out in words."""

    def run(net: nn.Module, lq: Tensor) -> tuple[tuple[int, ...], Any]:
        output = net(lq[None])
        return tuple(lq.shape), tuple(output.shape[1:]) if isinstance(output, Tensor) else f'a {type(output).__name__}'

    try:
        return run(on_meta(net), lq.to('meta'))
    except Exception as error:  # the size is wrong, or not all of the network can do without values
        refusal = error
    try:
        run(on_meta(net), lq[:, :_SIDE, :_SIDE].to('meta'))
    except Exception:
        return _corner_first(lambda side: run(net, lq[:, :side, :side]))
    raise refusal


def _on_meta(net: nn.Module) -> nn.Module:
    """Return a copy of a network on the meta device, whose weights are not copied first: that takes seconds."""
    tensors: dict[int, Any] = {id(buffer): buffer.to('meta') for buffer in net.buffers()}
    for parameter in net.parameters():
        tensors[id(parameter)] = nn.Parameter(parameter.to('meta'), parameter.requires_grad)
    return copy.deepcopy(net, tensors)


def _check_losses(losses: dict[str, nn.Module], gt: Tensor, model: type) -> None:
    """Run every loss on a target and itself."""
    for key, loss in losses.items():
        place, kind = f'train:{key}', type(loss).__name__
        with torch.no_grad(), error_context(place, f'{kind} does not take an output and its target, {tuple(gt.shape)}'):
            value = _corner_first(functools.partial(_apply, loss, gt[None]))
        values = [part for part in (value if isinstance(value, tuple) else (value,)) if part is not None]
        if not all(isinstance(part, Tensor) and part.ndim == 0 for part in values):
            raise OptionError(place, f'{kind} gives no single number; it needs reduction: mean or sum')
        wants_pair = key == 'perceptual_opt'
        if model is SRModel and isinstance(value, tuple) != wants_pair:
            other = 'pixel_opt' if wants_pair else 'perceptual_opt'
            raise OptionError(place, f'SRModel has this loss under {other}; S3NetModel takes it under any name')


def _apply(loss: nn.Module, images: Tensor, side: int | None) -> Any:
    return loss(images[..., :side, :side].clone(), images[..., :side, :side])


def _check_metrics(metrics: dict[str, dict[str, Any]], target: Tensor, place: str) -> None:
    """Compute every metric of BasicSR and this package once, on a target and the same moved by a few pixels."""
    image = tensor2img([target])
    moved = np.roll(image, 3, axis=(0, 1))
    for name, metric in metrics.items():
        if is_third_party(METRIC_REGISTRY.get(metric['type'])):
            continue

        def score(side: int | None, metric: dict[str, Any] = metric) -> None:
            images = {'img': moved[:side, :side], 'img2': image[:side, :side]}
            if np.isnan(calculate_metric(images, prepare_metric(metric, torch.device('cpu')))):
                raise ValueError('it is not a number; crop_border leaves too little')

        size = f'{image.shape[1]} x {image.shape[0]}'
        with error_context(f'val:metrics:{name}', f'on the images in {place}, {size}'), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            _corner_first(score)
