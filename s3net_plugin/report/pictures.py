"""Pictures of results: a labelled panel for each image, and the contact sheet of the best, median and worst ones."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from s3net_plugin.utils.files import atomic_write

GAP = 4
MIN_TILE = 160
TILE = 256
MAX_WIDTH = 1920
MARGIN = 8


def error_map(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the absolute error of (H, W, 3) uint8, averaged over the channels, in colours: black is 0, white is 64 of
    255 or more."""
    error = cv2.absdiff(output, target).mean(axis=2)
    return cv2.applyColorMap(np.clip(error * 4, 0, 255).astype(np.uint8), cv2.COLORMAP_INFERNO)


def labelled_row(tiles: Mapping[str, np.ndarray]) -> np.ndarray:
    """Set (H, W, 3) uint8 BGR images side by side, each under its label, as one image of the same kind; all take the
    height of the first, and small ones are enlarged."""
    height = max(next(iter(tiles.values())).shape[0], MIN_TILE)
    bar = max(20, height // 14)
    font = ImageFont.load_default(size=bar * 0.7)
    columns = []
    for label, tile in tiles.items():
        width = round(tile.shape[1] * height / tile.shape[0])
        interpolation = cv2.INTER_AREA if height < tile.shape[0] else cv2.INTER_CUBIC
        picture = tile if tile.shape[0] == height else cv2.resize(tile, (width, height), interpolation=interpolation)
        head = Image.new('RGB', (picture.shape[1], bar), 'white')
        ImageDraw.Draw(head).text((4, bar // 2), label, fill='black', font=font, anchor='lm')
        columns += [np.vstack([np.asarray(head), picture]), np.full((height + bar, GAP, 3), 255, np.uint8)]
    return np.hstack(columns[:-1])


def relight_panel(views: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the panel of one result: (H, W, 3) uint8 BGR images under any of ``input``, ``guide``, ``output``,
    ``target``, and the error where there is a target."""
    tiles = {name: views[name] for name in ('input', 'guide', 'output', 'target') if name in views}
    if 'output' in views and 'target' in views:
        tiles['error (white: 64/255)'] = error_map(views['output'], views['target'])
    return labelled_row(tiles)


def downscale(panel: np.ndarray, tile_height: int) -> np.ndarray:
    """Scale a panel (H, W, 3) of uint8 down, by area, until its images, ``tile_height`` high now, are ``TILE`` pixels
    high and it is ``MAX_WIDTH`` wide at most."""
    scale = min(1, TILE / tile_height, MAX_WIDTH / panel.shape[1])
    size = (max(1, round(panel.shape[1] * scale)), max(1, round(panel.shape[0] * scale)))
    return panel if scale == 1 else cv2.resize(panel, size, interpolation=cv2.INTER_AREA)


def section(title: str, panels: Iterable[tuple[str, np.ndarray]]) -> np.ndarray:
    """Stack (H, W, 3) uint8 panels, each under its caption, below a title; as wide as the widest, nothing is cut."""
    parts = [_text(title, 22)]
    for caption, panel in panels:
        parts += [_text(caption, 15), np.pad(panel, ((0, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=255)]
    return stack(parts)


def stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Stack (H, W, 3) uint8 pictures from the top, the narrower ones filled up with white on the right."""
    width = max(part.shape[1] for part in parts)
    return np.vstack([np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=255) for p in parts])


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 BGR picture as PNG to ``path``, whole or not at all; its folder is made.

    BasicSR's own function does not say which file it could not write, or why.

    Raises:
        OSError: It cannot be written; the message names it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as aside:
            aside.write_bytes(cv2.imencode('.png', picture)[1].tobytes())
    except OSError as error:
        hint = '; shorten the names of the data, or set save_img: false' if error.errno == errno.ENAMETOOLONG else ''
        raise OSError(f'{path}: cannot be written: {error.strerror}{hint}') from error


def _text(text: str, size: int) -> np.ndarray:
    font = ImageFont.load_default(size=size)
    canvas = Image.new('RGB', (round(font.getlength(text)) + 2 * MARGIN, round(size * 1.9)), 'white')
    ImageDraw.Draw(canvas).text((MARGIN, canvas.height // 2), text, fill='black', font=font, anchor='lm')
    return np.asarray(canvas)
