"""The option files that come with this package: in `options/` of a checkout, in the package where it was installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped_files() -> dict[str, Path]:
    """Return the option files by name."""
    installed = _PACKAGE / 'options'
    folder = installed if installed.is_dir() else _PACKAGE.parent / 'options'
    return {path.name: path for path in sorted(folder.glob('*.yml'))}


def find_option_file(given: str) -> Path:
    """Return the file ``given``; where there is none, the shipped one of that name, with or without ``options/``."""
    path = Path(given).expanduser()
    if not path.exists() and path.parent in (Path(), Path('options')):
        return shipped_files().get(path.name, path)
    return path
