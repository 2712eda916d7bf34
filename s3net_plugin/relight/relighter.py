"""From photos and depth maps to a relit photo of full size."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from s3net_plugin.data.decode import resize
from s3net_plugin.relight.guided_upsampling import guided_upsample
from s3net_plugin.relight.photo import Photo

MIN_SIZE = 32  # what the network needs at least


@dataclass(frozen=True)
class View:
    """What the network sees of a photo: ``rgb`` (h, w, 3) and ``depth`` (h, w), float32 in [0, 1]."""

    rgb: np.ndarray
    depth: np.ndarray


def shrink(pixels: np.ndarray, *, longer: float = math.inf, shorter: float = math.inf) -> np.ndarray:
    """Bring (H, W, 3) uint8 or uint16 to float32 in [0, 1], no longer and no shorter side than said, none below 32."""
    height, width = pixels.shape[:2]
    scale = min(1, longer / max(height, width), shorter / min(height, width))
    small = resize(pixels, max(round(height * scale), MIN_SIZE), max(round(width * scale), MIN_SIZE))
    return small / np.float32(np.iinfo(pixels.dtype).max)


def cover(view: View, height: int, width: int) -> View:
    """Resize ``view`` until it covers (height, width) and cut out its centre, which keeps the directions in it."""
    scale = max(height / view.depth.shape[0], width / view.depth.shape[1])
    size = [max(math.ceil(side * scale), least) for side, least in zip(view.depth.shape, (height, width), strict=True)]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    window = np.s_[top : top + height, left : left + width]
    return View(resize(view.rgb, *size)[window], resize(view.depth, *size)[window])


class Relighter:
    """Relights photos with a network at ``work_size`` and brings the light to full resolution.

    Args:
        network: What ``load_network`` returns, or ``ClosedForm``.
        device: Where it is.
        work_size: The longer side of what the network sees of a photo, at most; smaller photos are not enlarged.
    """

    def __init__(self, network: nn.Module, device: str | torch.device = 'cpu', *, work_size: int = 1024) -> None:
        if work_size < MIN_SIZE:
            raise ValueError(f'work size {work_size}: at least {MIN_SIZE} pixels are needed')
        self.network = network
        self.work_size = work_size
        self.needs_guide = network.in_channels == 8
        self.device = device

    def small_input(self, photo: Photo) -> np.ndarray:
        """What the network sees of the photo to be relit, (h, w, 3), float32 in [0, 1]."""
        return shrink(photo.pixels, longer=self.work_size)

    def small_guide(self, photo: Photo) -> np.ndarray:
        """As much of the guide as any input can need, (h, w, 3), float32 in [0, 1]."""
        return shrink(photo.pixels, shorter=self.work_size)

    def check_guide(self, given: bool) -> None:
        """Raise ValueError if the network needs a guide and none is given, or the other way round."""
        if given != self.needs_guide:
            raise ValueError(
                'this checkpoint relights to the light of a guide: a guide is needed'
                if self.needs_guide
                else 'this checkpoint relights to one fixed light: it takes no guide'
            )

    @torch.inference_mode()
    def relight_view(self, view: View, guide: View | None) -> np.ndarray:
        """Return ``view`` under the light of ``guide``, (h, w, 3), float32 in [0, 1].

        Raises:
            ValueError: The network needs a guide and there is none, or the other way round.
        """
        self.check_guide(guide is not None)
        views = [view] if guide is None else [view, cover(guide, *view.depth.shape)]
        planes = np.dstack([plane for one in views for plane in (one.rgb, one.depth)])
        x = torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1))[None]).to(self.device)
        return self.network(x)[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()

    def relight(self, photo: Photo, view: View, guide: View | None) -> Photo:
        """Return ``photo``, of which the network sees ``view``, under the light of ``guide``, in full size."""
        relit = self.relight_view(view, guide)
        return dataclasses.replace(photo, pixels=guided_upsample(photo.pixels, view.rgb, relit))
