"""Where samples come from: one small interface, so that a dataset knows no backend."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
from basicsr.utils import FileClient

from s3net_plugin.data.depth import decode_depth
from s3net_plugin.data.images import decode_image
from s3net_plugin.data.lmdb_reader import LmdbReader


class Reader(Protocol):
    """Names are file names relative to the data root, with ``/`` and extension, whatever the backend.

    A reader is cheap to make, opens what it needs at the first read in each process, and can be pickled.
    """

    def list(self, folder: str) -> Iterable[str]:
        """Return the names of the files right inside ``folder`` ('' is the root), without the folder."""

    def path(self, name: str) -> str:
        """Return what people are shown for ``name``: the file's path, or the database and the key."""

    def image(self, name: str) -> np.ndarray:
        """Return RGB of shape (H, W, 3), uint8 or uint16.

        It may be a read-only view of a memory map: slice it first, convert afterwards, and only the rows of the slice
        are read.
        """

    def depth(self, name: str) -> np.ndarray:
        """Return depth of shape (H, W), float32 in [0, 1]; like an image it may be a read-only view."""


class DiskReader:
    """Files in folders, read through BasicSR's ``FileClient``.

    Args:
        dataroot: The folder.
        target: Where the files of its subfolder ``target`` are, if they are elsewhere.
    """

    def __init__(self, dataroot: str, *, target: str | None = None) -> None:
        self._dataroot = Path(dataroot)
        self._target = self._dataroot / 'target' if target is None else Path(target)
        self._client = FileClient('disk')

    def list(self, folder: str) -> list[str]:
        path = self._target if folder == 'target' else self._dataroot / folder
        if not path.is_dir():
            return []
        with os.scandir(path) as entries:  # unlike Path.iterdir it needs no stat for each file
            # hidden files are leftovers such as macOS's ._Image001.png
            return sorted(entry.name for entry in entries if not entry.name.startswith('.') and entry.is_file())

    def path(self, name: str) -> str:
        folder, _, file = name.partition('/')
        return str(self._target / file if folder == 'target' and file else self._dataroot / name)

    def image(self, name: str) -> np.ndarray:
        return decode_image(self._read(name), self.path(name))

    def depth(self, name: str) -> np.ndarray:
        return decode_depth(self._read(name), self.path(name))

    def _read(self, name: str) -> bytes:
        return self._client.get(self.path(name))


READERS: dict[str, Callable[[str], Reader]] = {'disk': DiskReader, 'lmdb': LmdbReader}


def open_reader(io_backend: str, dataroot: str) -> Reader:
    """Return the reader for BasicSR's ``io_backend: {type: ...}``, one of ``READERS``."""
    return READERS[io_backend](dataroot)
