"""The first sample of every data set, through the network and the losses: whether the parts of a run fit each other."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from basicsr.metrics import calculate_metric
from basicsr.models.sr_model import SRModel
from basicsr.utils import tensor2img
from basicsr.utils.registry import METRIC_REGISTRY
from torch import Tensor, nn

from s3net_plugin.config.values import is_third_party, named, uses_gpu
from s3net_plugin.data.sampling import SampleIndex
from s3net_plugin.metrics.options import prepare_metric
from s3net_plugin.utils.errors import OptionError

# Whole frames of a validation set take a CPU seconds, and of them only the channels matter.
_VALIDATION_SIDE = 256


def dry_run(
    opt: dict[str, Any], model: type, datasets: Mapping[str, Any], net: nn.Module | None, losses: dict[str, nn.Module]
) -> None:
    """Read the first sample of every data set, run ``network_g`` and every loss on it, and every metric, on the CPU.

    Of models that use their network and losses in ways of their own only the data are tried, and archs of other
    packages only for runs on the CPU, since they may need a GPU.

    Args:
        opt: the option file's content.
        model: its model's class.
        datasets: phase -> data set, None for what could not be built.
        net: the network.
        losses: the losses by their options' names.
    """
    knows_model = model is SRModel or (hasattr(model, 'check_train_options') and not is_third_party(model))
    for phase, dataset in datasets.items():
        if dataset is None:
            continue
        place = f'datasets:{phase}'
        crop = opt['datasets'][phase].get('gt_size')
        if crop and getattr(net, 'needs_whole_frames', False):
            raise OptionError(
                f'{place}:gt_size: {crop} cuts pieces out, but {type(net).__name__} needs whole frames, which hold '
                'what casts the shadows; set gt_size: 0, and resize to choose the size'
            )
        with named(place):
            # The same for every process, and nothing that a run draws from is moved.
            sample = dataset[SampleIndex(0, seed=0, epoch=0, number=0)]
        lq = sample.get('lq') if isinstance(sample, dict) else None
        if not knows_model or net is None or not isinstance(lq, Tensor) or lq.ndim != 3:
            continue
        trains = phase.split('_')[0] == 'train'
        if trains and 'gt' not in sample:
            raise OptionError(f'{place}: its samples have no target (gt), which training needs')
        if not trains and 'gt' in sample:
            _check_metrics(opt['val'].get('metrics') or {}, sample['gt'], place)
        if not (uses_gpu(opt) and is_third_party(type(net))):
            _run(net, sample, losses if trains else {}, place, model, None if trains else _VALIDATION_SIDE)


def _run(
    net: nn.Module, sample: dict[str, Any], losses: dict[str, nn.Module], place: str, model: type, side: int | None
) -> None:
    lq = sample['lq'][None, :, :side, :side]
    with torch.no_grad(), named(f'{place} and network_g do not fit, its first sample is {tuple(sample["lq"].shape)}'):
        output = net.eval()(lq)
    if 'gt' not in sample:
        return
    gt = sample['gt'][None]
    if side is not None:
        factors = [big // small for big, small in zip(sample['gt'].shape[1:], sample['lq'].shape[1:], strict=True)]
        gt = gt[..., : lq.shape[2] * factors[0], : lq.shape[3] * factors[1]]
    if not isinstance(output, Tensor) or output.shape != gt.shape:
        made = tuple(output.shape[1:]) if isinstance(output, Tensor) else f'a {type(output).__name__}'
        raise OptionError(
            f'network_g makes {made} of {tuple(lq.shape[1:])}, but the target in {place} is {tuple(gt.shape[1:])}'
        )
    _check_losses(losses, output, gt, model)


def _check_losses(losses: dict[str, nn.Module], output: Tensor, gt: Tensor, model: type) -> None:
    for key, loss in losses.items():
        kind, shape = type(loss).__name__, tuple(gt.shape[1:])
        with torch.no_grad(), named(f'train:{key}: {kind} does not take an output and its target, {shape}'):
            value = loss(output.float(), gt)
        values = [part for part in (value if isinstance(value, tuple) else (value,)) if part is not None]
        if not all(isinstance(part, Tensor) and part.ndim == 0 for part in values):
            raise OptionError(f'train:{key}: {kind} gives no single number; it needs reduction: mean or sum')
        wants_pair = key == 'perceptual_opt'
        if model is SRModel and isinstance(value, tuple) != wants_pair:
            other = 'pixel_opt' if wants_pair else 'perceptual_opt'
            raise OptionError(f'train:{key}: SRModel has this loss under {other}; S3NetModel takes it under any name')


def _check_metrics(metrics: dict[str, dict[str, Any]], target: Tensor, place: str) -> None:
    """Compute every metric of BasicSR and this package once, on a target and the same moved by a few pixels."""
    image = tensor2img([target])
    for name, metric in metrics.items():
        if is_third_party(METRIC_REGISTRY.get(metric['type'])):
            continue
        size = f'{image.shape[1]} x {image.shape[0]}'
        with named(f'val:metrics:{name}: on the images in {place}, {size}'), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            moved = np.roll(image, 3, axis=(0, 1))
            score = calculate_metric({'img': moved, 'img2': image}, prepare_metric(metric, torch.device('cpu')))
            if np.isnan(score):
                raise ValueError('it is not a number; crop_border leaves too little')
