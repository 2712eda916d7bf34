"""What the app does, without its pages."""

from __future__ import annotations

import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from s3net_plugin.relight.depth import read_depth, write_depth
from s3net_plugin.relight.jobs import depth_map, one_line, report
from s3net_plugin.relight.lights import Light, guide_under, recolour, stored_guide
from s3net_plugin.relight.photo import Photo, read_photo
from s3net_plugin.relight.photo_writing import WRITTEN_SUFFIXES, check_sides, write_photo
from s3net_plugin.relight.profiles import to_srgb
from s3net_plugin.relight.relighter import (
    Estimate,
    InputReader,
    NetworkInput,
    Relighter,
    downscale,
    flat_depth,
    to_bytes,
)

SAMPLE = Path(__file__).parents[1] / 'assets/sample'
PREVIEW = 1600  # pixels on the longer side
THUMBNAIL = 240


class Result(NamedTuple):
    """Before and after for the screen, (h, w, 3) uint8, and the file of full size."""

    before: np.ndarray
    after: np.ndarray
    path: Path


class RelightService:
    """Relights uploaded photos and knows a folder of guides.

    Args:
        relighter: The network.
        estimate: Depth of a photo; None if depth has to be uploaded, or done without.
        folder: Where results go.
        guides: Photos to offer as guides; one that cannot be read is reported and left out.
        guide_depth: Their depth, files named alike, if there is any.
        max_pixels: The largest photo that is taken.
    """

    def __init__(
        self,
        relighter: Relighter,
        estimate: Estimate | None,
        folder: Path,
        *,
        guides: list[Path],
        guide_depth: Path | None,
        max_pixels: int,
    ) -> None:
        self.needs_guide = relighter.needs_guide
        self.has_estimator = estimate is not None
        self._relighter = relighter
        self._readers = {
            colour_only: InputReader(relighter, depth, max_pixels=max_pixels)
            for colour_only, depth in ((False, estimate), (True, flat_depth))
        }
        # Photo and depth used last are kept: for the next light they are neither decoded nor estimated again.
        self._input = lru_cache(maxsize=1)(self._read_input)
        self._folder = folder
        self._max_pixels = max_pixels
        self.thumbnails: list[tuple[np.ndarray, str]] = []  # (h, w, 3) uint8, and a name
        self._guides: list[tuple[Path, Path | None]] = []
        for guide in tqdm(guides, desc='guides', unit='photo', disable=not guides):
            try:
                depth = guide_depth and depth_map(guide_depth, guide)
                thumbnail = _screen(read_photo(guide, max_pixels), THUMBNAIL)
            except Exception as error:  # whatever it is, the other guides can be offered
                report(one_line(error, guide))
            else:
                self.thumbnails.append((thumbnail, guide.stem))
                self._guides.append((guide, depth))

    def relight(
        self,
        photo: str | None,
        photo_depth: str | None,
        guide: str | None = None,
        guide_depth: str | None = None,
        *,
        light: Light | None = None,
        colour_only: bool = False,
    ) -> Result:
        """Relight the file ``photo`` under ``light`` or, where there is none, as the file ``guide`` is lit.

        With ``colour_only``, a photo without a depth map counts as flat.

        Raises:
            OSError, ValueError: Something is missing or cannot be used; the message is for the user.
        """
        if not photo:
            raise ValueError('Choose a photo first.')
        if self.needs_guide and not (guide or light):
            raise ValueError('Choose a guide first: the photo whose light to take.')
        suffix = Path(photo).suffix.lower()
        path = self._new_file(f'{Path(photo).stem}_relit{suffix if suffix in WRITTEN_SUFFIXES else ".png"}')
        original, seen = self._input(photo, photo_depth, colour_only)
        check_sides(path, original)
        lit = None
        if light:
            lit = guide_under(light, seen, self._relighter.cues)
        elif guide:
            lit = self._readers[colour_only].guide(Path(guide), Path(guide_depth) if guide_depth else None)
        relit = self._relighter.relight(original, seen, lit)
        write_photo(path, relit)
        return Result(_screen(original, PREVIEW), _screen(relit, PREVIEW), path)

    def _read_input(self, photo: str, photo_depth: str | None, colour_only: bool) -> tuple[Photo, NetworkInput]:
        return self._readers[colour_only].input(Path(photo), Path(photo_depth) if photo_depth else None)

    def offered_guide(self, index: int) -> tuple[np.ndarray, Path | None]:
        """Return the guide of thumbnail ``index`` as the network needs it, (h, w, 3) uint8, and a file of its depth."""
        guide, guide_depth = self._guides[index]
        photo = read_photo(guide, self._max_pixels)
        small = to_bytes(self._relighter.small_guide(photo))
        if guide_depth is None:
            return small, None
        path = self._new_file(f'{guide.stem}_depth.png')
        write_depth(path, read_depth(guide_depth, photo.pixels.shape[:2]))
        return small, path

    def sample(self) -> tuple[str, str]:
        """Return paths of copies of the photo in the package and of its depth."""
        photo = shutil.copy(SAMPLE / 'photo.jpg', self._new_file('sample.jpg'))
        depth = shutil.copy(SAMPLE / 'depth.png', self._new_file('sample_depth.png'))
        return str(photo), str(depth)

    @staticmethod
    def preview(direction: str, temperature: float) -> np.ndarray:
        """Return the scene in the package under a light, (h, w, 3) uint8."""
        return to_bytes(recolour(stored_guide(direction), temperature))

    def _new_file(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder), name)


def _screen(photo: Photo, longer: int) -> np.ndarray:
    """Return the photo as screens show it, in sRGB."""
    return to_srgb(to_bytes(downscale(photo.pixels, longer=longer)), photo.icc_profile)
