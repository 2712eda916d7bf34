"""From photos and depth maps on disk to a relit photo of full size."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3net_plugin.archs.deploy import fast_precision, optimize_for_inference
from s3net_plugin.archs.s3net_arch import S3Net
from s3net_plugin.archs.shading import CueSettings, check_cue_settings
from s3net_plugin.data.decode import resize
from s3net_plugin.relight.depth import read_depth
from s3net_plugin.relight.guided_upsampling import guided_upsample
from s3net_plugin.relight.photo import Photo, read_photo
from s3net_plugin.relight.photo_writing import check_sides
from s3net_plugin.relight.profiles import to_srgb

Estimate = Callable[[np.ndarray], np.ndarray]  # depth (H, W) in [0, 1] of RGB (H, W, 3) in [0, 1]


@dataclass(frozen=True)
class NetworkInput:
    """What the network sees of a photo: ``rgb`` (h, w, 3) and ``depth`` (h, w), float32 in [0, 1]."""

    rgb: np.ndarray
    depth: np.ndarray


def downscale(
    pixels: np.ndarray, *, longer: float = math.inf, shorter: float = math.inf, minimum: int = 1
) -> np.ndarray:
    """Bring (H, W, 3) uint8 or uint16 to float32 in [0, 1], no longer and no shorter side than said.

    It is not enlarged, but for a side below ``minimum``.
    """
    scale = min(1, longer / max(pixels.shape[:2]), shorter / min(pixels.shape[:2]))
    height, width = (max(round(side * scale), minimum) for side in pixels.shape[:2])
    return resize(pixels, height, width) / np.float32(np.iinfo(pixels.dtype).max)


def to_bytes(rgb: np.ndarray) -> np.ndarray:
    """Bring values in [0, 1] to uint8."""
    return np.rint(rgb * 255).astype(np.uint8)


def resize_center_crop(seen: NetworkInput, height: int, width: int) -> NetworkInput:
    """Resize ``seen`` until it covers (height, width) and cut out its centre, which keeps the directions in it."""
    scale = max(height / seen.depth.shape[0], width / seen.depth.shape[1])
    size = [max(math.ceil(side * scale), least) for side, least in zip(seen.depth.shape, (height, width), strict=True)]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    window = np.s_[top : top + height, left : left + width]
    return NetworkInput(resize(seen.rgb, *size)[window], resize(seen.depth, *size)[window])


class Relighter:
    """Relights photos with a network at ``work_size`` and brings the light to full resolution.

    S3Net and its kin are made ready for that once, by ``optimize_for_inference``. They are not compiled: photos come in
    many shapes, and compiling for one takes longer than relighting dozens.

    Args:
        network: What ``load_network`` returns, or ``ClosedForm``; its ``input_channels`` are 8 with a guide, 4 without.
        device: Where it is.
        work_size: The longer side of what the network sees of a photo, at most; smaller photos are not enlarged.
        far_over_near: How many times farther than the nearest point the farthest is, for the shading cues of a network
            that has them; None leaves it what the network was trained with.
        precision: What the network computes in: ``float32``, ``bfloat16``, or ``auto``, which is bfloat16 where the
            device is made for it and the network is S3Net or its kin; ``self.precision`` says which it is.

    Raises:
        ValueError: ``work_size`` is less than the network needs, ``far_over_near`` is not more than 1, or the network
            does not compute in such a precision.
    """

    def __init__(
        self,
        network: Any,
        device: str | torch.device = 'cpu',
        *,
        work_size: int = 1024,
        far_over_near: float | None = None,
        precision: str = 'float32',
    ) -> None:
        self.device, self.work_size = torch.device(device), work_size
        self.minimum: int = network.size_requirements.minimum
        if work_size < self.minimum:
            raise ValueError(f'work size {work_size}: at least {self.minimum} pixels are needed')
        self.needs_guide = network.input_channels == 8
        self.cues: CueSettings = getattr(network, 'cues', None) or CueSettings()
        if far_over_near is not None:
            self.cues = self.cues._replace(far_over_near=far_over_near)
            check_cue_settings(self.cues)
            network.cues = self.cues
        self.network, self.precision = network, torch.float32
        if isinstance(network, S3Net):
            self.precision = fast_precision(self.device) if precision == 'auto' else getattr(torch, precision)
            self.network = optimize_for_inference(network, dtype=self.precision, channels_last=True)
        elif precision == 'bfloat16':
            raise ValueError(
                f'precision {precision}: {type(network).__name__} computes in float32; choose that or auto'
            )

    def small_input(self, photo: Photo) -> np.ndarray:
        """What the network sees of the photo to be relit, (h, w, 3), float32 in [0, 1]."""
        return downscale(photo.pixels, longer=self.work_size, minimum=self.minimum)

    def small_guide(self, photo: Photo) -> np.ndarray:
        """As much of the guide as any input can need, (h, w, 3), in sRGB, float32 in [0, 1]: only its look counts."""
        small = downscale(photo.pixels, shorter=self.work_size, minimum=self.minimum)
        if photo.icc_profile is None:
            return small
        return to_srgb(to_bytes(small), photo.icc_profile) / np.float32(255)

    def check_guide(self, given: bool) -> None:
        """Raise ValueError if the network needs a guide and none is given, or the other way round."""
        if given != self.needs_guide:
            raise ValueError(
                'this checkpoint relights to the light of a guide: a guide is needed'
                if self.needs_guide
                else 'this checkpoint relights to one fixed light: it takes no guide'
            )

    @torch.inference_mode()
    def relight_small(self, seen: NetworkInput, guide: NetworkInput | None) -> np.ndarray:
        """Return ``seen`` under the light of ``guide``, (h, w, 3), float32 in [0, 1].

        Raises:
            ValueError: The network needs a guide and there is none, or the other way round.
        """
        self.check_guide(guide is not None)
        both = [seen] if guide is None else [seen, resize_center_crop(guide, *seen.depth.shape)]
        planes = np.dstack([plane for one in both for plane in (one.rgb, one.depth)])
        x = torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1))[None]).to(self.device)
        return self.network(x)[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()

    def relight(self, photo: Photo, seen: NetworkInput, guide: NetworkInput | None) -> Photo:
        """Return ``photo``, of which the network sees ``seen``, under the light of ``guide``, in full size."""
        return in_full_size(photo, seen, self.relight_small(seen, guide))


def in_full_size(photo: Photo, seen: NetworkInput, relit: np.ndarray) -> Photo:
    """Return ``photo``, of which the network saw ``seen``, lit like ``relit``, which it made of that."""
    return dataclasses.replace(photo, pixels=guided_upsample(photo.pixels, seen.rgb, relit))


def flat_depth(rgb: np.ndarray) -> np.ndarray:
    """The depth (H, W) of a photo of which none is known: 0, so that only the colour of its light can change."""
    return np.zeros(rgb.shape[:2], np.float32)


class InputReader:
    """Reads photos and depth maps as ``relighter`` needs them; the guide used last is kept.

    Args:
        relighter: Says how small the network takes photos.
        estimate: The depth of a photo that has none; None if every photo comes with depth.
        max_pixels: The largest photo that is read, beside what the memory bounds.
    """

    def __init__(self, relighter: Relighter, estimate: Estimate | None, *, max_pixels: float = math.inf) -> None:
        self._relighter = relighter
        self._estimate = estimate
        self._max_pixels = max_pixels
        self.guide = lru_cache(maxsize=1)(self._guide)

    def input(self, path: Path, depth_path: Path | None, *, output: Path | None = None) -> tuple[Photo, NetworkInput]:
        """Read the photo to be relit; one too large for the format of ``output`` is refused before networks run."""
        photo = read_photo(path, self._max_pixels)
        if output is not None:
            check_sides(output, photo)
        return photo, self._with_depth(self._relighter.small_input(photo), photo, path, depth_path)

    def _guide(self, path: Path, depth_path: Path | None) -> NetworkInput:
        """Read a guide."""
        photo = read_photo(path, self._max_pixels)
        return self._with_depth(self._relighter.small_guide(photo), photo, path, depth_path)

    def _with_depth(self, small: np.ndarray, photo: Photo, path: Path, depth_path: Path | None) -> NetworkInput:
        if depth_path is not None:
            depth = read_depth(depth_path, photo.pixels.shape[:2])
        elif self._estimate is not None:
            depth = self._estimate(small)
        else:
            raise ValueError(f'{path}: no depth for it; give a depth map, or change the colour only')
        return NetworkInput(small, resize(depth, *small.shape[:2]))
