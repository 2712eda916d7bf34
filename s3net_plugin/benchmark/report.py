"""What the benchmark found, as a table and as JSON, with the machine that it holds for."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

import torch

from s3net_plugin.benchmark.run import Measured, Outcome
from s3net_plugin.report.environment import hardware
from s3net_plugin.report.table import markdown_table

HEAD = ('work', 'input', 'plain, ms', 'fast, ms', 'speed-up', 'plain, MiB', 'fast, MiB', 'fast is')


def machine(device: torch.device) -> dict[str, Any]:
    """Return hardware, threads, versions, and ``load``: how many processes have wanted a core in the last minute."""
    return {
        **hardware(device),
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
        'instructions': torch.backends.cpu.get_cpu_capability(),
        'load': round(os.getloadavg()[0], 2) if hasattr(os, 'getloadavg') else None,
        'torch': torch.__version__,
        'python': platform.python_version(),
    }


def describe(found: dict[str, Any], outcomes: Sequence[Outcome]) -> str:
    """Return what is to be read on the screen; ``found`` is the ``machine`` before the benchmark began."""
    facts = ', '.join(f'{name} {value}' for name, value in found.items() if value is not None)
    rows = [_row(outcome) for outcome in outcomes]
    return '\n'.join(
        [
            f'Measured on: {facts}',
            '',
            markdown_table(HEAD, rows),
            '',
            'Medians, with the quartiles in brackets; plain and fast took turns. MiB: the most memory that one needs,',
            'its weights included (tensors on the CPU; on a GPU what was taken from it). VGG19 has random weights.',
        ]
    )


def _row(outcome: Outcome) -> tuple[str, ...]:
    shape = ' x '.join(map(str, outcome.shape))
    if outcome.plain is None or outcome.fast is None:
        return (outcome.name, shape, *5 * ('not measured',), f'{outcome.how}: {outcome.failure}')
    return (
        outcome.name,
        shape,
        _milliseconds(outcome.plain),
        _milliseconds(outcome.fast),
        f'{outcome.plain.seconds.median / outcome.fast.seconds.median:.2f} x',
        _number(outcome.plain.peak_bytes / 2**20),
        _number(outcome.fast.peak_bytes / 2**20),
        outcome.how,
    )


def _milliseconds(measured: Measured) -> str:
    median, lower, upper = (_number(1e3 * value) for value in measured.seconds)
    return f'{median} ({lower} to {upper})'


def _number(value: float) -> str:
    """Three digits are worth reading."""
    return f'{value:.0f}' if value >= 100 else f'{value:.3g}'


def to_json(found: dict[str, Any], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the same for JSON; ``speedup_over_plain`` has ratios of medians, of what could be measured only."""
    rows = []
    for outcome in outcomes:
        row: dict[str, Any] = {'name': outcome.name, 'input': outcome.shape, 'fast_is': outcome.how}
        for way, measured in (('plain', outcome.plain), ('fast', outcome.fast)):
            if measured is not None:
                row[way] = {'seconds': measured.seconds._asdict(), 'peak_bytes': measured.peak_bytes}
        rows.append({**row, 'failure': outcome.failure} if outcome.failure else row)
    return {'machine': found, 'rows': rows, 'speedup_over_plain': _speedups(outcomes)}


def _speedups(outcomes: Sequence[Outcome]) -> dict[str, float]:
    return {
        outcome.name: outcome.plain.seconds.median / outcome.fast.seconds.median
        for outcome in outcomes
        if outcome.plain and outcome.fast
    }
