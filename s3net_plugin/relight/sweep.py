"""One photo under many guides: a contact sheet and an animation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from s3net_plugin.relight.jobs import depth_map, files_in, one_line, report
from s3net_plugin.relight.lights import Light, guide_under
from s3net_plugin.relight.overlap import overlapped
from s3net_plugin.relight.relighter import InputReader, NetworkInput, Relighter, downscale, resize_center_crop, to_bytes
from s3net_plugin.rendering.light import DIRECTIONS
from s3net_plugin.report.pictures import GAP, labelled_row, stack
from s3net_plugin.utils.files import atomic_write

COLUMNS = 4  # at most
SHEET_TILE = 320  # pixels on the longer side
FRAME = 640
FRAME_SECONDS = 0.8


Guides = Sequence[tuple[str, Callable[[], NetworkInput]]]  # their names, and what reads each


class Relit(NamedTuple):
    """A guide as the network saw it and what it made of the photo, both (h, w, 3), uint8 RGB."""

    name: str
    guide: np.ndarray
    result: np.ndarray


def guides_in(folder: Path, depth: Path | None, reader: InputReader) -> Guides:
    """The photos in ``folder``, with ``depth``: a folder of maps that are named alike, or one map for all of them."""

    def read(path: Path) -> NetworkInput:
        return reader.guide(path, depth and depth_map(depth, path))

    return [(path.stem, partial(read, path)) for path in files_in(folder) if path != depth]


def guides_around(seen: NetworkInput, temperature: float) -> Guides:
    """The guides in the package whose suns stand around ``seen``, of one ``temperature`` in kelvin."""
    return [(direction, partial(guide_under, Light(direction, temperature), seen)) for direction in DIRECTIONS]


@logging_redirect_tqdm()
def relight_under(seen: NetworkInput, guides: Guides, relighter: Relighter) -> list[Relit]:
    """Relight ``seen`` under each of ``guides``, by name; one that cannot be read is reported and left out."""
    relit = []
    done = overlapped(
        guides,
        read=lambda guide: resize_center_crop(guide[1](), *seen.depth.shape),
        compute=lambda guide: relighter.relight_small(seen, guide),
        write=lambda named, guide, result: Relit(named[0], to_bytes(guide.rgb), to_bytes(result)),
    )
    for (name, _), made in tqdm(done, desc='relighting', unit='guide', total=len(guides)):
        if error := made.exception():  # whatever it is, the other guides can be used
            report(one_line(error, Path(name)))
        else:
            relit.append(made.result())
    return relit


def contact_sheet(photo: np.ndarray, relit: Sequence[Relit]) -> np.ndarray:
    """Return the photo, then rows of guides, each above what it made of the photo; uint8 RGB."""
    columns = math.ceil(len(relit) / math.ceil(len(relit) / COLUMNS))  # rows as equal as can be
    rows = [labelled_row({'input': _fit(photo, SHEET_TILE)})]
    for start in range(0, len(relit), columns):
        some = relit[start : start + columns]
        rows.append(labelled_row({f'guide {one.name}': _fit(one.guide, SHEET_TILE) for one in some}))
        rows.append(labelled_row({f'under {one.name}': _fit(one.result, SHEET_TILE) for one in some}))
    return stack([np.pad(row, ((0, GAP), (0, 0), (0, 0)), constant_values=255) for row in rows])


def frames(photo: np.ndarray, relit: Sequence[Relit]) -> list[np.ndarray]:
    """Return the photo and every result under its label, all of one even size; uint8 RGB."""
    pictures = [('input', photo), *((f'under {one.name}', one.result) for one in relit)]
    labelled = [labelled_row({label: _fit(picture, FRAME)}) for label, picture in pictures]
    # video codecs halve the resolution of colour
    return [frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2] for frame in labelled]


def _fit(picture: np.ndarray, longer: int) -> np.ndarray:
    return to_bytes(downscale(picture, longer=longer))


def write_animation(path: Path, pictures: Sequence[np.ndarray]) -> None:
    """Write uint8 RGB pictures of one size as a GIF or, if ``path`` ends so, an MP4 (MPEG-4 part 2).

    Raises:
        OSError: It cannot be written.
    """
    with atomic_write(path) as aside:
        if path.suffix == '.gif':
            first, *others = (Image.fromarray(picture) for picture in pictures)
            first.save(aside, save_all=True, append_images=others, duration=round(FRAME_SECONDS * 1000), loop=0)
            return
        height, width = pictures[0].shape[:2]
        writer = cv2.VideoWriter(str(aside), cv2.VideoWriter.fourcc(*'mp4v'), 1 / FRAME_SECONDS, (width, height))
        try:
            if not writer.isOpened():
                raise OSError(f'{path}: OpenCV {cv2.__version__} cannot write MP4 here; choose --animation gif')
            for picture in pictures:
                writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        finally:
            writer.release()
