"""Samples out of a prepared set: ``rgb.lmdb`` and ``depth.lmdb`` in the data root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from s3net_plugin.data.decode import decode_image
from s3net_plugin.data.lmdb.database import Database, open_database
from s3net_plugin.data.lmdb.records import (
    DEPTH_CODECS,
    IMAGE_CODECS,
    decode_depth_record,
    encode_key,
    record_shape,
    unpack_array,
)

RGB, DEPTH = 'rgb.lmdb', 'depth.lmdb'
CODECS = {RGB: IMAGE_CODECS, DEPTH: DEPTH_CODECS}


class LmdbReader:
    """A ``Reader`` of prepared databases: images are called ``.png`` and depth maps ``.npy``, whatever the codec.

    Args:
        dataroot: The folder that ``scripts/prepare_vidit.py`` made.
        verify: Compare the checksums of raw records, which reads all of them even for a crop.
    """

    def __init__(self, dataroot: str, *, verify: bool = False) -> None:
        self._dataroot = dataroot
        self._verify = verify
        self._databases: dict[str, Database] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_databases': {}}  # each process opens its own

    def list(self, folder: str) -> Iterator[str]:
        for database, suffix in ((RGB, '.png'), (DEPTH, '.npy')):
            for stem in self._database(database).stems(folder):
                yield stem + suffix

    def path(self, name: str) -> str:
        return str(Path(self._dataroot, DEPTH if name.endswith('.npy') else RGB, name))

    def image(self, name: str) -> np.ndarray:
        database = self._database(RGB)
        key = encode_key(name.removesuffix('.png'))
        record, where = database.get(key), database.name_of(key)
        if database.info['codec'] == 'png':
            return decode_image(bytes(record), where)
        pixels, _, _ = unpack_array(record, where, verify=self._verify)
        if pixels.shape[2:] != (3,) or pixels.dtype.kind != 'u':
            raise ValueError(f'{where}: corrupt record: {pixels.shape} {pixels.dtype} is no image')
        return database.keep_alive(pixels)

    def size(self, name: str) -> tuple[int, int]:
        height, width, _ = record_shape(self._database(RGB).get(encode_key(name.removesuffix('.png'))))
        return height, width

    def depth(self, name: str) -> np.ndarray:
        database = self._database(DEPTH)
        key = encode_key(name.removesuffix('.npy'))
        record, where = database.get(key), database.name_of(key)
        return database.keep_alive(decode_depth_record(record, database.info['codec'], where, verify=self._verify))

    def _database(self, name: str) -> Database:
        database = self._databases.get(name)
        if database is None or database.pid != os.getpid():
            database = self._databases[name] = open_database(str(Path(self._dataroot, name)), CODECS[name])
        return database
