"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a name beside ``path`` to write to; it becomes ``path`` at the end, and is removed if anything fails.

    It keeps the suffix, by which many writers choose a format.
    """
    aside = path.with_name(f'.{path.stem}.{os.getpid()}{path.suffix}')
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
