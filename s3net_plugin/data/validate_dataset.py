"""Finds everything that is wrong with a data set, in files or in databases, before a training run does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from s3net_plugin.data.decode import DepthValueError, count_wrap_arounds
from s3net_plugin.data.lmdb.folders import CODECS, database_folders, holds_databases
from s3net_plugin.data.lmdb.reader import LmdbReader, open_database
from s3net_plugin.data.readers import DiskReader, Reader
from s3net_plugin.data.scene_index import (
    DEPTH_BESIDE_SUFFIXES,
    DEPTH_SUFFIXES,
    detect_layout,
    find_suffix,
    other_images,
    other_scene_images,
    paired_images,
    scan_scenes,
)
from s3net_plugin.utils.parallel import in_order

KINDS = {
    'missing_light': 'a light that other scenes have',
    'missing_depth': 'an image without a depth map',
    'unpaired_name': 'a file whose counterpart is missing',
    'other_format': 'an image that is no PNG',
    'undecodable': 'a file or record that cannot be decoded',
    'bad_depth': 'NaN, infinite or not normalised depth',
    'flat_depth': 'a depth map without depth: one value throughout',
    'size_differs': 'a size unlike that of the others',
    'depth_wrap_around': 'depth that seems to have overflowed and to begin at 0 again',
    'database': 'a database that cannot be used',
}


class Problem(NamedTuple):
    """One thing that is wrong."""

    kind: str  # one of KINDS
    name: str  # relative to the data root
    detail: str


class DatasetReport(NamedTuple):
    """What was looked at, and all that is wrong with it."""

    dataroot: str
    backend: str
    layout: str
    images: int
    depth_maps: int
    problems: list[Problem]

    def counts(self) -> dict[str, int]:
        """Return how many problems there are of each kind that occurs."""
        return dict(Counter(problem.kind for problem in self.problems))

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        problems = [problem._asdict() for problem in self.problems]
        return {**self._asdict(), 'counts': self.counts(), 'problems': problems}


class _Listing(NamedTuple):
    """What a set consists of, and what it lacks."""

    images: list[str]
    depths: list[str]
    problems: list[Problem]

    def add(self, kind: str, name: str, detail: str) -> None:
        self.problems.append(Problem(kind, name, detail))

    def add_depth(self, folder: str, stem: str, names: Set[str], suffixes: Sequence[str], detail: str) -> None:
        suffix = find_suffix(stem, names, suffixes)
        if suffix is None:
            self.add('missing_depth', f'{folder}{stem}.npy', detail)
        else:
            self.depths.append(folder + stem + suffix)


def validate_dataset(
    dataroot: Path,
    *,
    layout: str = 'auto',
    target_images: Path | None = None,
    workers: int = 1,
    show_progress: bool = True,
) -> DatasetReport:
    """Look at every image and depth map of a data root, whether it holds files or databases.

    Args:
        dataroot: As in the options of ``RGBDRelightPairedDataset``.
        layout: Of ``LAYOUTS``, or ``auto`` to tell by the files.
        target_images: Where the targets are, if not in ``target``.
        workers: Number of threads.

    Raises:
        ValueError: If ``dataroot`` is no folder, or not one of this layout.

    Example:
        >>> import cv2
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for folder in ('input', 'depth'):
        ...         Path(root, folder).mkdir()
        ...         _ = cv2.imwrite(f'{root}/{folder}/Image001.png', np.zeros((32, 32), np.uint8))
        ...     validate_dataset(Path(root), show_progress=False).problems
        [Problem(kind='flat_depth', name='depth/Image001.png', detail='is 0 throughout')]
    """
    folders = database_folders(dataroot)
    if not folders[0].is_dir():
        raise ValueError(f'{dataroot}: no such folder')
    prepared = holds_databases(folders[0])
    if prepared and target_images is not None:
        raise ValueError(f'{dataroot}: is a prepared set, which holds its targets; leave out {target_images}')
    reader: Reader
    if prepared:
        reader, backend, broken = LmdbReader(str(dataroot), verify=True), 'lmdb', _check_databases(folders)
        if any(problem.kind == 'database' for problem in broken):
            return DatasetReport(str(dataroot), backend, layout, 0, 0, broken)
    else:
        reader, backend, broken = DiskReader(str(dataroot), target=target_images), 'disk', []
    try:
        layout = detect_layout(reader) if layout == 'auto' else layout
    except ValueError as error:
        raise ValueError(f'{dataroot}: {error}') from None
    listing = _list_scenes(reader) if layout == 'scenes' else _list_pairs(reader, layout)
    if not listing.images and not listing.problems:
        raise ValueError(f'{dataroot}: it holds no image of layout {layout}')
    problems = [*broken, *listing.problems, *_check_pixels(reader, listing, workers, show_progress)]
    return DatasetReport(str(dataroot), backend, layout, len(listing.images), len(listing.depths), problems)


def _check_databases(folders: list[Path]) -> list[Problem]:
    problems = []
    for folder, kind in product(folders, CODECS):
        name = kind if len(folders) == 1 else f'{folder.name}/{kind}'
        try:
            database = open_database(str(folder / kind), CODECS[kind])
            described = Path(database.path, 'meta_info.txt').read_text(encoding='ascii').splitlines()
        except (ValueError, OSError) as error:
            problems.append(Problem('database', name, str(error)))
            continue
        keys = {key.decode() for key in database.iter_keys()}
        for key in sorted(keys ^ {line.split('.')[0] for line in described}):
            detail = 'is not in meta_info.txt' if key in keys else 'is in meta_info.txt, but not in the database'
            problems.append(Problem('unpaired_name', f'{name}/{key}', detail))
    return problems


def _list_scenes(reader: Reader) -> _Listing:
    lights, others = scan_scenes(reader.list(''))
    everywhere = set().union(*lights.values())
    listing = _Listing([f'{s}_{light}.png' for s in sorted(lights) for light in sorted(lights[s])], [], [])
    for name in other_scene_images(others, lights):
        listing.add('other_format', name, 'is no PNG; convert it')
    for scene in sorted(lights):
        for light in sorted(everywhere - lights[scene]):
            listing.add('missing_light', f'{scene}_{light}.png', 'is missing')
        listing.add_depth('', scene, others, DEPTH_SUFFIXES, 'no depth map of this scene')
    for name in sorted(others):
        if name.endswith(DEPTH_SUFFIXES) and name.rpartition('.')[0] not in lights:
            listing.add('unpaired_name', name, 'belongs to no scene')
    return listing


def _list_pairs(reader: Reader, layout: str) -> _Listing:
    beside = layout == 'pairs'
    files = {folder: set(reader.list(folder)) for folder in ('input', 'guide', 'depth', 'target')}
    folders = ['input', *(['guide'] if beside else []), *(['target'] if files['target'] else [])]
    stems = {folder: paired_images(files[folder]) for folder in folders}
    listing = _Listing([f'{folder}/{stem}.png' for folder in folders for stem in sorted(stems[folder])], [], [])
    for folder in folders:
        for name in other_images(files[folder], stems[folder]):
            listing.add('other_format', f'{folder}/{name}', 'is no PNG; convert it')
    for stem in sorted(set().union(*stems.values())):
        for folder in folders:
            if stem not in stems[folder]:
                listing.add('unpaired_name', f'{folder}/{stem}.png', 'is missing')
    suffixes = DEPTH_BESIDE_SUFFIXES if beside else DEPTH_SUFFIXES
    for folder in ('input', 'guide') if beside else ('input',):
        depth_folder = folder if beside else 'depth'
        for stem in sorted(stems[folder]):
            listing.add_depth(f'{depth_folder}/', stem, files[depth_folder], suffixes, 'no depth map')
        for name in sorted(files[depth_folder]):
            ending = next((suffix for suffix in suffixes if name.endswith(suffix)), None)
            if ending is not None and name.removesuffix(ending) not in stems[folder]:
                listing.add('unpaired_name', f'{depth_folder}/{name}', 'belongs to no image')
    return listing


def _check_pixels(reader: Reader, listing: _Listing, workers: int, show_progress: bool) -> Iterator[Problem]:
    depths = set(listing.depths)

    def look_at(name: str) -> tuple[str | None, list[Problem]]:
        try:
            if name not in depths:
                return _size(reader.image(name)), []
            depth = reader.depth(name)
            if not np.isfinite(depth).all():
                raise DepthValueError(f'{reader.path(name)}: depth has NaN or infinite values')
            if depth.min() == depth.max():
                return _size(depth), [Problem('flat_depth', name, f'is {depth.flat[0]:g} throughout')]
            suspects = count_wrap_arounds(depth)
            detail = f'{suspects} areas near 0 in the middle of areas near 1'
            return _size(depth), [Problem('depth_wrap_around', name, detail)] if suspects else []
        except (ValueError, OSError) as error:
            kind = 'bad_depth' if isinstance(error, DepthValueError) else 'undecodable'
            return None, [Problem(kind, name, str(error).removeprefix(f'{reader.path(name)}: '))]

    sizes: dict[str, str] = {}
    names = [*listing.images, *listing.depths]
    with ThreadPoolExecutor(workers) as pool:  # OpenCV decodes without Python's lock
        looked_at = in_order(pool, look_at, names, ahead=2 * workers)
        bar = tqdm(looked_at, total=len(names), unit='file', disable=not show_progress)
        for name, (size, problems) in zip(names, bar, strict=True):
            yield from problems
            if size is not None:
                sizes[name] = size
    usual = Counter(sizes[name] for name in listing.images if name in sizes).most_common(1)
    for name, size in sizes.items():
        if usual and size != usual[0][0]:
            yield Problem('size_differs', name, f'has {size} pixels, most images have {usual[0][0]}')


def _size(pixels: np.ndarray) -> str:
    return f'{pixels.shape[1]} x {pixels.shape[0]}'
