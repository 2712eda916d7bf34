"""Turns a folder of VIDIT into LMDB databases that a dataset reads in its stead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from s3net_plugin.data.decode import resize
from s3net_plugin.data.lmdb.folders import CODECS, DEPTH, RGB, holds_databases, part_folder, part_of
from s3net_plugin.data.lmdb.reader import check_settings, open_database
from s3net_plugin.data.lmdb.records import encode_depth, encode_image, encode_key
from s3net_plugin.data.lmdb.writer import LmdbWriter
from s3net_plugin.data.options import where_from
from s3net_plugin.data.readers import DiskReader
from s3net_plugin.data.scene_index import StoredFile, detect_layout, index_everything
from s3net_plugin.utils.parallel import in_order


class Prepared(NamedTuple):
    """What a prepared set holds."""

    target: Path
    layout: str
    images: int
    depth_maps: int
    num_bytes: int


def prepare(
    source: Path,
    target: Path,
    *,
    layout: str = 'auto',
    target_images: Path | None = None,
    size: int | None = None,
    codec: str = 'png',
    depth: str = 'float32',
    workers: int = 1,
    shard: tuple[int, int] | None = None,
    show_progress: bool = True,
) -> Prepared:
    """Write ``rgb.lmdb`` and ``depth.lmdb`` of a set of VIDIT into the folder ``target``.

    They are built in a hidden folder beside ``target``, which is renamed when both are complete. A run that was stopped
    is gone on with: what is stored already is not made again. A complete ``target`` is left alone.

    Args:
        source: The set's folder, in any layout of ``RGBDRelightPairedDataset``.
        target: The folder to make; the dataset's ``dataroot``.
        layout: Of ``LAYOUTS``, or ``auto`` to tell by the files.
        target_images: Where the targets of ``pairs`` or ``one_to_one`` are, if not in the source's ``target``.
        size: Bring every image and depth map to this square, as the dataset's ``resize`` does.
        codec: One of ``IMAGE_CODECS``. ``png``: about the size of the source. ``raw``: H * W * 3 bytes an image, of
            which a random crop reads its rows only.
        depth: One of ``DEPTH_CODECS``: exact, or half the size.
        shard: (i, n): write part i of n alone, into ``target.i-of-n``. The parts, which may be written at once and on
            several machines, are read as ``target``.

    Raises:
        ValueError: If the source is incomplete or corrupt, or ``target`` holds something else. One line.
        OSError: If a file cannot be read or written.

    Example:
        >>> import cv2
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for folder in ('input', 'depth'):
        ...         Path(root, 'set', folder).mkdir(parents=True)
        ...         _ = cv2.imwrite(f'{root}/set/{folder}/Image001.png', np.zeros((32, 32), np.uint8))
        ...     prepare(Path(root, 'set'), Path(root, 'lmdb'), codec='raw', show_progress=False)[1:4]
        ('one_to_one', 1, 1)
    """
    source, target = source.expanduser().absolute(), target.expanduser().absolute()
    _check_folders(source, target, target_images)
    if shard is not None:
        if holds_databases(target):
            raise ValueError(f'{target}: is a prepared set, read in place of any parts of it; choose another --target')
        target = part_folder(target, *shard)
    is_new = not target.exists() or (target.is_dir() and not any(target.iterdir()))
    if not is_new and not holds_databases(target):
        raise ValueError(
            f'{target}: is there already and is no database that prepare_vidit.py made; choose another --target'
        )
    reader = DiskReader(str(source), target=target_images)
    try:
        layout = detect_layout(reader) if layout == 'auto' else layout
        files = index_everything(reader, layout).stored()
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from None

    def encode(file: StoredFile) -> bytes:
        if file.is_depth:
            plane = reader.depth(file.name)
            plane = plane if size is None else np.clip(resize(plane, size, size), 0, 1)
            return encode_depth(plane, depth)
        image = reader.image(file.name)
        return encode_image(image if size is None else resize(image, size, size), codec)

    settings: dict[str, Any] = {'layout': layout, 'size': size, 'source': str(source)}
    keyed = [(encode_key(file.stem), file) for file in files]
    if shard is not None:
        settings['shard'] = f'{shard[0]}/{shard[1]}'
        keyed = [(key, file) for key, file in keyed if part_of(key, shard[1]) == shard[0]]
    images = {key: file for key, file in keyed if not file.is_depth}
    depth_maps = {key: file for key, file in keyed if file.is_depth}
    parts = [(RGB, images, {'codec': codec, **settings}), (DEPTH, depth_maps, {'codec': depth, **settings})]
    if is_new:
        with _folder_beside(target) as aside:
            for name, keys, described in parts:
                expected = sum(Path(reader.path(file.name)).stat().st_size for file in keys.values())
                with (
                    LmdbWriter(aside / name, expected_bytes=expected, settings=described) as writer,
                    ThreadPoolExecutor(workers) as pool,  # OpenCV works without Python's lock
                ):
                    stored = writer.keys()
                    if not stored <= keys.keys():
                        raise ValueError(f'{target}: was begun with files that the source lacks now; delete {aside}')
                    left = [key for key in keys if key not in stored]
                    encoded = in_order(pool, encode, (keys[key] for key in left), ahead=2 * workers)
                    bar = tqdm(encoded, name, len(keys), initial=len(stored), unit='file', disable=not show_progress)
                    for key, record in zip(left, bar, strict=True):
                        writer.put(key, record)
                    writer.finish()
            if target.exists():
                target.rmdir()  # it is empty; Windows renames nothing to a name that is taken
            aside.rename(target)
    for name, keys, described in parts:
        try:
            database = open_database(str(target / name), CODECS[name])
            check_settings(database.info, described)
            if set(database.iter_keys()) != keys.keys():
                raise ValueError('it holds other files than the source')
        except ValueError as error:
            raise ValueError(f'{target}: is not what was asked for; choose another --target: {error}') from None
    num_bytes = sum((target / name / 'data.mdb').stat().st_size for name in (RGB, DEPTH))
    return Prepared(target, layout, len(images), len(depth_maps), num_bytes)


def _check_folders(source: Path, target: Path, target_images: Path | None) -> None:
    if not source.is_dir():
        raise ValueError(f'{source}: no such folder; {where_from("scenes")}')
    if target_images is not None:
        if not target_images.expanduser().is_dir():
            raise ValueError(f'{target_images}: no such folder; it is where the target images should be')
        if (source / 'target').exists():
            raise ValueError(f'{source}: has a folder target/ itself; leave out {target_images}')
    if target == source or source in target.parents:
        raise ValueError(f'{target}: is inside the source; choose a folder outside of it')


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """Make or reopen the hidden folder in which ``target`` is built, for one run at a time."""
    aside = target.with_name(f'.{target.name}.partial')
    aside.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f'{aside}.lock')
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f'{target}: another run is preparing it; wait for it to end') from None
    with held:
        try:
            yield aside
        finally:
            with suppress(OSError):  # it holds something to go on with, or has been renamed
                aside.rmdir()
            with suppress(OSError):  # Windows lets nobody remove a file that is open
                Path(lock.lock_file).unlink()
