"""The option files that come with this package: in `options/` of a checkout, in the package where it was installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped_folder() -> Path:
    """Return the folder of the option files."""
    installed = _PACKAGE / 'options'
    return installed if installed.is_dir() else _PACKAGE.parent / 'options'


def shipped_files() -> list[Path]:
    """Return the option files, by name."""
    return sorted(shipped_folder().glob('*.yml'))


def find_option_file(given: str) -> Path:
    """Return the file ``given``; where there is none, the shipped one of that name, with or without ``options/``."""
    path = Path(given).expanduser()
    if not path.exists() and path.parent in (Path(), Path('options')):
        shipped = shipped_folder() / path.name
        if shipped.is_file():
            return shipped
    return path
