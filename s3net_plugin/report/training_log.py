"""Reading the numbers back from BasicSR's training logs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

Curve = dict[int, float]

_STEP = re.compile(r'\[epoch:\s*\d+, iter:\s*([\d,]+), lr:\([^)]*\)\] (?:\[eta: .*?\)\] )?(.*)')
_VALUE = re.compile(r'(\S+): (\S+)')
_VALIDATION = re.compile(r'INFO: Validation (.+)$')
_METRIC = re.compile(r'^\t # (\S+): (\S+)')
_OPTION = re.compile(r'^\s*(val_freq|total_iter): ([\d.]+)\s*$')
_RESUMED = re.compile(r'Resuming training from epoch: \d+, iter: (\d+)\.')


def read_run(path: Path) -> dict[str, Curve]:
    """Return the curves of one run by name: ``l_pix`` and the like, and ``<data set>: <metric>``.

    Values that are not finite are kept as they are.

    Args:
        path: a log file, or an experiment's folder. A resumed run has several logs there: they are read by age, and
            what a later one repeats replaces all that the earlier ones hold from there on.

    Raises:
        FileNotFoundError: there is no log.
        ValueError: there is nothing to draw in it.
    """
    # BasicSR's names end in the time at which the run started.
    files = sorted(path.glob('train_*.log'), key=lambda file: file.stem[-15:]) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise FileNotFoundError(f'{path}: no BasicSR training log, nor a folder with train_*.log')
    curves = join([read_log(file.read_text(encoding='utf-8', errors='replace')) for file in files])
    if not curves:
        raise ValueError(f'{path}: no losses or scores in it; is it a training log of BasicSR?')
    return curves


def read_log(text: str) -> dict[str, Curve]:
    """Return the curves in one log.

    BasicSR logs scores without their iteration: it follows from ``val_freq``, which the log starts with. Where that is
    missing, it is that of the last iteration logged before.
    """
    curves: dict[str, Curve] = {}
    options: dict[str, int] = {}
    seen: dict[str, int] = {}  # data set -> iteration of its last validation
    iteration = start = 0
    dataset = None
    for line in text.splitlines():
        if match := _STEP.search(line):
            iteration = int(match[1].replace(',', ''))
            for name, value in _VALUE.findall(match[2]):
                curves.setdefault(name, {})[iteration] = float(value)
        elif match := _OPTION.match(line):
            options[match[1]] = int(float(match[2]))
        elif match := _RESUMED.search(line):
            iteration = start = int(match[1])
        elif match := _VALIDATION.search(line):
            dataset = match[1]
            seen[dataset] = _validated_at(options, iteration, seen.get(dataset, start))
        elif dataset and (match := _METRIC.match(line)):
            curves.setdefault(f'{dataset}: {match[1]}', {})[seen[dataset]] = float(match[2])
    return curves


def _validated_at(options: dict[str, int], iteration: int, previous: int) -> int:
    """Return the iteration of a validation that comes after ``iteration``'s log line and after ``previous``."""
    every = options.get('val_freq')
    if not every:
        return iteration
    due = max(-(-iteration // every) * every, (previous // every + 1) * every)
    return min(due, options.get('total_iter', due))


def join(logs: Sequence[dict[str, Curve]]) -> dict[str, Curve]:
    """Join the curves in logs of one run, the oldest first; from a log's first iteration on, older ones are dropped."""
    joined: dict[str, Curve] = {}
    for log in logs:
        first = min((iteration for curve in log.values() for iteration in curve), default=math.inf)
        for name in {**joined, **log}:
            kept = {iteration: value for iteration, value in joined.get(name, {}).items() if iteration < first}
            joined[name] = kept | log.get(name, {})
    return {name: curve for name, curve in joined.items() if curve}
