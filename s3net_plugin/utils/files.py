"""Files that are written whole or not at all, and their paths in options."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    with atomic_write(path) as aside:
        aside.write_text(text, encoding='utf-8', newline='\n')


def expand_user(section: dict[str, Any], *keys: str) -> None:
    """Expand ``~`` in the paths that stand under ``keys``, in place, as BasicSR does."""
    for key in keys:
        if isinstance(section.get(key), str):
            section[key] = str(Path(section[key]).expanduser())


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a name beside ``path`` to write to; it becomes ``path`` at the end, and is removed if anything fails.

    It keeps the suffix, by which many writers choose a format, and is short, since ``path`` may have the longest name
    that the file system takes.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    aside = path.with_name(f'.{digest}.{os.getpid()}.{threading.get_ident()}{path.suffix}')
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
