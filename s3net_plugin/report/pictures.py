"""The contact sheet: the best, the median and the worst results of every data set, on one picture of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from s3net_plugin.utils.files import atomic_write

TILE = 256
MAX_WIDTH = 1920
MARGIN = 8


def shrink(panel: np.ndarray, tile_height: int) -> np.ndarray:
    """Scale a panel down, by area, until its images are ``TILE`` pixels high and it is ``MAX_WIDTH`` wide at most.

    Args:
        panel: (H, W, 3), uint8.
        tile_height: the height that its images have now.
    """
    scale = min(1, TILE / tile_height, MAX_WIDTH / panel.shape[1])
    size = (max(1, round(panel.shape[1] * scale)), max(1, round(panel.shape[0] * scale)))
    return panel if scale == 1 else cv2.resize(panel, size, interpolation=cv2.INTER_AREA)


def section(title: str, panels: Iterable[tuple[str, np.ndarray]]) -> np.ndarray:
    """Stack panels, each under its caption, below a title; as wide as the widest of all these, and nothing is cut.

    Args:
        title: of the section.
        panels: (caption, (H, W, 3) uint8).

    Returns:
        (H', W', 3), uint8.
    """
    parts = [_text(title, 22)]
    for caption, panel in panels:
        parts += [_text(caption, 15), np.pad(panel, ((0, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=255)]
    return stack(parts)


def stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Stack (H, W, 3) uint8 pictures from the top, the narrower ones filled up with white on the right."""
    width = max(part.shape[1] for part in parts)
    return np.vstack([np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=255) for p in parts])


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 BGR picture to ``path``, whole or not at all."""
    with atomic_write(path) as aside:
        Image.fromarray(np.ascontiguousarray(picture[..., ::-1])).save(aside)


def _text(text: str, size: int) -> np.ndarray:
    font = ImageFont.load_default(size=size)
    canvas = Image.new('RGB', (round(font.getlength(text)) + 2 * MARGIN, round(size * 1.9)), 'white')
    ImageDraw.Draw(canvas).text((MARGIN, canvas.height // 2), text, fill='black', font=font, anchor='lm')
    return np.asarray(canvas)
