"""One way to name what is unknown and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], *, or_all: bool = True) -> str:
    """Return the tail of an error message that helps someone who misspelt ``name``.

    The nearest known names if any is near, otherwise all of them if they are few and ``or_all``, otherwise nothing.
    """
    names = sorted(str(item) for item in known)
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.65)
    if near:
        return '; did you mean ' + ' or '.join(repr(item) for item in near) + '?'
    if or_all and names and len(names) <= 12:
        return '; known: ' + ', '.join(names)
    return ''
