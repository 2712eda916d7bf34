"""Test runs side by side as bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from s3net_plugin.report.compare import PUBLISHED_NOTE, Line, Run, datasets, lines, metrics, published
from s3net_plugin.report.figures import legend_below, save_figure


def write_chart(runs: Sequence[Run], path: Path, *, with_published: bool = True) -> None:
    """SampleIndex the means: one chart a metric, a group of bars a data set, the published values as dashed lines.

    Raises:
        OSError: ``path`` cannot be written.
        ValueError: its suffix is no picture format.
    """
    measured = {dataset: lines(runs, dataset) for dataset in datasets(runs)}
    settings = metrics(runs)
    bars = max(map(len, measured.values())) * len(measured)
    figure = Figure(figsize=(max(4.5, 0.5 * bars) * len(settings), 5.5), layout='constrained')
    charts = figure.subplots(1, len(settings), squeeze=False)[0]
    for axes, (metric, setting) in zip(charts, settings.items(), strict=True):
        _bars(axes, measured, metric)
        for index, (name, value) in enumerate(published(setting) if with_published else ()):
            axes.axhline(value, color=str(0.2 + 0.35 * index), linestyle='--', linewidth=1.2, label=name)
        axes.set_title(f'{metric} ({setting["better"]} is better)')
        axes.margins(y=0.1)
    legend_below(figure)
    if with_published:
        figure.suptitle(fill(PUBLISHED_NOTE, int(15 * figure.get_figwidth()), break_on_hyphens=False), fontsize=8)
    save_figure(figure, path)


def _bars(axes: Axes, measured: dict[str, list[Line]], metric: str) -> None:
    labels = list(dict.fromkeys(line.label for dataset in measured.values() for line in dataset))
    width = 0.8 / len(labels)
    for index, label in enumerate(labels):
        found = [(group, line) for group, dataset in enumerate(measured.values()) for line in dataset]
        means = {group: line.means.get(metric) for group, line in found if line.label == label}
        shown = {group: mean for group, mean in means.items() if mean is not None}
        places = [group - 0.4 + (index + 0.5) * width for group in shown]
        drawn = axes.bar(places, list(shown.values()), 0.9 * width, label=label)
        axes.bar_label(drawn, fmt='%.3g', fontsize=8)
    axes.set_xticks(range(len(measured)), list(measured))
