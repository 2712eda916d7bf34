"""Where samples come from: one small interface, so that a dataset knows no backend."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from s3net_plugin.data.decode import decode_depth, decode_image, png_size
from s3net_plugin.data.lmdb.reader import LmdbReader


class Reader(Protocol):
    """Names are file names relative to the data root, with ``/`` and extension, whatever the backend.

    A reader is cheap to make, opens what it needs at the first read in each process, and can be pickled.
    """

    def list(self, folder: str) -> Iterable[str]:
        """Return the names of the files right inside ``folder`` ('' is the root), without the folder.

        Whatever the case of their extensions, these are in lower case here.

        Raises:
            ValueError: Two files differ in the case of their extensions only.
        """

    def path(self, name: str) -> str:
        """Return what people are shown for ``name``: the file's path, or the database and the key."""

    def image(self, name: str) -> np.ndarray:
        """Return RGB of shape (H, W, 3), uint8 or uint16.

        It may be a read-only view of a memory map: slice it first, convert afterwards, and only the rows of the slice
        are read.
        """

    def size(self, name: str) -> tuple[int, int]:
        """Return height and width of an image from its first bytes; what is no image has any."""

    def depth(self, name: str) -> np.ndarray:
        """Return depth of shape (H, W), float32 in [0, 1]; like an image it may be a read-only view."""


class DiskReader:
    """Files in folders; ``target`` is where those of the subfolder ``target`` are, if they are elsewhere."""

    def __init__(self, dataroot: str, *, target: Path | None = None) -> None:
        self._dataroot = Path(dataroot)
        self._target = self._dataroot / 'target' if target is None else target.expanduser()
        self._spelt: dict[str, str] = {}  # how a file is called of which the extension is not in lower case

    def list(self, folder: str) -> list[str]:
        path = self._target if folder == 'target' else self._dataroot / folder
        if not path.is_dir():
            return []
        with os.scandir(path) as entries:  # unlike Path.iterdir it needs no stat for each file
            # hidden files are leftovers such as macOS's ._Image001.png
            found = [entry.name for entry in entries if not entry.name.startswith('.') and entry.is_file()]
        names: dict[str, str] = {}
        for file in found:
            stem, dot, suffix = file.rpartition('.')
            name = stem + dot + suffix.lower()
            if name in names:
                raise ValueError(f'{path}: {file} and {names[name]} differ in the case of a letter only; keep one')
            names[name] = file
            if name != file:
                self._spelt[f'{folder}/{name}' if folder else name] = file
        return sorted(names)

    def path(self, name: str) -> str:
        folder, slash, file = name.rpartition('/')
        file = self._spelt.get(name, file)
        return str(self._target / file if folder == 'target' else self._dataroot / f'{folder}{slash}{file}')

    def image(self, name: str) -> np.ndarray:
        return decode_image(Path(self.path(name)).read_bytes(), self.path(name))

    def size(self, name: str) -> tuple[int, int]:
        with Path(self.path(name)).open('rb') as file:
            return png_size(file.read(24))

    def depth(self, name: str) -> np.ndarray:
        return decode_depth(Path(self.path(name)).read_bytes(), self.path(name))


# by BasicSR's `io_backend: {type: ...}`
READERS: dict[str, Callable[[str], Reader]] = {'disk': DiskReader, 'lmdb': LmdbReader}
