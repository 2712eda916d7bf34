"""Fills an LMDB database so that a kill at any moment leaves one that says it is unfinished and can be gone on with."""

from __future__ import annotations

import json
import mmap
import shutil
from pathlib import Path
from typing import Any

import lmdb

from s3net_plugin.data.lmdb.reader import FORMAT, INFO_KEY, check_settings, read_info
from s3net_plugin.data.lmdb.records import PNG_COMPRESSION, record_shape

_BATCH_BYTES = 64 * 2**20


class LmdbWriter:
    """Writes records in batches, each of which is stored whole or not at all. Use it in a ``with`` statement.

    If that ends in an exception before the first batch is stored, the folder is removed.

    What is in the folder ``path`` already is kept. ``expected_bytes`` is about the size of all records; the map grows
    when it is full. ``settings`` are what the records depend on, with ``codec``, as plain JSON values.

    Raises:
        ValueError: If the folder holds a database with other settings.
        OSError: If the database cannot be written.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from s3net_plugin.data.lmdb.reader import open_database
        >>> from s3net_plugin.data.lmdb.records import pack_array
        >>> with tempfile.TemporaryDirectory() as root:
        ...     with LmdbWriter(Path(root, 'rgb.lmdb'), expected_bytes=0, settings={'codec': 'raw'}) as writer:
        ...         writer.put(b'Image001_2500_N', pack_array(np.zeros((8, 8, 3), np.uint8)))
        ...         writer.finish()
        ...     open_database(f'{root}/rgb.lmdb', ['raw']).info['records']
        1
    """

    def __init__(self, path: Path, *, expected_bytes: int, settings: dict[str, Any]) -> None:
        self.path = path
        self._settings = {'format': FORMAT, **settings}
        self._batch: dict[bytes, bytes] = {}
        self._batch_bytes = 0
        path.mkdir(exist_ok=True)
        try:
            self._env = lmdb.open(str(path), map_size=_whole_pages(expected_bytes))
        except lmdb.Error as error:
            raise OSError(f'{path}: LMDB cannot open it for writing: {error}') from None
        with self._env.begin() as transaction:
            record = transaction.get(INFO_KEY)
        try:
            if record is None:
                self._write_info(None)
            else:
                check_settings(read_info(record, str(path)), settings)
        except ValueError as error:
            self._env.close()
            raise ValueError(f'{path}: {error}; go on with the same settings, or delete {path.parent}') from None

    def __enter__(self) -> LmdbWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        nothing_stored = self._env.stat()['entries'] <= 1  # INFO_KEY
        self._env.close()
        if kind is not None and nothing_stored:
            shutil.rmtree(self.path)

    def keys(self) -> set[bytes]:
        """Return the keys of what is stored."""
        with self._env.begin() as transaction, transaction.cursor() as cursor:
            return {key for key in cursor.iternext(values=False) if key != INFO_KEY}

    def put(self, key: bytes, record: bytes) -> None:
        """Add a record; it is stored with its batch."""
        self._batch[key] = record
        self._batch_bytes += len(record)
        if self._batch_bytes >= _BATCH_BYTES:
            self._store()

    def finish(self) -> None:
        """Store the rest, write BasicSR's ``meta_info.txt`` and declare the database complete."""
        self._store()
        level = PNG_COMPRESSION if self._settings['codec'] == 'png' else 0
        count = 0
        with (
            (self.path / 'meta_info.txt').open('w', encoding='ascii') as file,
            self._env.begin(buffers=True) as transaction,
            transaction.cursor() as cursor,
        ):
            for key, record in cursor:
                if key != INFO_KEY:
                    height, width, channels = record_shape(record)
                    file.write(f'{bytes(key).decode()}.png ({height},{width},{channels}) {level}\n')
                    count += 1
        self._write_info(count)

    def _write_info(self, records: int | None) -> None:
        self._batch[INFO_KEY] = json.dumps({**self._settings, 'records': records}).encode()
        self._store()

    def _store(self) -> None:
        while True:
            try:
                with self._env.begin(write=True) as transaction:
                    for key, record in self._batch.items():
                        transaction.put(key, record)
                break
            except lmdb.MapFullError:
                size = self._env.info()['map_size']
                self._env.set_mapsize(_whole_pages(size + size // 2 + 2 * self._batch_bytes))
            except lmdb.Error as error:
                raise OSError(f'{self.path}: LMDB cannot write: {error}') from None
        self._batch.clear()
        self._batch_bytes = 0


def _whole_pages(size: int) -> int:
    """Round up to pages of the system, and to a megabyte at least."""
    return -(-max(size, 2**20) // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
