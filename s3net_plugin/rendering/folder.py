"""A folder of rendered scenes in the layout of VIDIT's training set, safe against being killed at any moment.

Each scene is 40 images ``ImageNNN_{temperature}_{direction}.png`` (RGBA, 8 bit) and one ``ImageNNN.npy``, all in one
flat folder. Bookkeeping lives in its hidden subfolder ``.render``: the settings of the whole set, and a record for
each finished scene, written last. Every file appears under its name by an atomic rename, so that runs on several
machines can fill one folder without locks: their scenes differ, or their files are the same.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from filelock import FileLock, Timeout

from s3net_plugin.rendering.light import DIRECTIONS, TEMPERATURES
from s3net_plugin.rendering.scene import GENERATOR_VERSION

Light = tuple[int, str]  # colour temperature in kelvin and direction
LIGHTS: tuple[Light, ...] = tuple((temperature, direction) for temperature in TEMPERATURES for direction in DIRECTIONS)


class Settings(NamedTuple):
    """What the pixels of a set depend on, besides the number of the scene."""

    seed: int
    size: int
    spp: int
    generator: int = GENERATOR_VERSION
    style: str = 'classic'

    def noted(self) -> dict[str, Any]:
        """As a folder notes them; sets from before there were styles are classic ones, so this style goes unsaid."""
        return {name: value for name, value in self._asdict().items() if (name, value) != ('style', 'classic')}


def image_name(number: int, light: Light) -> str:
    """VIDIT's name of the image of a scene under a light."""
    return f'Image{number:03d}_{light[0]}_{light[1]}.png'


def depth_name(number: int) -> str:
    """VIDIT's name of the depth map of a scene."""
    return f'Image{number:03d}.npy'


def scene_files(number: int) -> list[str]:
    """The names of the 41 files of a scene."""
    return [image_name(number, light) for light in LIGHTS] + [depth_name(number)]


def write_png(path: Path, rgb: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 RGB image as the opaque RGBA file that VIDIT would hold."""
    if not cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA)):
        raise OSError(f'{path}: the image could not be written')


def write_depth(path: Path, distance: np.ndarray) -> None:
    """Write distances (H, W) as VIDIT's pickled dict: ``normalized_depth`` float32, 0 nearest and 1 farthest.

    ``ref_center_dis`` is the distance at the centre of the image, in the units of the scene.
    """
    low, high = float(distance.min()), float(distance.max())
    entry = {
        'normalized_depth': ((distance - low) / (high - low)).astype(np.float32),
        'ref_center_dis': float(distance[distance.shape[0] // 2, distance.shape[1] // 2]),
    }
    np.save(path, np.array(entry, dtype=object), allow_pickle=True)


def _write_json(path: Path, content: Any, aside: Path) -> None:
    aside.write_text(json.dumps(content, indent=1))
    aside.replace(path)


def _aside(books: Path, name: str) -> Path:
    """A path that no other run uses, on whatever machine."""
    return books / f'{name}.{uuid.uuid4().hex}.partial'


def _read_json(path: Path) -> Any:
    """The content of a file that ``_write_json`` wrote, or None if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        return None


class SceneFolder:
    """Writes scenes into ``root`` and knows which are complete. Get one from ``open_folder``."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        self.books = root / '.render'

    def is_complete(self, number: int) -> bool:
        """Whether all files of the scene are there as they were written, with these settings."""
        record = _read_json(self.books / f'{number:03d}.json')
        return record is not None and record == self._record(number)

    def write(self, number: int, images: Mapping[Light, np.ndarray], distance: np.ndarray) -> None:
        """Write a scene: uint8 RGB ``images`` (H, W, 3) of all LIGHTS and ``distance`` (H, W).

        Files are written aside and then moved to their names; the record comes last. Then what runs that were killed
        over this scene have left is removed.
        """
        _check_settings(self.root, self.settings)  # another run may have begun at the same moment
        stage = _aside(self.books, f'{number:03d}')
        stage.mkdir()
        try:
            for light in LIGHTS:
                write_png(stage / image_name(number, light), images[light])
            write_depth(stage / depth_name(number), distance)
            for name in scene_files(number):
                (stage / name).replace(self.root / name)
            _write_json(self.books / f'{number:03d}.json', self._record(number), stage / 'record')
        except OSError:
            if not self.is_complete(number):  # otherwise another run has finished the scene, and removed this stage
                raise
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        for left in self.books.glob(f'{number:03d}.*.partial'):
            shutil.rmtree(left, ignore_errors=True)

    def _record(self, number: int) -> dict[str, Any]:
        """Settings, and the size in bytes of each file (-1 if it is missing)."""
        paths = [self.root / name for name in scene_files(number)]
        sizes = {path.name: path.stat().st_size if path.is_file() else -1 for path in paths}
        return {'settings': self.settings.noted(), 'bytes': sizes}


def _check_settings(root: Path, settings: Settings) -> None:
    """Note the settings in a new folder; refuse one that holds a set with others."""
    path = root / '.render' / 'settings.json'
    found, wanted = _read_json(path), settings.noted()
    if found is None:
        _write_json(path, wanted, _aside(path.parent, 'settings'))
    elif found != wanted:
        raise ValueError(
            f'{root}: was rendered with {json.dumps(found)}, not with {json.dumps(wanted)};'
            ' ask for the former or choose another folder'
        )


@contextmanager
def open_folder(root: Path, settings: Settings, *, shared: bool = False) -> Iterator[SceneFolder]:
    """Create or reopen the folder ``root`` for one set.

    Unless it is ``shared``, a second writer is turned away. Nothing is locked where it is, since locks of files are not
    to be relied upon between machines: what two runs write there is whole all the same.

    Raises ValueError if ``root`` is in use, holds images from elsewhere or a set with other settings, and
    NotADirectoryError or FileExistsError if it is a file.
    """
    books = root / '.render'
    if any((*root.glob('Image*'), *root.glob('input'))) and _read_json(books / 'settings.json') is None:
        raise ValueError(f'{root}: holds images that were not rendered here; choose an empty folder')
    books.mkdir(parents=True, exist_ok=True)
    try:
        held = nullcontext() if shared else FileLock(books / 'lock').acquire(timeout=0)
    except Timeout:
        raise ValueError(f'{root}: another run is rendering into this folder; wait for it to end') from None
    with held:
        _check_settings(root, settings)
        yield SceneFolder(root, settings)
