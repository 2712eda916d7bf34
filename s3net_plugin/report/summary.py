"""``summary.json``: everything that a test run has to say, for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from s3net_plugin.archs.pretrained import read_checkpoint
from s3net_plugin.metrics.options import describe_metric
from s3net_plugin.report.complexity import complexity
from s3net_plugin.report.environment import git_hash, hardware, versions
from s3net_plugin.report.statistics import means_and_medians, ranked, worst

if TYPE_CHECKING:
    from s3net_plugin.models.validation import Row

PER_DATASET = ('datasets', 'worst', 'images', 'images_per_second')


def start_summary(
    opt: Mapping[str, Any], network: nn.Module, shape: Sequence[int], device: torch.device, seconds: float
) -> dict[str, Any]:
    """Return the part of the summary that holds for the whole run, with room for its data sets.

    Args:
        opt: BasicSR's options, with every metric's ``better`` filled in where it is not 'higher'.
        network: on ``device``, with its weights.
        shape: of the first input, (C, H, W).
        seconds: what the network takes for it.
    """
    metrics = {
        name: {
            'type': options['type'],
            'better': options.get('better', 'higher'),
            'description': describe_metric(options),
        }
        for name, options in opt['val']['metrics'].items()
    }
    settings = {'metrics': metrics, 'range': 'uint8, [0, 255]', **weights(opt['path']), 'resolution': {}}
    return {
        'name': opt['name'],
        **{key: {} for key in PER_DATASET},
        'settings': settings,
        **complexity(network, shape, device, seconds),
        'versions': versions(),
        'git': git_hash(),
        'hardware': hardware(device),
    }


def add_dataset(summary: dict[str, Any], dataset: str, rows: Sequence[Row]) -> list[Row]:
    """Add what the rows of one data set come to; return the network's rows, the best by the first metric first.

    ``images_per_second`` is that of one process, from the median time of an image inside the network alone.
    """
    metric, options = next(iter(summary['settings']['metrics'].items()))
    best_first = ranked(rows, metric, options['better'])
    summary['datasets'][dataset] = means_and_medians(rows)
    summary['worst'][dataset] = worst(best_first)
    summary['images'][dataset] = len(best_first)
    summary['images_per_second'][dataset] = 1 / median(row.seconds for row in best_first)
    summary['settings']['resolution'][dataset] = resolution(best_first)
    return best_first


def resolution(rows: Sequence[Row]) -> str:
    """Return the size of the images, or the smallest and the largest, as width x height."""
    sizes = sorted({row.size for row in rows}, key=lambda size: (size[0] * size[1], size))
    return ' to '.join(f'{width} x {height}' for height, width in dict.fromkeys((sizes[0], sizes[-1])))


def weights(path: Mapping[str, Any]) -> dict[str, Any]:
    """Return which weights the section ``path`` of the options loads: the file, and whether they are averaged (EMA).

    BasicSR takes ``params`` where ``param_key_g`` is not in the file, so the file is asked. Without one the weights are
    those that the network started with.
    """
    file = path.get('pretrain_network_g')
    if file is None:
        return {'weights': None, 'param_key': None, 'ema': False}
    wanted = path.get('param_key_g', 'params')
    found = 'params' if wanted is not None and wanted not in read_checkpoint(Path(file).expanduser()) else wanted
    return {'weights': str(file), 'param_key': found, 'ema': found == 'params_ema'}
