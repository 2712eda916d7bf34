#!/usr/bin/env python3
"""Print the table of the quick start and put its pictures on one sheet.

    python scripts/quickstart_report.py results/quickstart_before results/quickstart_after
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from statistics import mean

import cv2
import numpy as np

PANELS_A_SET = 4


def read_means(folder: Path) -> dict[tuple[str, str], dict[str, float]]:
    """Return the mean of every metric by (data set, method) from the ``metrics.csv`` in ``folder``."""
    with (folder / 'metrics.csv').open(newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    metrics = [name for name in rows[0] if name not in ('dataset', 'image', 'method', 'seconds')]
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault((row['dataset'], row['method']), []).append(row)
    return {
        key: {metric: mean(float(row[metric]) for row in group) for metric in metrics} for key, group in groups.items()
    }


def table(before: Path, after: Path) -> str:
    """Return the table: data sets as columns, baselines and the network before and after training as rows."""
    first, last = read_means(before), read_means(after)
    datasets = list(dict.fromkeys(dataset for dataset, _ in last))
    lines = [
        ('copy the input', last, 'copy_input'),
        ("the guide's colours (per-channel mean and spread)", last, 'colour_transfer'),
        ('S3Net before training', first, 'model'),
        ('S3Net after training', last, 'model'),
    ]
    metrics = list(last[datasets[0], 'model'])
    head = ''.join(f'{f"{dataset} {metric.upper()}":>15}' for dataset in datasets for metric in metrics)
    text = [f'{"":50}{head}']
    for label, means, method in lines:
        values = ''.join(f'{means[dataset, method][metric]:15.3f}' for dataset in datasets for metric in metrics)
        text.append(f'{label:50}{values}')
    return '\n'.join(text)


def contact_sheet(folder: Path, destination: Path) -> None:
    """Stack some panels of every data set in ``folder``, evenly chosen, into one picture."""
    panels = []
    for dataset in sorted((folder / 'visualization').iterdir()):
        found = sorted(dataset.glob('*_panel.png'))
        chosen = [found[i] for i in np.linspace(0, len(found) - 1, min(PANELS_A_SET, len(found))).round().astype(int)]
        panels += [np.asarray(cv2.imread(str(path))) for path in chosen]
    cv2.imwrite(str(destination), np.vstack(panels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('before', type=Path, help='results of the test before training')
    parser.add_argument('after', type=Path, help='results of the test after training')
    arguments = parser.parse_args()
    try:
        print(table(arguments.before, arguments.after))
    except OSError as error:
        sys.exit(f'quickstart_report: {error}')
    sheet = arguments.after / 'contact_sheet.png'
    contact_sheet(arguments.after, sheet)
    print(f'\nseen: scenes of the training set under pairs of lights it left out; unseen: scenes it never saw\n{sheet}')


if __name__ == '__main__':
    main()
