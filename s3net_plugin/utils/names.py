"""One way to name what is unknown, what was probably meant, and what is too much to name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Return the tail of an error message that helps someone who misspelt ``name``: :func:`suggestion` after ``; ``."""
    hint = suggestion(name, known)
    return f'; {hint}' if hint else ''


def suggestion(name: object, known: Iterable[object], *, or_all: bool = True) -> str:
    """Return the nearest known names if any is near, otherwise all of them if they are few and ``or_all``.

    Example:
        >>> suggestion('bf16', ['bfloat16', 'float16'])
        "did you mean 'bfloat16'?"
    """
    names = sorted(str(item) for item in known)
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.65)
    if near:
        return 'did you mean ' + ' or '.join(repr(item) for item in near) + '?'
    return 'known: ' + ', '.join(names) if or_all and names and len(names) <= 12 else ''


def shorten(names: Sequence[str], limit: int = 8) -> str:
    """Join ``names`` for a message of one line.

    Example:
        >>> shorten(['Image001', 'Image002', 'Image003'], limit=2)
        'Image001, Image002 and 1 more'
    """
    shown = ', '.join(names[:limit])
    return shown if len(names) <= limit else f'{shown} and {len(names) - limit} more'


def edit_distance(first: str, second: str) -> int:
    """Return the optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.

    Example:
        >>> edit_distance('scael', 'scale'), edit_distance('dataroot_flow', 'dataroot_lq')
        (1, 3)
    """
    rows = [list(range(len(second) + 1))]
    for i, a in enumerate(first, 1):
        rows.append([i])
        for j, b in enumerate(second, 1):
            cost = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                cost = min(cost, rows[i - 2][j - 2] + 1)
            rows[i].append(cost)
    return rows[-1][-1]
