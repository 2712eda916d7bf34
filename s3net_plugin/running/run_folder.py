"""The folder of a run: what would be moved away to make room for it, and that one run at a time writes to it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.yaml_file import texts

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Any of these tells a folder that a run has made.
_TRACES = ('models', 'training_states', 'visualization', 'metrics.csv', 'summary.json', '.lock', '*.log')
_NO_INPUT = ('experiments_root', 'results_root', 'name', 'type', 'suffix')

_held: list[Any] = []


def run_name(opt: dict[str, Any], *, debug: bool = False) -> str:
    """Return the name of a run, from the content of its option file."""
    name = str(opt.get('name'))
    return f'debug_{name}' if debug and not name.startswith('debug') else name


def run_folder(opt: dict[str, Any], *, is_train: bool, debug: bool = False) -> Path:
    """Return where a run writes, from the content of its option file."""
    option, place = ('experiments_root', 'experiments') if is_train else ('results_root', 'results')
    wanted = (opt.get('path') or {}).get(option)
    if wanted is not None and not isinstance(wanted, str):
        raise OptionError(f'path:{option}: {wanted!r} is not the path of a folder')
    return Path(wanted or f'{place}/{run_name(opt, debug=debug)}').expanduser()


def run_paths(opt: dict[str, Any], *, is_train: bool, debug: bool = False) -> dict[str, str]:
    """Return the folders of a run under the names that BasicSR gives them, which makes them."""
    folder = Path.cwd() / run_folder(opt, is_train=is_train, debug=debug)
    root, within = 'results_root', ['visualization']
    if is_train:
        root, within = 'experiments_root', ['models', 'training_states', 'visualization']
    return {root: str(folder), 'log': str(folder), **{name: str(folder / name) for name in within}}


def check_overwrite(folder: Path, opt: dict[str, Any], option_file: str) -> None:
    """Make sure that ``folder``, which BasicSR renames to make room, is of an earlier run, and not needed for this one.

    Raises:
        OptionError: it is anything else, is or holds the working directory, or holds a file that the options name.
    """
    if not os.path.lexists(folder):
        return
    where = folder.resolve()
    if not folder.is_dir() or (any(folder.iterdir()) and not any(any(folder.glob(trace)) for trace in _TRACES)):
        raise OptionError(f'{folder}: is there and is not of a run; it would be renamed, so choose another folder')
    named = [one for one in texts(opt) if one[0].rpartition(':')[2] not in _NO_INPUT]
    for place, text in [('working directory', '.'), ('option file', option_file), *named]:
        path = Path(text).expanduser()
        if len(text) < 1000 and os.path.lexists(path) and path.resolve().is_relative_to(where):
            problem = f'{text} is in {folder}, which would be renamed to make room for this run'
            raise OptionError(f'{place}: {problem}; give the run another name')


def lock_folder(folder: Path) -> None:
    """Keep other runs out of ``folder``, which is there, until this process ends; a second call changes nothing.

    Raises:
        OptionError: another run is writing to it.
    """
    # Windows renames no folder in which a file is open, so there the lock lies beside it.
    path = folder / '.lock' if fcntl is not None else folder.with_name(f'.{folder.name}.lock')
    try:
        if fcntl is None:
            lock = FileLock(path, is_singleton=True)
            lock.acquire(timeout=0)
            _held.append(lock)
            return
        file = path.open('a+', encoding='utf-8')
        # Unlike flock, it is not handed on to a loader's workers, which may outlive a run that is killed.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except Timeout:
        raise OptionError(f'{folder}: another run is writing to it; wait, or rename one') from None
    except BlockingIOError:
        file.seek(0)
        other = file.read().strip()
        raise OptionError(f'{folder}: another run is writing to it ({other}); wait, or rename one') from None
    except OSError:  # a file system without locks
        return
    file.truncate(0)
    print(f'process {os.getpid()} on {socket.gethostname()}', file=file, flush=True)
    _held.append(file)
