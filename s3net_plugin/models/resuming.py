"""What has to be set right when a run goes on with options other than those it was saved with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from basicsr.utils import get_root_logger

from s3net_plugin.utils.checkpoint import load_plain

Record = dict[str, dict[str, dict[str, Any]]]


def recall_best(
    state: dict[str, Any], best_checkpoint: Path, datasets: Iterable[str], metrics: dict[str, dict[str, Any]]
) -> Record:
    """Return BasicSR's ``best_metric_results`` as the run that is resumed left them.

    They are in the training state and, after a validation that followed it, in the best checkpoint; the better of the
    two counts. Data sets and metrics may have come and gone since: only the given ones are taken over, and a metric
    that is new to a known data set starts without a result.

    Args:
        state: the training state.
        best_checkpoint: where ``net_g_best.pth`` is, if there is one.
        datasets: names of the validation sets.
        metrics: the metrics' options; ``better`` is ``higher`` unless given.
    """
    records: list[Record] = [state.get('best_metric_results', {})]
    if best_checkpoint.is_file():
        try:
            records.append(load_plain(best_checkpoint).get('best_metric_results', {}))
        except ValueError as error:
            get_root_logger().warning(f'the best results may be older: {error}')
    merged: Record = {}
    for name in datasets:
        known = [record[name] for record in records if name in record]
        if known:
            merged[name] = {
                metric: _best([results[metric] for results in known if metric in results], opt.get('better', 'higher'))
                for metric, opt in metrics.items()
            }
    return merged


def _best(results: list[dict[str, Any]], better: str) -> dict[str, Any]:
    sign = 1 if better == 'higher' else -1
    comparable = [result for result in results if result['better'] == better]
    nothing = {'better': better, 'val': -sign * math.inf, 'iter': -1}
    return max(comparable, key=lambda result: sign * result['val'], default=nothing)


@torch.no_grad()
def match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Lay out an optimizer's state in memory as its parameters are, which ``channels_last`` may have changed.

    Fused optimizers go through both in the order of memory: with another layout they mix up the elements.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if torch.is_tensor(value) and value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
