"""Samples out of a prepared set: ``rgb.lmdb`` and ``depth.lmdb``, opened once in a process and only if whole."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from s3net_plugin.data.decode import decode_image
from s3net_plugin.data.lmdb.folders import CODECS, DEPTH, RGB, database_folders, part_of
from s3net_plugin.data.lmdb.records import decode_depth_record, decode_key, encode_key, record_shape, unpack_array
from s3net_plugin.utils.names import did_you_mean

INFO_KEY = b'.info'  # no file's key: encode_key leaves no dot
FORMAT = 1

_PREPARE = 'scripts/prepare_vidit.py'


class LmdbReader:
    """A ``Reader`` of prepared databases: images are called ``.png`` and depth maps ``.npy``, whatever the codec.

    ``dataroot`` is a folder or the name of parts. ``verify`` compares the checksums of raw records, which reads all of
    them even for a crop.
    """

    def __init__(self, dataroot: str, *, verify: bool = False) -> None:
        self._dataroot = dataroot
        self._verify = verify
        self._databases: dict[str, Sequence[Database]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_databases': {}}  # each process opens its own

    def list(self, folder: str) -> Iterator[str]:
        for name, suffix in ((RGB, '.png'), (DEPTH, '.npy')):
            for database in self._parts(name):
                for stem in database.stems(folder):
                    yield stem + suffix

    def path(self, name: str) -> str:
        return str(Path(self._dataroot, _database_of(name), name))

    def image(self, name: str) -> np.ndarray:
        database, record, where = self._find(name)
        if database.info['codec'] == 'png':
            return decode_image(bytes(record), where)
        pixels, _, _ = unpack_array(record, where, verify=self._verify)
        if pixels.shape[2:] != (3,) or pixels.dtype.kind != 'u':
            raise ValueError(f'{where}: corrupt record: {pixels.shape} {pixels.dtype} is no image')
        return database.keep_alive(pixels)

    def size(self, name: str) -> tuple[int, int]:
        return record_shape(self._find(name)[1])[:2]

    def depth(self, name: str) -> np.ndarray:
        database, record, where = self._find(name)
        return database.keep_alive(decode_depth_record(record, database.info['codec'], where, verify=self._verify))

    def _find(self, name: str) -> tuple[Database, memoryview, str]:
        """Return the database of ``name``, its record, and what messages call it."""
        key, parts = encode_key(name[:-4]), self._parts(_database_of(name))
        database = parts[part_of(key, len(parts))]
        return database, database.get(key), database.name_of(key)

    def _parts(self, name: str) -> Sequence[Database]:
        parts = self._databases.get(name)
        if parts is None or parts[0].pid != os.getpid():
            parts = [open_database(str(path / name), CODECS[name]) for path in database_folders(Path(self._dataroot))]
            shared = {key: parts[0].info.get(key) for key in ('codec', 'layout', 'size')}
            for index, part in enumerate(parts if len(parts) > 1 else ()):
                try:
                    check_settings(part.info, {'shard': f'{index}/{len(parts)}', **shared})
                except ValueError as error:
                    raise ValueError(f'{part.path}: is no part of this set: {error}; prepare it again') from None
            self._databases[name] = parts
        return parts


def _database_of(name: str) -> str:
    return DEPTH if name.endswith('.npy') else RGB


class Database:
    """Read access for the process that made it, ``pid``. Get one from ``open_database``.

    ``info`` is what it says of itself: ``codec``, the number of ``records`` and what it was prepared with.
    """

    def __init__(self, path: str, codecs: Sequence[str]) -> None:
        self.path = path
        self.pid = os.getpid()
        try:
            # Records are many pages long, so the kernel may read ahead: a cold crop comes six times faster.
            self._env = lmdb.open(path, readonly=True, lock=False, create=False, readahead=True)
        except lmdb.Error as error:
            raise ValueError(f'{path}: LMDB cannot open it: {error}') from None
        try:
            # Looking at a page that is not there would kill the process.
            needed = (self._env.info()['last_pgno'] + 1) * self._env.stat()['psize']
            size = Path(path, 'data.mdb').stat().st_size
            if size < needed:
                raise ValueError(f'{path}: data.mdb is truncated: {size} bytes of {needed}; copy it again')
            # Nobody writes to a prepared database: one transaction serves for good, and so do views into the map.
            self._transaction = self._env.begin(buffers=True)
            self.info = self._read_info(codecs)
        except lmdb.Error as error:
            self.close()
            raise ValueError(f'{path}: LMDB cannot read it: {error}') from None
        except BaseException:
            self.close()
            raise

    def _read_info(self, codecs: Sequence[str]) -> dict[str, Any]:
        info = read_info(self._transaction.get(INFO_KEY), self.path)
        codec, records, found = info['codec'], info['records'], self._env.stat()['entries'] - 1
        if records is None:
            raise ValueError(f'{self.path}: is not finished; run {_PREPARE} again')
        if codec not in codecs:
            raise ValueError(f'{self.path}: unknown codec {codec!r}{did_you_mean(str(codec), codecs)}')
        if found != records:
            raise ValueError(f'{self.path}: holds {found} records instead of {records}; run {_PREPARE} again')
        return info

    def get(self, key: bytes) -> memoryview:
        """Return a record, not copied; it is valid as long as this object lives.

        Raises:
            ValueError: If there is no such record. The message names database and key.
        """
        try:
            record = self._transaction.get(key)
        except lmdb.Error as error:
            raise ValueError(f'{self.name_of(key)}: LMDB cannot read it: {error}') from None
        if record is None:
            raise ValueError(f'{self.name_of(key)}: no such key; run {_PREPARE} for the whole set')
        return record

    def name_of(self, key: bytes) -> str:
        """Return what messages call a record."""
        return f'{self.path}: key {key.decode()!r}'

    def iter_keys(self, prefix: bytes = b'') -> Iterator[bytes]:
        """Yield the keys that start with ``prefix``, in order."""
        try:
            with self._transaction.cursor() as cursor:
                if not (cursor.set_range(prefix) if prefix else cursor.first()):
                    return
                for view in cursor.iternext(values=False):
                    key = bytes(view)
                    if not key.startswith(prefix):
                        return
                    if key != INFO_KEY:
                        yield key
        except lmdb.Error as error:
            raise ValueError(f'{self.path}: LMDB cannot list its keys: {error}') from None

    def stems(self, folder: str) -> Iterator[str]:
        """Yield the paths right inside ``folder`` ('' is the root), without the folder, in the order of their keys."""
        prefix = encode_key(folder) + b'/' if folder else b''
        rests = (key[len(prefix) :] for key in self.iter_keys(prefix))
        return (decode_key(rest) for rest in rests if b'/' not in rest)

    def keep_alive(self, view: np.ndarray) -> np.ndarray:
        """Return ``view``, which may look into a record, as an array that keeps this database open."""
        return np.asarray(_Pin(self, view))

    def close(self) -> None:
        """Close it. Also what was inherited in a fork: LMDB allows no other use of that, nor a second opening."""
        self._env.close()


class _Pin:
    def __init__(self, database: Database, view: np.ndarray) -> None:
        self._kept = database, view
        self.__array_interface__ = view.__array_interface__


# An environment must not be opened twice in a process, but a training and a validation set may share one.
_opened: weakref.WeakValueDictionary[tuple[int, int], Database] = weakref.WeakValueDictionary()


def open_database(path: str, codecs: Sequence[str]) -> Database:
    """Open the database in the folder ``path``, or return the one that this process has open.

    Raises:
        ValueError: If it is missing, truncated, unfinished or of a codec not among ``codecs``. One line that names it.
    """
    try:
        stat = Path(path, 'data.mdb').stat()
    except OSError as error:
        raise ValueError(f'{path}: no LMDB database ({error.strerror}); {_PREPARE} makes it') from None
    file = stat.st_dev, stat.st_ino
    database = _opened.get(file)
    if database is not None and database.pid != os.getpid():
        database.close()
        database = None
    if database is None:
        database = _opened[file] = Database(path, codecs)
    return database


def check_settings(info: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise a ``ValueError`` if a database was prepared with other settings than ``wanted``."""
    for key, value in wanted.items():
        if info.get(key) != value:
            raise ValueError(f'it was prepared with {key} {info.get(key)}, not {value}')


def read_info(record: Any, path: str) -> dict[str, Any]:
    """Decode what a database says of itself; ``records`` is None while it is being written.

    Raises:
        ValueError: If it is missing or of another version.
    """
    if record is None:
        raise ValueError(f'{path}: was not made by {_PREPARE}: it does not tell its codec')
    try:
        info = json.loads(bytes(record))
        version, _ = info['format'], (info['codec'], info['records'])
    except (ValueError, TypeError, KeyError):
        raise ValueError(f'{path}: what it says of itself is corrupt; delete it and run {_PREPARE} again') from None
    if version != FORMAT:
        raise ValueError(f'{path}: is of format {version!r}, not {FORMAT}; run {_PREPARE} again')
    return info
