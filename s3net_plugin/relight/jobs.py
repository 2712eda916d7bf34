"""Relighting many photos: which under which guide, with which depth, into which file; a bad one is skipped."""

from __future__ import annotations

import glob
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from s3net_plugin.data.scene_index import DEPTH_SUFFIXES, SCENE_IMAGE
from s3net_plugin.relight.lights import Light, guide_under
from s3net_plugin.relight.overlap import overlapped
from s3net_plugin.relight.photo import OTHER_SUFFIXES, RAW_SUFFIXES, SUFFIXES, Photo
from s3net_plugin.relight.photo_writing import WRITTEN_SUFFIXES, check_suffix, write_photo
from s3net_plugin.relight.relighter import InputReader, NetworkInput, Relighter, in_full_size
from s3net_plugin.relight.tiff import DEVELOP

_FILE_SUFFIXES = (*SUFFIXES, *DEPTH_SUFFIXES, *OTHER_SUFFIXES, '.mp4', '.pfm')


@dataclass(frozen=True)
class Job:
    """Relight ``photo`` into ``output``; without ``guide`` to the one light of the network, without depth estimated."""

    photo: Path
    output: Path
    guide: Path | None = None
    photo_depth: Path | None = None
    guide_depth: Path | None = None

    def check_output(self, *, force: bool) -> None:
        """Raise ValueError if the output would overwrite one of the inputs, or without ``force`` anything."""
        sources = (self.photo, self.guide, self.photo_depth, self.guide_depth)
        if self.output.resolve() in [source.resolve() for source in sources if source is not None]:
            raise ValueError(f'{self.output}: would overwrite what it is made from; choose another --output')
        if self.output.exists() and not force:
            raise ValueError(f'{self.output}: already there; pass --force to overwrite it')


def files_in(place: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """Return ``place`` if it is a file, otherwise the files right inside it that end so, sorted.

    Raises:
        FileNotFoundError: There is no such file or folder, or none of these files in it.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise FileNotFoundError(f'{place}: no such file or folder')
    found = _ending(place, suffixes)
    if not found:
        raise FileNotFoundError(f'{place}: nothing in it that ends in {", ".join(suffixes)}')
    return found


def left_out(place: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[str]:
    """Return one line for each picture in the folder ``place`` that ``files_in`` does not take."""
    others = tuple(suffix for suffix in (*SUFFIXES, *OTHER_SUFFIXES) if suffix not in suffixes)
    found = _ending(place, others) if place.is_dir() else []
    take = f'is not taken here; save it as one of {", ".join(suffixes)}'
    return [f'{path}: {DEVELOP if path.suffix.lower() in RAW_SUFFIXES else take}' for path in found]


def _ending(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    # hidden files are leftovers such as macOS's ._photo.jpg
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith('.')]
    return sorted(path for path in files if path.suffix.lower() in suffixes)


def without_clashes(sources: Sequence[Path], outputs: Sequence[Path]) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Return sources with their outputs, and one line for those that would become one file, all of which it names."""
    sources_of: dict[Path, list[Path]] = {}
    for source, output in zip(sources, outputs, strict=True):
        sources_of.setdefault(output, []).append(source)
    problems = [
        f'{" and ".join(map(str, some))}: would all become {output}; rename or remove all but one'
        for output, some in sources_of.items()
        if len(some) > 1
    ]
    return [(some[0], output) for output, some in sources_of.items() if len(some) == 1], problems


def check_folder(output: Path, advice: str) -> None:
    """Raise ValueError with ``advice`` if ``output``, a folder to write, is a file or named like one."""
    if output.is_file() or (output.suffix.lower() in _FILE_SUFFIXES and not output.is_dir()):
        raise ValueError(f'{output}: is a file or named like one; {advice}')


def companion(place: Path, photo: Path) -> Path:
    """Return ``place`` if it is no folder, otherwise the photo in it that is named like ``photo`` but for the suffix.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are several.
    """
    return _only(_named(photo.stem, place, SUFFIXES), place, photo, SUFFIXES) if place.is_dir() else place


def depth_map(place: Path, photo: Path) -> Path:
    """Return ``place`` if it is no folder, otherwise the depth map in it that is named like ``photo``.

    ``photo`` itself is none. In VIDIT, ``Image001_2500_W.png`` has the depth of its scene, ``Image001``.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are several, or ``place`` is ``photo``.
    """
    if not place.is_dir():
        if place.resolve() == photo.resolve():
            raise ValueError(f'{photo}: is the photo itself; its depth map is another file')
        return place
    found = [path for path in _named(photo.stem, place, DEPTH_SUFFIXES) if path.resolve() != photo.resolve()]
    scene = SCENE_IMAGE.fullmatch(f'{photo.stem}.png')
    if not found and scene:
        found = _named(scene[1], place, DEPTH_SUFFIXES)
    return _only(found, place, photo, DEPTH_SUFFIXES)


def _named(stem: str, folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.glob(f'{glob.escape(stem)}.*') if path.suffix.lower() in suffixes)


def _only(found: list[Path], place: Path, photo: Path, suffixes: tuple[str, ...]) -> Path:
    if not found:
        raise FileNotFoundError(f'{place}: no {photo.stem} ({", ".join(suffixes)}) in it for {photo}')
    if len(found) > 1:
        raise ValueError(f'{photo}: which of {", ".join(map(str, found))} goes with it? Keep one')
    return found[0]


def plan_jobs(
    photo: Path, output: Path, *, guide: Path | None, photo_depth: Path | None, guide_depth: Path | None
) -> tuple[list[Job], list[str]]:
    """Pair photos, guides and depth maps; each of the four is a file or a folder, in which names decide.

    A folder of photos needs a folder as ``output``, which gets the same names, with .png for a format that is read but
    not written. One guide serves all; a folder of guides holds one for every photo.

    Returns:
        The jobs, and one line for every photo that lacks something or is not taken.

    Raises:
        FileNotFoundError: There is nothing to do.
        ValueError: ``output`` or ``guide`` does not go with ``photo``.
    """
    photos = files_in(photo)
    if photo.is_dir():
        check_folder(output, 'a folder of photos needs a folder as --output')
    elif guide is not None and guide.is_dir():
        raise ValueError(f'{guide}: one photo takes one guide; for one photo under many guides use --sweep')
    if photo.is_dir() or output.is_dir() or not output.suffix:
        written = [p if p.suffix.lower() in WRITTEN_SUFFIXES else p.with_suffix('.png') for p in photos]
        outputs = [output / p.name for p in written]
    else:
        check_suffix(output)
        outputs = [output]
    jobs: list[Job] = []
    pairs, problems = without_clashes(photos, outputs)
    problems += left_out(photo)
    for path, result in pairs:
        try:
            its_guide = guide and companion(guide, path)
            depth = photo_depth and depth_map(photo_depth, path)
            its_guide_depth = guide_depth and depth_map(guide_depth, its_guide or path)
        except (OSError, ValueError) as error:
            problems.append(str(error))
        else:
            jobs.append(Job(path, result, its_guide, depth, its_guide_depth))
    return jobs, problems


def report(message: str) -> None:
    """Print one line about something that was skipped, above a progress bar if there is one."""
    tqdm.write(f'skipped: {message}', file=sys.stderr)


def one_line(error: BaseException, path: Path) -> str:
    """Return what went wrong with ``path``: our own errors name the file themselves, others get it and their kind."""
    text = ' '.join(str(error).split())
    return text if isinstance(error, (OSError, ValueError)) and text else f'{path}: {type(error).__name__}: {text}'


@logging_redirect_tqdm()
def relight_all(
    jobs: Sequence[Job], relighter: Relighter, reader: InputReader, *, light: Light | None = None, force: bool
) -> int:
    """Do all ``jobs`` that can be done, those without a guide under ``light``; return how many could not."""

    def read(job: Job) -> tuple[Photo, NetworkInput, NetworkInput | None]:
        job.check_output(force=force)
        photo, seen = reader.input(job.photo, job.photo_depth, output=job.output)
        if light:
            return photo, seen, guide_under(light, seen, relighter.cues)
        return photo, seen, reader.guide(job.guide, job.guide_depth) if job.guide else None

    def write(job: Job, content: tuple[Photo, NetworkInput, NetworkInput | None], relit: np.ndarray) -> None:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        write_photo(job.output, in_full_size(*content[:2], relit))

    failed = 0
    done = overlapped(jobs, read, lambda content: relighter.relight_small(*content[1:]), write)
    for job, written in tqdm(done, desc='relighting', unit='photo', total=len(jobs), disable=len(jobs) == 1):
        if error := written.exception():  # whatever it is, the other photos can be relit
            report(one_line(error, job.photo))
            failed += 1
    return failed
