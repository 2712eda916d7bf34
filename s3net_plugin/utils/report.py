"""What `basicsr test.py` leaves behind for people and programs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s3net_plugin.models.validation import Row


def write_rows(folder: Path, dataset: str, rows: Sequence[Row]) -> None:
    """Add the rows of one data set to ``metrics.csv``; several data sets of a run share the file."""
    path = folder / 'metrics.csv'
    metrics = list(rows[0].scores)
    new = not path.exists()
    with path.open('a', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(['dataset', 'image', 'method', *metrics, 'seconds'])
        for row in rows:
            seconds = f'{row.seconds:.4f}' if row.seconds == row.seconds else ''
            writer.writerow([dataset, row.image, row.method, *(f'{row.scores[m]:.6f}' for m in metrics), seconds])
