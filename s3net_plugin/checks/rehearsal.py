"""The first sample of every data set, through the network and the losses: whether the parts of a run fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from basicsr.models.sr_model import SRModel
from torch import Tensor, nn

from s3net_plugin.checks.values import is_foreign, named
from s3net_plugin.data.sampler import Draw
from s3net_plugin.utils.errors import OptionError

# Whole frames of a validation set take a CPU seconds, and of them only the channels matter.
_VALIDATION_SIDE = 256


def rehearse(
    opt: dict[str, Any], model: type, datasets: Mapping[str, Any], net: nn.Module | None, losses: dict[str, nn.Module]
) -> None:
    """Read the first sample of every data set, run ``network_g`` on it, and every loss on the result, on the CPU.

    Of models that use their network and losses in ways of their own only the data are tried, and archs of other
    packages only for runs on the CPU, since they may need a GPU.

    Args:
        opt: the option file's content.
        model: its model's class.
        datasets: phase -> data set, None for what could not be built.
        net: the network.
        losses: the losses by their options' names.
    """
    knows_model = model is SRModel or (hasattr(model, 'check_train_options') and not is_foreign(model))
    on_gpu = opt['num_gpu'] != 0 and torch.cuda.is_available()
    for phase, dataset in datasets.items():
        if dataset is None:
            continue
        place = f'datasets:{phase}'
        with named(place):
            # The same for every process, and nothing that a run draws from is moved.
            sample = dataset[Draw(0, seed=0, epoch=0, number=0)]
        lq = sample.get('lq') if isinstance(sample, dict) else None
        if not knows_model or net is None or not isinstance(lq, Tensor) or lq.ndim != 3:
            continue
        trains = phase.split('_')[0] == 'train'
        if trains and 'gt' not in sample:
            raise OptionError(f'{place}: its samples have no target (gt), which training needs')
        if not trains:
            _check_borders(opt['val'].get('metrics') or {}, sample.get('gt', lq), place)
        if not (on_gpu and is_foreign(type(net))):
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
    for key, loss in losses.items():
        with torch.no_grad(), named(f'train:{key}: cannot compare an output with its target, {tuple(gt.shape[1:])}'):
            value = loss(output.float(), gt)
        wants_pair = key == 'perceptual_opt'
        if model is SRModel and isinstance(value, tuple) != wants_pair:
            other = 'pixel_opt' if wants_pair else 'perceptual_opt'
            raise OptionError(f'train:{key}: SRModel has this loss under {other}; S3NetModel takes it under any name')


def _check_borders(metrics: dict[str, dict[str, Any]], image: Tensor, place: str) -> None:
    for name, metric in metrics.items():
        border = metric.get('crop_border') or 0
        if 2 * border >= min(image.shape[1:]):
            raise OptionError(
                f'val:metrics:{name}:crop_border: {border} leaves nothing of the images in {place}, '
                f'{image.shape[2]} x {image.shape[1]}'
            )
