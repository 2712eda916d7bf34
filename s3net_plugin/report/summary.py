"""The scores of a test run as CSV and as ``summary.json``: means, medians, the best and the worst, and the settings."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from torch import nn

from s3net_plugin.metrics.options import describe_metric
from s3net_plugin.report.environment import complexity, git_hash, hardware, versions
from s3net_plugin.utils.checkpoint import load_weights_only

PER_DATASET = ('datasets', 'worst', 'images', 'images_per_second')


class Row(NamedTuple):
    """The scores of one method on one image of ``size`` (height, width).

    ``seconds`` is the network's share of its batch, NaN for baselines.
    """

    position: int
    image: str
    size: tuple[int, int]
    method: str
    scores: dict[str, float]
    seconds: float


def start_summary(
    opt: Mapping[str, Any], network: nn.Module, shape: Sequence[int], device: torch.device, seconds: float
) -> dict[str, Any]:
    """Return the part of the summary that holds for the whole run, with room for its data sets.

    Every metric's ``better`` is filled in where it is not 'higher'; the first input (C, H, W) takes ``seconds``.
    """
    metrics = {
        name: {'type': one['type'], 'better': one.get('better', 'higher'), 'description': describe_metric(one)}
        for name, one in opt['val']['metrics'].items()
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

    ``images_per_second`` is that of one process, from the median time of an image in the network, while threads score.
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

    BasicSR takes ``params`` where ``param_key_g`` is not in the file, so the file is asked. A safetensors file has one
    set of weights and names its key in the metadata; of one that does not, ``ema`` is None: not known. Without a file
    the weights are those that the network started with.
    """
    name, key = path.get('pretrain_network_g'), path.get('param_key_g', 'params')
    if name is None:
        return {'weights': None, 'param_key': None, 'ema': False}
    file = Path(name).expanduser()
    if file.suffix == '.safetensors':
        with safe_open(file, framework='pt') as content:
            packed = (content.metadata() or {}).get('param_key')
        return {'weights': str(name), 'param_key': 'params', 'ema': None if packed is None else packed == 'params_ema'}
    found = 'params' if key is not None and key not in load_weights_only(file) else key
    return {'weights': str(name), 'param_key': found, 'ema': found == 'params_ema'}


def metrics_csv(datasets: Mapping[str, Sequence[Row]]) -> str:
    """Return the rows of all data sets as CSV: dataset, image, method, one column a metric, seconds.

    ``seconds`` is the network's time for the image, empty for the baselines.
    """
    metrics = list(next(iter(datasets.values()))[0].scores)
    text = io.StringIO(newline='')
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['dataset', 'image', 'method', *metrics, 'seconds'])
    for dataset, rows in datasets.items():
        for row in rows:
            seconds = '' if math.isnan(row.seconds) else f'{row.seconds:.4f}'
            writer.writerow([dataset, row.image, row.method, *(f'{row.scores[m]:.6f}' for m in metrics), seconds])
    return text.getvalue()


def means_and_medians(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return ``[method][metric]['mean' | 'median']``; None is a value that is not finite, which JSON cannot hold."""
    result: dict[str, dict[str, dict[str, float | None]]] = {}
    for method in dict.fromkeys(row.method for row in rows):
        scores = [row.scores for row in rows if row.method == method]
        columns = {metric: np.array([score[metric] for score in scores]) for metric in scores[0]}
        with np.errstate(invalid='ignore'):  # of the mean of infinities
            result[method] = {
                metric: {'mean': finite(column.mean()), 'median': finite(np.median(column))}
                for metric, column in columns.items()
            }
    return result


def ranked(rows: Sequence[Row], metric: str, better: str) -> list[Row]:
    """Return the network's rows, the best first; a score that is no number comes last."""
    rows = [row for row in rows if row.method == 'model']
    scores = np.array([row.scores[metric] for row in rows])
    return [rows[index] for index in np.argsort(scores if better == 'lower' else -scores, kind='stable')]


def worst(best_first: Sequence[Row]) -> list[dict[str, Any]]:
    """Return name and scores of the last five rows of ``best_first``, the worst first."""
    return [
        {'image': row.image, **{metric: finite(score) for metric, score in row.scores.items()}}
        for row in reversed(best_first[-5:])
    ]


def notable(best_first: Sequence[Row]) -> list[tuple[str, Row]]:
    """Return the best, the median and the worst rows, each under that name: two of each, or one out of fewer than six.

    No row comes twice.
    """
    total = len(best_first)
    each = 2 if total >= 6 else 1
    names: dict[int, str] = {}
    for name, start in (('best', 0), ('median', (total - each) // 2), ('worst', total - each)):
        for position in range(start, start + each):
            names.setdefault(position, name)
    return [(name, best_first[position]) for position, name in names.items()]


def finite(value: float) -> float | None:
    """Return ``value``, or None for what JSON has no number for."""
    return float(value) if math.isfinite(value) else None
