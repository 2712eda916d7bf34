"""Loss and metric curves of training runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

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


def running_mean(values: Sequence[float], radius: int) -> list[float]:
    """Return the mean of each value and of up to ``radius`` finite ones on either side; nan stays nan."""
    means = []
    for i, value in enumerate(values):
        near = [v for v in values[max(0, i - radius) : i + radius + 1] if math.isfinite(v)]
        means.append(fmean(near) if math.isfinite(value) else math.nan)
    return means


def _draw(axes: Axes, curves: Mapping[str, Curve], labels: list[str]) -> None:
    for label, curve in curves.items():
        colour = f'C{labels.index(label)}'
        points = sorted(curve.items())
        values = [value if math.isfinite(value) else math.nan for _, value in points]
        iterations = [iteration for iteration, _ in points]
        if len(points) < FEW:
            axes.plot(iterations, values, colour, marker='.', linewidth=1.2, label=label)
        else:
            axes.plot(iterations, values, colour, linewidth=0.8, alpha=0.3)
            axes.plot(iterations, running_mean(values, len(points) // FEW), colour, linewidth=1.4, label=label)
        lost = [iteration for iteration, value in points if not math.isfinite(value)]
        if lost:
            bottom = axes.get_xaxis_transform()  # x in data, y in parts of the axes
            axes.plot(lost, [0.03] * len(lost), colour, marker='x', linestyle='', transform=bottom, label='not finite')
