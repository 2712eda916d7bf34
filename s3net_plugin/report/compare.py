"""Several test runs side by side, as a table and as bars, and beside what the challenge's organisers published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from s3net_plugin.report.table import METHODS, bullets, markdown_table, metric_heads, number
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

Runs = Mapping[str, dict[str, Any]]  # summaries, each by the name that it goes by beside others


def read_runs(results: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Read the summaries of test runs; where two have one name, the folders are their labels.

    Args:
        results: folders that `basicsr test.py` wrote, or the ``summary.json`` in them.

    Raises:
        FileNotFoundError: there is no summary.
        ValueError: a file is no summary.
    """
    summaries = [_read(path / 'summary.json' if path.is_dir() else path) for path in results]
    names = [summary['name'] for summary in summaries]
    labels = names if len(set(names)) == len(names) else map(str, results)
    return dict(zip(labels, summaries, strict=True))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such summary; `basicsr test.py` writes one where it has ground truth')
    try:
        summary = json.loads(path.read_text(encoding='utf-8'))
        metrics = summary['settings']['metrics']
        for dataset, methods in summary['datasets'].items():
            # Everything that is read from here on.
            str(summary['name']), summary['images'][dataset], summary['settings']['resolution'][dataset]
            metric_heads(metrics), [setting['type'] + setting['description'] for setting in metrics.values()]
            for method, scores in methods.items():
                METHODS[method], [number(scores[metric]['mean']) for metric in metrics]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: not a summary that `basicsr test.py` wrote ({error!r})') from None
    return summary


def datasets(runs: Runs) -> list[str]:
    """Return the names of all data sets, in the order in which they come."""
    return list(dict.fromkeys(dataset for summary in runs.values() for dataset in summary['datasets']))


def metrics(runs: Runs) -> dict[str, dict[str, str]]:
    """Return the settings of all metrics by name, as the first run that has one gives them."""
    found: dict[str, dict[str, str]] = {}
    for summary in runs.values():
        found |= {name: one for name, one in summary['settings']['metrics'].items() if name not in found}
    return found


def means(runs: Runs, dataset: str) -> dict[str, dict[str, float | None]]:
    """Return ``[label][metric]`` of a data set: every run's network, then the baselines, once where they agree.

    A run that was not tested on it has no means.
    """
    found: dict[str, dict[str, float | None]] = {}
    for method, words in METHODS.items():
        by_run = {
            label: {metric: score['mean'] for metric, score in summary['datasets'][dataset][method].items()}
            for label, summary in runs.items()
            if method in summary['datasets'].get(dataset, {})
        }
        if method == 'model':
            found = {label: by_run.get(label, {}) for label in runs}
        elif len({str(values) for values in by_run.values()}) == 1:
            found[words] = next(iter(by_run.values()))
        else:
            found |= {f'{words} ({label})': values for label, values in by_run.items()}
    return found


def published(metric: Mapping[str, str]) -> dict[str, float]:
    """Return the published value of every reference row for a metric; none for one that was not published."""
    measure = _MEASURES.get(metric['type'])
    return {name: values[measure] for name, values in PUBLISHED.items()} if measure else {}


def differences(runs: Runs, dataset: str) -> list[str]:
    """Return a line for everything that keeps the runs' numbers on a data set from being comparable."""
    facts: dict[str, dict[str, str]] = {}
    for label, summary in runs.items():
        if dataset in summary['datasets']:
            settings = summary['settings']
            described = {name: metric['description'] for name, metric in settings['metrics'].items()}
            size = {'images': summary['images'][dataset], 'pixels': settings['resolution'][dataset]}
            for name, fact in {**size, **described}.items():
                facts.setdefault(name, {})[label] = fact
    return [
        f'not comparable, {name}: ' + '; '.join(f'{label}: {fact}' for label, fact in by_run.items())
        for name, by_run in facts.items()
        if len(set(by_run.values())) > 1
    ]


def comparison_markdown(runs: Runs, *, with_published: bool = True) -> str:
    """Return one table a data set: means of the runs and the baselines, then the published rows, then the settings."""
    settings, parts = metrics(runs), []
    for dataset in datasets(runs):
        rows = [
            [label, *(number(values[metric]) if metric in values else '-' for metric in settings)]  # not measured
            for label, values in means(runs, dataset).items()
        ]
        for name in PUBLISHED if with_published else ():
            known = [published(setting).get(name) for setting in settings.values()]
            if any(known):
                rows.append([name, *(number(value) if value else '' for value in known)])
        notes = [*differences(runs, dataset), *([PUBLISHED_NOTE] if with_published else [])]
        parts += [markdown_table([f'{dataset}, means', *metric_heads(settings)], rows), bullets(notes)]
    parts.append(bullets(f'{name}: {setting["description"]}' for name, setting in settings.items()))
    return '\n\n'.join(filter(None, parts))


def write_chart(runs: Runs, path: Path, *, with_published: bool = True) -> None:
    """Draw the means: one chart a metric, a group of bars a data set, the published values as dashed lines.

    Raises are those of ``save_figure``.
    """
    measured = {dataset: means(runs, dataset) for dataset in datasets(runs)}
    settings = metrics(runs)
    bars = max(map(len, measured.values())) * len(measured)
    figure = Figure(figsize=(max(4.5, 0.5 * bars) * len(settings), 5.5), layout='constrained')
    charts = figure.subplots(1, len(settings), squeeze=False)[0]
    for axes, (metric, setting) in zip(charts, settings.items(), strict=True):
        _bars(axes, measured, metric)
        for index, (name, value) in enumerate(published(setting).items() if with_published else ()):
            axes.axhline(value, color=str(0.2 + 0.35 * index), linestyle='--', linewidth=1.2, label=name)
        axes.set_title(f'{metric} ({setting["better"]} is better)')
        axes.margins(y=0.1)
    if with_published:
        figure.suptitle(fill(PUBLISHED_NOTE, int(15 * figure.get_figwidth()), break_on_hyphens=False), fontsize=8)
    save_figure(figure, path)


def _bars(axes: Axes, measured: dict[str, dict[str, dict[str, float | None]]], metric: str) -> None:
    labels = list(dict.fromkeys(label for dataset in measured.values() for label in dataset))
    width = 0.8 / len(labels)
    for index, label in enumerate(labels):
        found = {group: dataset.get(label, {}).get(metric) for group, dataset in enumerate(measured.values())}
        shown = {group - 0.4 + (index + 0.5) * width: mean for group, mean in found.items() if mean is not None}
        axes.bar_label(axes.bar(list(shown), list(shown.values()), 0.9 * width, label=label), fmt='%.3g', fontsize=8)
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
