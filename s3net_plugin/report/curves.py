"""Loss and metric curves of training runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from s3net_plugin.report.compare import save_figure
from s3net_plugin.report.training_log import Curve

COLUMNS = 3
FEW = 20  # points that are drawn as they are


def write_curves(runs: Mapping[str, Mapping[str, Curve]], path: Path) -> None:
    """Draw every curve of every run: one chart a name, one colour a run.

    A curve of many points is drawn faintly, with its running mean over it. Where a value is not finite the line is
    broken, and a cross at the lower edge marks the place. The axis of a loss that is positive and falls to less than a
    tenth is logarithmic.

    Args:
        runs: label -> curves by name.
        path: the picture to write. Raises are those of ``save_figure``.
    """
    names = list(dict.fromkeys(name for curves in runs.values() for name in curves))
    columns = min(COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(max(6, 4.6 * columns), 0.8 + 3.2 * rows), layout='constrained')
    charts = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(charts, names, strict=False):
        _draw(axes, {label: curves[name] for label, curves in runs.items() if name in curves}, list(runs))
        values = [v for curves in runs.values() for v in curves.get(name, {}).values() if math.isfinite(v)]
        if name.startswith('l_') and values and 0 < 10 * min(values) < max(values):
            axes.set_yscale('log')
        axes.set_title(name)
        axes.set_xlabel('iteration')
        axes.grid(alpha=0.3)
    for axes in charts[len(names) :]:
        axes.set_axis_off()
    save_figure(figure, path)


def running_mean(values: np.ndarray, radius: int) -> np.ndarray:
    """Return the mean of each value and of up to ``radius`` finite ones on either side; nan stays nan."""
    window = np.ones(2 * radius + 1)
    sums, counts = (np.convolve(part, window)[radius:-radius] for part in (np.nan_to_num(values), ~np.isnan(values)))
    return np.where(np.isnan(values), np.nan, sums / np.maximum(counts, 1))


def _draw(axes: Axes, curves: Mapping[str, Curve], labels: list[str]) -> None:
    for label, curve in curves.items():
        colour = f'C{labels.index(label)}'
        iterations, values = np.array(sorted(curve.items())).T
        values[lost := ~np.isfinite(values)] = np.nan
        if len(values) < FEW:
            axes.plot(iterations, values, colour, marker='.', linewidth=1.2, label=label)
        else:
            axes.plot(iterations, values, colour, linewidth=0.8, alpha=0.3)
            axes.plot(iterations, running_mean(values, len(values) // FEW), colour, linewidth=1.4, label=label)
        if lost.any():
            bottom = axes.get_xaxis_transform()  # x in data, y in parts of the axes
            low = np.full(lost.sum(), 0.03)
            axes.plot(iterations[lost], low, 'x', color=colour, transform=bottom, label='not finite')
