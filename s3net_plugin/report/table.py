"""``summary.md``: the summary of a test run as tables for people, every number with its settings beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

METHODS = {
    'model': 'model',
    'copy_input': 'copy input',
    'colour_transfer': 'colour transfer',
    'shading_transfer': 'shading transfer',
}


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, its columns aligned so that it reads well as text too."""
    cells = [[cell.replace('|', r'\|') for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    lines.insert(1, ' | '.join('-' * width for width in widths))
    return '\n'.join(f'| {line} |' for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """Return a list in Markdown."""
    return '\n'.join(f'- {line}' for line in lines)


def metric_heads(metrics: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the heads of the columns of metrics: their names, and whether higher or lower is better."""
    arrows = {'higher': '↑', 'lower': '↓'}
    return [f'{name} {arrows[metric["better"]]}' for name, metric in metrics.items()]


def number(value: float | None) -> str:
    """Return a score as text."""
    return 'not finite' if value is None else f'{value:.4f}'


def count(value: int | None) -> str:
    """Return a large number as text: 49.35 M, 317.6 G."""
    if value is None:
        return 'not counted'
    for unit, size in (('G', 10**9), ('M', 10**6), ('k', 10**3)):
        if value >= size:
            return f'{value / size:.4g} {unit}'
    return str(value)


def dataset_markdown(summary: Mapping[str, Any], dataset: str) -> str:
    """Return the table of one data set: the network and what costs nothing to beat, means and medians."""
    settings = summary['settings']
    metrics = settings['metrics']
    rows = [
        [METHODS[method], *(f'{number(scores[m]["mean"])} ({number(scores[m]["median"])})' for m in metrics)]
        for method, scores in summary['datasets'][dataset].items()
    ]
    facts = (
        f'{summary["images"][dataset]} images, {settings["resolution"][dataset]} pixels, {settings["range"]}; '
        f'the network runs at {summary["images_per_second"][dataset]:.4g} images/s (median)'
    )
    table = markdown_table(['mean (median)', *metric_heads(metrics)], rows)
    notes = bullets(f'{name}: {metric["description"]}' for name, metric in metrics.items())
    return '\n\n'.join([f'## {dataset}', facts, table, notes])


def summary_markdown(summary: Mapping[str, Any]) -> str:
    """Return the whole summary."""
    parts = [f'# {summary["name"]}']
    if summary['not_tested']:
        parts.append(f'**Not complete**: the run has not come to {", ".join(summary["not_tested"])}.')
    for dataset, worst in summary['worst'].items():
        head = ['worst images', *summary['settings']['metrics']]
        rows = [[row['image'], *(number(row[metric]) for metric in head[1:])] for row in worst]
        parts += [dataset_markdown(summary, dataset), markdown_table(head, rows)]
    parts += ['## This run', bullets(f'{name}: {fact}' for name, fact in _facts(summary).items())]
    return '\n\n'.join(parts) + '\n'


def _facts(summary: Mapping[str, Any]) -> dict[str, str]:
    settings, memory, hardware = summary['settings'], summary['peak_memory'], summary['hardware']
    averaged = {True: 'averaged (EMA)', False: 'not averaged', None: 'averaged or not: the file does not say'}
    peak = 'unknown' if memory['bytes'] is None else f'{memory["bytes"] / 2**20:.0f} MiB'
    return {
        'weights': f'{settings["weights"]}, {averaged[settings["ema"]]}' if settings['weights'] else 'none loaded',
        'parameters': count(summary['parameters']),
        'for an input of ' + ' x '.join(map(str, summary['complexity_input'])): (
            f'{count(summary["flops"])} FLOPs (one multiply-add is one), {count(summary["activations"])} activations'
        ),
        'hardware': ', '.join(filter(None, (hardware['cpu'], hardware['gpu'] or 'no GPU used'))),
        'peak memory': f'{peak} ({memory["of"]})',
        'versions': ', '.join(f'{name} {version}' for name, version in summary['versions'].items()),
        'Git commit': summary['git'] or 'not in a repository',
    }
