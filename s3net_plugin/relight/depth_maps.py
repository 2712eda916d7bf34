"""Depth in VIDIT's convention, float32 in [0, 1] and larger = farther, from disparity, metric depth and files."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import cv2
import numpy as np
import tifffile

from s3net_plugin.data.decode import PNG_MAGIC, decode_depth, decode_npy, png_size
from s3net_plugin.relight.photo import check_size
from s3net_plugin.relight.tiff import MAGIC as TIFF_MAGIC
from s3net_plugin.relight.tiff import UnsupportedPhotoError
from s3net_plugin.utils.files import atomic_write

FAR_OVER_NEAR = 3.0
MAP_SUFFIXES = ('.npy', '.png', '.tif', '.tiff', '.exr', '.pfm')
_SHAPE_TOLERANCE = 0.02
# A marker, such as Blender's 1e10 for the background, is far beyond the scene and mostly one value.
_MARKER_RATIO = 10  # to the farthest point of the scene, at least; to the largest integer of a type it may be 2
_MARKER_SHARE = 0.5  # of what lies beyond has that value; renderers mix it into the edges of the scene
_SCENE_SHARE = 0.05  # of the points, at least, is the scene before them


def depth_from_metric(depth: np.ndarray) -> np.ndarray:
    """Map the nearest point of ``depth`` (H, W), in any unit, to 0 and the farthest to 1.

    Markers of the background, see ``background_markers``, become 1. What is not a number or not positive counts as
    unknown and becomes 0, as in VIDIT.

    Raises:
        ValueError: Nothing in it is known.
    """
    background = background_markers(depth)
    depth = np.where(background, 0, depth).astype(np.float32)
    known = np.isfinite(depth) & (depth > 0)
    if not known.any():
        raise ValueError('no depth in it: nothing is finite and positive')
    near, far = depth[known].min(), depth[known].max()
    scene = np.where(known, depth, near)
    normalised = (scene - near) / max(far - near, np.finfo(np.float32).tiny)
    return np.where(background, 1, normalised).astype(np.float32)


def background_markers(depth: np.ndarray) -> np.ndarray:
    """Return which points of ``depth`` (H, W), in any unit, say that nothing is there: infinity, and values far beyond.

    They are a value that at least half of what lies beyond a gap has: a gap of at least ten times the farthest point
    before it, or twice for the largest integer of the map's type.
    """
    infinite = np.isposinf(depth)
    values, counts = np.unique(depth[np.isfinite(depth) & (depth > 0)], return_counts=True)
    if len(values) < 2:
        return infinite
    values, before = values.astype(np.float64), np.cumsum(counts)
    is_largest = depth.dtype.kind in 'iu' and values[-1] == np.iinfo(depth.dtype).max
    ratio = np.where(values[1:] == values[-1], 2 if is_largest else _MARKER_RATIO, _MARKER_RATIO)
    gaps = (values[1:] >= ratio * values[:-1]) & (before[:-1] >= _SCENE_SHARE * before[-1])
    mostly_one = counts[-1] >= _MARKER_SHARE * (before[-1] - before[:-1])
    found = np.flatnonzero(gaps & mostly_one)
    return infinite | (depth >= values[found[0] + 1]) if len(found) else infinite


def describe_markers(depth: np.ndarray) -> str | None:
    """Say in one line what of metric ``depth`` is taken for markers of the background; None if nothing is."""
    background = background_markers(depth)
    if not background.any():
        return None
    low, high = depth[background].min(), depth[background].max()
    values = f'{low:.4g}' if low == high else f'{low:.4g} to {high:.4g}'
    return f'{background.mean():.0%} of it, {values}, is taken for a marker of the background, as the farthest'


def depth_from_disparity(disparity: np.ndarray, far_over_near: float = FAR_OVER_NEAR) -> np.ndarray:
    """Turn ``disparity`` (H, W), larger = nearer, in any unit, into normalised depth.

    Depth is the reciprocal of disparity, but monocular models give disparity up to an unknown factor and offset only.
    The offset is set so that the farthest point is ``far_over_near`` times as far as the nearest. What is not finite
    becomes 0.

    Args:
        disparity: Any numbers; only their order and ratios of differences matter.
        far_over_near: More than 1. The scenes of this project's renderer, seen from above, have 2 to 4; near 1 the
            map is 1 - disparity.

    Raises:
        ValueError: Nothing in it is finite, or ``far_over_near`` is not more than 1.
    """
    if not far_over_near > 1:
        raise ValueError(f'far over near must be more than 1, not {far_over_near}')
    disparity = disparity.astype(np.float64)
    known = np.isfinite(disparity)
    if not known.any():
        raise ValueError('no disparity in it: nothing is finite')
    low, high = disparity[known].min(), disparity[known].max()
    nearness = np.where(known, disparity - low, high - low) / (high - low) if high > low else np.ones(disparity.shape)
    depth = 1 / (1 / far_over_near + nearness * (1 - 1 / far_over_near))
    return ((depth - 1) / (far_over_near - 1)).astype(np.float32)


def read_map(path: str | Path) -> np.ndarray:
    """Read numbers of any range, (H, W), from ``.npy``, PNG, TIFF, PFM or OpenEXR.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged or not one map; three equal channels, as of a grey picture, are one.
    """
    path = Path(path)
    content = _read(path)
    if content.startswith(b'\x93NUMPY'):
        values = decode_npy(content, str(path))
    else:
        values = _decode_picture(content, path)
        if values.ndim == 3 and all(np.array_equal(values[..., 0], values[..., i]) for i in (1, 2)):
            values = values[..., 0]
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in 'uif':
        raise ValueError(f'{path}: a map has two dimensions and real numbers, this is {values.shape} of {values.dtype}')
    return values


def _decode_picture(content: bytes, path: Path) -> np.ndarray:
    try:
        values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        values = None
    if values is None:
        raise ValueError(f'{path}: neither .npy, PNG, TIFF, PFM nor OpenEXR that OpenCV can read')
    return values


def read_depth(path: str | Path, shape: tuple[int, int]) -> np.ndarray:
    """Read normalised depth for a photo of ``shape``, height and width; its own may be any multiple of that.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, not normalised, or of another form than the photo.
    """
    path = Path(path)
    depth = decode_depth(_read(path), str(path))
    if abs(depth.shape[0] * shape[1] / (depth.shape[1] * shape[0]) - 1) > _SHAPE_TOLERANCE:
        raise ValueError(
            f'{path}: {depth.shape[1]} x {depth.shape[0]} does not go with a photo of {shape[1]} x {shape[0]} (upright)'
        )
    return depth


def _read(path: Path) -> bytes:
    """Return the bytes of ``path`` after a look at its header: a few of them can stand for a picture of gigabytes."""
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such depth map')
    try:
        if size := _size_in_header(path):
            check_size(*size, 16, math.inf)
    except UnsupportedPhotoError as error:
        raise ValueError(f'{path}: {error}') from None
    return path.read_bytes()


def _size_in_header(path: Path) -> tuple[int, int] | None:
    """Return width and height of a PNG or TIFF file; None for others and damaged ones, of which decoders say more."""
    with path.open('rb') as file:
        head = file.read(24)
    if head.startswith(PNG_MAGIC):
        height, width = png_size(head)
        return width, height
    if not head.startswith(TIFF_MAGIC):
        return None
    try:
        with tifffile.TiffFile(path) as file:
            return file.pages[0].imagewidth, file.pages[0].imagelength
    except (tifffile.TiffFileError, IndexError, struct.error):
        return None


def write_depth(path: Path, depth: np.ndarray) -> None:
    """Write depth in [0, 1] as 16-bit PNG, whole or not at all."""
    content = cv2.imencode('.png', np.rint(depth * 65535).astype(np.uint16))[1]
    with atomic_write(path) as aside:
        aside.write_bytes(content.tobytes())
