"""Sun directions, colours of light and the way from linear radiance to 8-bit images, in VIDIT's terms."""

from __future__ import annotations

import numpy as np

# This folder imports nothing of the package, so that it renders without PyTorch and BasicSR.
DIRECTIONS = ('N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW')
TEMPERATURES = (2500, 3500, 4500, 5500, 6500)
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear sRGB (Rec. 709)

_XYZ_TO_SRGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)
BRIGHT_LEVEL = 0.55  # linear luminance that the 95th percentile of a classic scene is exposed to


def sun_ray(direction: str, elevation: float) -> tuple[float, float, float]:
    """Unit vector along which sunlight travels, with z up, y away from the camera and x to the right.

    ``N`` is light from the top of the image and ``E`` from its right, each name 45 degrees further on. ``elevation``
    is in degrees above the horizon.
    """
    azimuth, height = np.deg2rad(45.0 * DIRECTIONS.index(direction)), np.deg2rad(elevation)
    x, y = -np.sin(azimuth) * np.cos(height), -np.cos(azimuth) * np.cos(height)
    return float(x), float(y), float(-np.sin(height))


def temperature_rgb(kelvin: float) -> np.ndarray:
    """Linear sRGB colour, shape (3,), of a black body at ``kelvin``, scaled to luminance 1.

    Planckian locus in CIE 1960 UCS after Krystek, "An algorithm to calculate correlated colour temperature" (1985),
    good from 1000 to 15000 K.
    """
    t = float(kelvin)
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (1 + 8.42420235e-4 * t + 7.08145163e-7 * t**2)
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (1 - 2.89741816e-5 * t + 1.61456053e-7 * t**2)
    x, y = 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)
    rgb = np.maximum(_XYZ_TO_SRGB @ np.array([x / y, 1.0, (1 - x - y) / y]), 0.0)
    return rgb / (LUMINANCE @ rgb)


def exposure(radiance: np.ndarray, level: float = BRIGHT_LEVEL) -> float:
    """Factor for the linear images of a scene, (..., 3), that brings their 95th percentile of luminance to ``level``.

    One factor for all directions, so that a light that reaches less of the scene stays darker.
    """
    return level / max(float(np.percentile(radiance @ LUMINANCE, 95)), 1e-6)


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """Clip linear sRGB to [0, 1] and encode it as uint8 with the transfer function of IEC 61966-2-1."""
    value = np.clip(linear, 0.0, 1.0)
    encoded = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.round(255.0 * encoded).astype(np.uint8)
