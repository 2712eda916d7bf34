"""Labelled pictures that show what a network did: input, guide, output, target and error side by side."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 4
MIN_TILE = 160


def error_map(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the absolute error, averaged over the channels, in colours: black is 0, white is 64 of 255 or more.

    Args:
        output, target: (H, W, 3), uint8.
    """
    error = cv2.absdiff(output, target).mean(axis=2)
    return cv2.applyColorMap(np.clip(error * 4, 0, 255).astype(np.uint8), cv2.COLORMAP_INFERNO)


def labelled_row(tiles: Mapping[str, np.ndarray]) -> np.ndarray:
    """Set images side by side, each under its label; all take the height of the first, and small ones are enlarged.

    Args:
        tiles: label -> (H, W, 3), uint8, BGR.

    Returns:
        (H', W', 3), uint8, BGR.
    """
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
    """Return the panel of one result; ``target`` and the error that needs it are left out where there is no target.

    Args:
        views: (H, W, 3) uint8 BGR images under any of ``input``, ``guide``, ``output``, ``target``.
    """
    tiles = {name: views[name] for name in ('input', 'guide', 'output', 'target') if name in views}
    if 'output' in views and 'target' in views:
        tiles['error (white: 64/255)'] = error_map(views['output'], views['target'])
    return labelled_row(tiles)
