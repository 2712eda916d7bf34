"""Where the databases of a set lie: in its folder, or in parts of it that a job array has written.

The set ``train`` in eight parts is the folders ``train.0-of-8`` to ``train.7-of-8``, each a small set in itself.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from s3net_plugin.data.lmdb.records import DEPTH_CODECS, IMAGE_CODECS
from s3net_plugin.utils.names import shorten

RGB, DEPTH = 'rgb.lmdb', 'depth.lmdb'
CODECS = {RGB: IMAGE_CODECS, DEPTH: DEPTH_CODECS}

_LIGHT = re.compile(rb'_\d+_[NESW]{1,2}$')
_NUMBER = re.compile(rb'\d+$')


def holds_databases(folder: Path) -> bool:
    """Tell whether a folder is a prepared set, or a part of one."""
    return any((folder / name).is_dir() for name in CODECS)


def part_folder(dataroot: Path, index: int, parts: int) -> Path:
    """Return the folder of part ``index``, from 0, of a set."""
    return dataroot.with_name(f'{dataroot.name}.{index}-of-{parts}')


def part_of(key: bytes, parts: int) -> int:
    """Return the part that a record is in: the number of its scene, or pair, modulo ``parts``.

    So all images of a scene are together with its depth map. Names without a number are spread by a checksum.

    Example:
        >>> part_of(b'Image010_2500_NE', 8), part_of(b'input/Pair010', 8)
        (2, 2)
    """
    name = _LIGHT.sub(b'', key.rpartition(b'/')[2])
    number = _NUMBER.search(name)
    return (int(number[0]) if number else zlib.crc32(name)) % parts


def database_folders(dataroot: Path) -> list[Path]:
    """Return ``dataroot``, or, if it holds no databases and has parts, these in order.

    Raises:
        ValueError: If parts are missing, or there are those of two sets. One line.
    """
    pattern = re.compile(re.escape(dataroot.name) + r'\.(0|[1-9]\d*)-of-([1-9]\d*)')
    if holds_databases(dataroot) or not dataroot.parent.is_dir():
        return [dataroot]
    found: dict[int, set[int]] = {}
    for path in dataroot.parent.iterdir():
        if match := pattern.fullmatch(path.name):
            found.setdefault(int(match[2]), set()).add(int(match[1]))
    if len(found) > 1:
        raise ValueError(f'{dataroot}: there are parts of {" and of ".join(map(str, sorted(found)))}; keep one set')
    for parts, indices in found.items():
        missing = [str(index) for index in range(parts) if index not in indices]
        if missing:
            raise ValueError(
                f'{dataroot}: of its {parts} parts these are missing or not finished: {shorten(missing, limit=3)}; '
                f'run scripts/prepare_vidit.py with --shard {missing[0]}/{parts}, and so on'
            )
        return [part_folder(dataroot, index, parts) for index in range(parts)]
    return [dataroot]
