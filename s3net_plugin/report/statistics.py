"""What the scores of one data set come to: means, medians, and which images are best and worst."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s3net_plugin.models.validation import Row


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
        result[method] = {}
        for metric in scores[0]:
            values = [score[metric] for score in scores]
            broken = any(map(math.isnan, values))
            result[method][metric] = {
                'mean': finite(math.nan if broken else mean(values)),
                'median': finite(math.nan if broken else median(values)),
            }
    return result


def ranked(rows: Sequence[Row], metric: str, better: str) -> list[Row]:
    """Return the network's rows, the best first; a score that is no number comes last."""
    sign = 1 if better == 'lower' else -1

    def key(row: Row) -> tuple[bool, float]:
        score = row.scores[metric]
        return (True, 0.0) if math.isnan(score) else (False, sign * score)

    return sorted((row for row in rows if row.method == 'model'), key=key)


def worst(best_first: Sequence[Row], count: int = 5) -> list[dict[str, Any]]:
    """Return name and scores of the last rows of ``best_first``, the worst first."""
    return [
        {'image': row.image, **{metric: finite(score) for metric, score in row.scores.items()}}
        for row in reversed(best_first[-count:])
    ]


def notable(best_first: Sequence[Row]) -> list[tuple[str, Row]]:
    """Return the best, the median and the worst rows, each under that name: two of each, or one out of fewer than six.

    No row comes twice.
    """
    total = len(best_first)
    each = 2 if total >= 6 else 1
    starts = {'best': 0, 'median': (total - each) // 2, 'worst': total - each}
    names: dict[int, str] = {}
    for name, start in starts.items():
        for position in range(start, start + each):
            names.setdefault(position, name)
    return [(name, best_first[position]) for position, name in names.items()]


def finite(value: float) -> float | None:
    """Return ``value``, or None for what JSON has no number for."""
    return value if math.isfinite(value) else None
