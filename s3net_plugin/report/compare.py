"""Several test runs side by side, as a table and as bars, and beside what the challenge's organisers published."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from s3net_plugin.report.table import ARROWS, METHODS, markdown_table, number
from s3net_plugin.utils.files import atomic_write

# NTIRE 2021 depth guided image relighting challenge, any-to-any track (El Helou et al., CVPR Workshops 2021).
PUBLISHED = {
    'S3Net (published, not measured here)': {'psnr': 19.22, 'ssim': 0.6784, 'lpips': 0.1566, 'mps': 0.7609},
    'challenge winner (published, not measured here)': {'psnr': 20.79, 'ssim': 0.7087, 'lpips': 0.1737, 'mps': 0.7675},
}
PUBLISHED_NOTE = (
    'published: NTIRE 2021 depth guided image relighting challenge, any-to-any, private VIDIT test set, 1024 x 1024; '
    'the settings of its SSIM and LPIPS are not known'
)
_MEASURES = {
    'calculate_psnr': 'psnr',
    'calculate_ssim': 'ssim',
    'calculate_relight_ssim': 'ssim',
    'calculate_lpips': 'lpips',
    'calculate_mps': 'mps',
}


class Run(NamedTuple):
    """A summary and the name that it goes by beside others."""

    label: str
    summary: dict[str, Any]


class Line(NamedTuple):
    """The means of one method of one run on one data set, by metric."""

    label: str
    means: dict[str, float | None]


def read_runs(results: Sequence[Path]) -> list[Run]:
    """Read the summaries of test runs; where two have one name, the folders are their labels.

    Args:
        results: folders that `basicsr test.py` wrote, or the ``summary.json`` in them.

    Raises:
        FileNotFoundError: there is no summary.
        ValueError: a file is no summary.
    """
    summaries = [_read(path / 'summary.json' if path.is_dir() else path) for path in results]
    names = [summary['name'] for summary in summaries]
    labels = names if len(set(names)) == len(names) else [str(path) for path in results]
    return [Run(label, summary) for label, summary in zip(labels, summaries, strict=True)]


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such summary; `basicsr test.py` writes one where it has ground truth')
    try:
        summary = json.loads(path.read_text(encoding='utf-8'))
        for dataset, methods in summary['datasets'].items():
            # Everything that is read from here on.
            str(summary['name']), summary['images'][dataset], summary['settings']['resolution'][dataset]
            for metric, settings in summary['settings']['metrics'].items():
                settings['type'], settings['description'], ARROWS[settings['better']]
                for method, scores in methods.items():
                    METHODS[method], number(scores[metric]['mean'])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: not a summary that `basicsr test.py` wrote ({error!r})') from None
    return summary


def datasets(runs: Sequence[Run]) -> list[str]:
    """Return the names of all data sets, in the order in which they come."""
    return list(dict.fromkeys(dataset for run in runs for dataset in run.summary['datasets']))


def metrics(runs: Sequence[Run]) -> dict[str, dict[str, str]]:
    """Return the settings of all metrics by name, as the first run that has one gives them."""
    found: dict[str, dict[str, str]] = {}
    for run in runs:
        found = {**run.summary['settings']['metrics'], **found}
    return found


def lines(runs: Sequence[Run], dataset: str) -> list[Line]:
    """Return what was measured on a data set: every run's network, then the baselines, once where they agree.

    A run that was not tested on it has a line without means.
    """
    result: list[Line] = []
    baselines: dict[str, dict[str, dict[str, float | None]]] = {}
    for run in runs:
        if dataset not in run.summary['datasets']:
            result.append(Line(run.label, {}))
        for method, scores in run.summary['datasets'].get(dataset, {}).items():
            means = {metric: score['mean'] for metric, score in scores.items()}
            if method == 'model':
                result.append(Line(run.label, means))
            else:
                baselines.setdefault(method, {})[run.label] = means
    for method, by_run in baselines.items():
        agree = all(means == next(iter(by_run.values())) for means in by_run.values())
        for label, means in by_run.items():
            result.append(Line(METHODS[method] if agree else f'{METHODS[method]} ({label})', means))
            if agree:
                break
    return result


def published(metric: dict[str, str]) -> Iterator[tuple[str, float]]:
    """Yield name and published value of every reference row for a metric; none for one that was not published."""
    measure = _MEASURES.get(metric['type'])
    for name, values in PUBLISHED.items() if measure else ():
        yield name, values[str(measure)]


def differences(runs: Sequence[Run], dataset: str) -> list[str]:
    """Return a line for everything that keeps the runs' numbers on a data set from being comparable."""
    facts: dict[str, dict[str, str]] = {}
    for run in runs:
        if dataset not in run.summary['datasets']:
            continue
        settings = run.summary['settings']
        described = {name: metric['description'] for name, metric in settings['metrics'].items()}
        size = {'images': str(run.summary['images'][dataset]), 'pixels': settings['resolution'][dataset]}
        for name, fact in {**size, **described}.items():
            facts.setdefault(name, {})[run.label] = fact
    return [
        f'not comparable, {name}: ' + '; '.join(f'{label}: {fact}' for label, fact in by_run.items())
        for name, by_run in facts.items()
        if len(set(by_run.values())) > 1
    ]


def comparison_markdown(runs: Sequence[Run], *, with_published: bool = True) -> str:
    """Return one table a data set: means of the runs and the baselines, then the published rows, then the settings."""
    parts = []
    settings = metrics(runs)
    for dataset in datasets(runs):
        rows = [[line.label, *(_cell(line, metric) for metric in settings)] for line in lines(runs, dataset)]
        for name in PUBLISHED if with_published else ():
            values = {metric: dict(published(setting)).get(name) for metric, setting in settings.items()}
            if any(value is not None for value in values.values()):
                rows.append([name, *('' if value is None else f'{value:.4f}' for value in values.values())])
        head = [f'{dataset}, means', *(f'{name} {ARROWS[setting["better"]]}' for name, setting in settings.items())]
        notes = [*differences(runs, dataset), *([PUBLISHED_NOTE] if with_published else [])]
        parts += [markdown_table(head, rows), *(['\n'.join(f'- {note}' for note in notes)] if notes else [])]
    described = '\n'.join(f'- {name}: {setting["description"]}' for name, setting in settings.items())
    return '\n\n'.join([*parts, described])


def _cell(line: Line, metric: str) -> str:
    return number(line.means[metric]) if metric in line.means else '-'  # not measured


def write_chart(runs: Sequence[Run], path: Path, *, with_published: bool = True) -> None:
    """Draw the means: one chart a metric, a group of bars a data set, the published values as dashed lines.

    Raises are those of ``save_figure``.
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


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure to ``path``, whole or not at all, with one legend of all labels below its axes.

    Raises:
        OSError: it cannot be written.
        ValueError: the suffix of ``path`` is no picture format.
    """
    handles = {}
    for axes in figure.axes:
        handles.update({label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)})
    inches = 0.08 * max(map(len, handles)) + 0.6
    columns = max(1, int(figure.get_figwidth() / inches))
    figure.legend(list(handles.values()), list(handles), loc='outside lower center', ncols=columns, fontsize=9)
    with atomic_write(path) as aside:
        figure.savefig(aside, dpi=120)
