"""Depth in VIDIT's convention, float32 in [0, 1] and larger = farther: from disparity, metric depth and files, or
estimated by a monocular model of ``transformers`` (the extra ``depth``)."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import cv2
import huggingface_hub.constants
import numpy as np
import tifffile
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image

from s3net_plugin.data.decode import PNG_MAGIC, decode_depth, decode_npy, decode_unchanged, png_size
from s3net_plugin.relight.photo import check_size
from s3net_plugin.relight.tiff import MAGIC as TIFF_MAGIC
from s3net_plugin.relight.tiff import UnsupportedPhotoError
from s3net_plugin.utils.download import download
from s3net_plugin.utils.files import atomic_write

FAR_OVER_NEAR = 3.0
DEFAULT_MODEL = 'depth-anything/Depth-Anything-V2-Small-hf'
_METRIC_MODELS = ('depth_pro', 'glpn', 'zoedepth')
_FILES = ['*.json', '*.safetensors']
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


def describe_unmatched(disparity: np.ndarray) -> str | None:
    """Say in one line how much of ``disparity`` is not finite; None if nothing is."""
    unmatched = ~np.isfinite(disparity)
    return f'{unmatched.mean():.0%} of it is not finite and counts as the farthest' if unmatched.any() else None


def depth_from_disparity(disparity: np.ndarray, far_over_near: float | None = None) -> np.ndarray:
    """Turn ``disparity`` (H, W), larger = nearer, in any unit, into normalised depth.

    Depth is the reciprocal of disparity, but monocular models give disparity up to an unknown factor and offset only.
    The offset is set so that the farthest point is ``far_over_near`` times as far as the nearest. What is not finite
    becomes 1: tools write NaN or infinity where they find no match, of the sky above all.

    Args:
        disparity: Any numbers; only their order and ratios of differences matter.
        far_over_near: More than 1; FAR_OVER_NEAR if None. The scenes of this project's renderer, seen from above, have
            2 to 4; near 1 the map is 1 - disparity.

    Raises:
        ValueError: Nothing in it is finite, or ``far_over_near`` is not more than 1.

    Example:
        >>> depth_from_disparity(np.array([[1.0, 0.5, np.nan]]), far_over_near=2)
        array([[0., 1., 1.]], dtype=float32)
    """
    ratio = FAR_OVER_NEAR if far_over_near is None else far_over_near
    if not 1 < ratio < math.inf:
        raise ValueError(f'far over near must be more than 1, not {ratio}')
    disparity = disparity.astype(np.float64)
    known = np.isfinite(disparity)
    if not known.any():
        raise ValueError('no disparity in it: nothing is finite')
    low, high = disparity[known].min(), disparity[known].max()
    nearness = (disparity[known] - low) / (high - low) if high > low else 1.0
    depth = np.ones(disparity.shape, np.float32)
    depth[known] = (1 / (1 / ratio + nearness * (1 - 1 / ratio)) - 1) / (ratio - 1)
    return depth


def read_map(path: str | Path) -> np.ndarray:
    """Read numbers of any range, (H, W), from ``.npy``, PNG, TIFF, PFM or OpenEXR.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged or not one map; three equal channels, as of a grey picture, are one.
    """
    path = Path(path)
    content = _read(path)
    is_npy = content.startswith(b'\x93NUMPY')
    values = decode_npy(content, str(path)) if is_npy else decode_unchanged(content)
    if values is None:
        raise ValueError(f'{path}: neither .npy, PNG, TIFF, PFM nor OpenEXR that OpenCV can read')
    if not is_npy and values.ndim == 3 and all(np.array_equal(values[..., 0], values[..., i]) for i in (1, 2)):
        values = values[..., 0]
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in 'uif':
        raise ValueError(f'{path}: a map has two dimensions and real numbers, this is {values.shape} of {values.dtype}')
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


class DepthEstimator:
    """Estimates depth in VIDIT's convention: [0, 1], larger = farther.

    Models that say of themselves that they estimate metric depth are taken at their word; all others give disparity.

    Args:
        model: A depth-estimation model of the Hugging Face hub, looked up in its cache, then downloaded; or a folder.
            Only ``.safetensors`` weights are read, and no code that comes with them.
        device: Where to run it.
        far_over_near: See ``depth_from_disparity``.

    Raises:
        ImportError: ``transformers`` is not installed.
        FileNotFoundError: The model is neither there nor to be had; said within a few seconds.
        ValueError: It is no depth-estimation model.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        device: str | torch.device = 'cpu',
        far_over_near: float | None = None,
    ) -> None:
        try:
            from transformers import pipeline
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise ImportError(
                "estimating depth needs transformers: pip install 's3net_plugin[depth]', or give depth maps"
            ) from error
        disable_progress_bar()
        folder = model_folder(model)
        try:
            self._pipeline = pipeline(
                'depth-estimation', model=folder, device=device, model_kwargs={'use_safetensors': True}
            )
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            reason = ' '.join(str(error).split())
            raise ValueError(f'depth model {folder}: no depth-estimation model with .safetensors: {reason}') from None
        config = self._pipeline.model.config
        self.is_metric = (
            getattr(config, 'depth_estimation_type', None) == 'metric' or config.model_type in _METRIC_MODELS
        )
        self._far_over_near = far_over_near

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Return normalised depth (H, W), float32, of ``rgb`` (H, W, 3), float32 in [0, 1]."""
        image = Image.fromarray(np.rint(rgb * 255).astype(np.uint8))
        estimate = self._pipeline(image)['predicted_depth'].squeeze().numpy()
        return depth_from_metric(estimate) if self.is_metric else depth_from_disparity(estimate, self._far_over_near)


def model_folder(model: str) -> str:
    """Return the folder that holds ``model``: itself, or that of the Hugging Face cache, downloaded if need be.

    Raises:
        FileNotFoundError: It is neither there nor to be had.
    """
    if Path(model).is_dir():
        return model
    try:
        return huggingface_hub.snapshot_download(model, allow_patterns=_FILES, local_files_only=True)
    except (LocalEntryNotFoundError, ValueError):  # not in the cache, or no name of the hub, which is said below
        pass
    return download(
        f'depth model {model}: not a folder, not in the Hugging Face cache',
        'it',
        f'{huggingface_hub.constants.ENDPOINT}/{model}/resolve/main/config.json',
        lambda: huggingface_hub.snapshot_download(model, allow_patterns=_FILES),
        'give the folder of it, model.safetensors and preprocessor_config.json with --depth-model, or give depth maps',
    )
