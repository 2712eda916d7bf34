"""Light by name: a rendered scene under eight suns ships with the package and serves as guide, in any colour."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from s3net_plugin.archs.shading import CueSettings, decode_srgb, encode_srgb, estimate_light, shading_cues
from s3net_plugin.relight.depth import read_depth
from s3net_plugin.relight.photo import read_photo
from s3net_plugin.relight.relighter import NetworkInput
from s3net_plugin.rendering.light import DIRECTIONS, temperature_rgb

GUIDES = Path(__file__).parents[1] / 'assets/guides'
COOLEST, WARMEST = 8000, 2000  # kelvin; beyond, the colours of a black body leave sRGB or hardly change
DEFAULT_TEMPERATURE = 4500
# At this temperature of the stored pictures the three colours are nearly equal, so no channel clips before the others.
STORED_TEMPERATURE = 6500


class Light(NamedTuple):
    """A sun at ``direction``, one of DIRECTIONS, or None for where the photo has it; ``temperature`` in kelvin."""

    direction: str | None
    temperature: float = DEFAULT_TEMPERATURE


def check_temperature(kelvin: float) -> None:
    """Raise ValueError if ``kelvin`` is not between the warmest and the coolest."""
    if not WARMEST <= kelvin <= COOLEST:
        raise ValueError(f'temperature {kelvin:g}: from {WARMEST} (warm) to {COOLEST} kelvin (cool) can be had')


def guide_under(light: Light, seen: NetworkInput, cues: CueSettings | None = None) -> NetworkInput:
    """Return the guide that shows ``light``, which without a direction is that of the sun in ``seen``, by its ``cues``.

    Raises:
        ValueError: Such a temperature is not to be had.
    """
    pixels = stored_guide(light.direction or sun_direction(seen, cues))
    return NetworkInput(recolour(pixels, light.temperature), read_depth(GUIDES / 'depth.png', pixels.shape[:2]))


def stored_guide(direction: str) -> np.ndarray:
    """Return the scene in the package lit from ``direction`` at the stored temperature, (h, w, 3), uint8."""
    return read_photo(GUIDES / f'{direction}.jpg').pixels


def recolour(pixels: np.ndarray, kelvin: float) -> np.ndarray:
    """Bring sRGB (H, W, 3), uint8, under light of the stored temperature to another; float32 in [0, 1].

    Light is linear, so this is a factor for each channel of the linear values; only what was clipped is not exact.

    Raises:
        ValueError: ``kelvin`` is not between the warmest and the coolest.
    """
    check_temperature(kelvin)
    ratio = temperature_rgb(kelvin) / temperature_rgb(STORED_TEMPERATURE)
    linear = decode_srgb(torch.from_numpy(pixels / np.float32(255)))
    return encode_srgb(linear * torch.from_numpy(ratio).float()).numpy()


def sun_direction(seen: NetworkInput, cues: CueSettings | None = None) -> str:
    """Return the direction, one of DIRECTIONS, from which the sun most likely shines in ``seen``."""
    rgb, depth = torch.from_numpy(seen.rgb).permute(2, 0, 1)[None], torch.from_numpy(seen.depth)[None, None]
    return DIRECTIONS[int(estimate_light(rgb, shading_cues(depth, cues)).argmax())]
