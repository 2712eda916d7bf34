"""Fourteen procedural surfaces, tileable: each draws an albedo map and a height map that agree with each other."""

from __future__ import annotations

import colorsys
from typing import NamedTuple

import numpy as np

from s3net_plugin.rendering.noise import cells, fractal, grid, smoothstep

TEXTURE_SIZE = 512
ALBEDO_RANGE = (0.02, 0.85)


class Texture(NamedTuple):
    """``albedo`` (S, S, 3) float32, linear, within ALBEDO_RANGE; ``height`` (S, S) float32 in [0, 1], 1 = outermost."""

    albedo: np.ndarray
    height: np.ndarray


def _paint(
    rng: np.random.Generator,
    hue: tuple[float, float] = (0.0, 1.0),
    saturation: tuple[float, float] = (0.1, 0.5),
    value: tuple[float, float] = (0.3, 0.7),
) -> np.ndarray:
    """A random linear colour, shape (3,), from ranges of hue, saturation and value in [0, 1]."""
    return np.array(colorsys.hsv_to_rgb(rng.uniform(*hue) % 1.0, rng.uniform(*saturation), rng.uniform(*value)))


def _earth(rng: np.random.Generator, value: tuple[float, float] = (0.25, 0.6)) -> np.ndarray:
    """A random colour of clay, sand or stone."""
    return _paint(rng, (0.02, 0.14), (0.05, 0.55), value)


def _mix(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Blend two colours, (3,) or (S, S, 3), by ``weight`` (S, S): 0 gives the first."""
    return first + (second - first) * weight[..., None]


def _courses(size: int, rows: int, columns: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles in rows, each row moved on by ``shift`` of a rectangle.

    Returns the distance to the nearest edge in units of a row's height and the index of the rectangle, both (S, S).
    """
    u, v = grid(size)
    row = (v * rows).astype(int)
    along = u * columns + row * shift
    column = np.floor(along).astype(int) % columns
    in_row, in_column = v * rows % 1.0, along % 1.0
    aspect = rows / columns
    edge = np.minimum(np.minimum(in_row, 1 - in_row), np.minimum(in_column, 1 - in_column) * aspect)
    return edge, row * columns + column


def _speckle(rng: np.random.Generator, size: int, amount: float) -> np.ndarray:
    """A brightness factor around 1, (S, S, 1), rough at all scales."""
    return 1 + amount * (fractal(rng, size, 0.9)[..., None] - 0.5)


def _brick(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    columns = int(rng.integers(3, 6))
    edge, index = _courses(size, 2 * columns, columns, 0.5)
    tone = rng.uniform(0.65, 1.2, index.max() + 1)[index]
    body = _paint(rng, (0.98, 1.12), (0.3, 0.75), (0.25, 0.6)) * tone[..., None]
    chipped = edge + 0.06 * (fractal(rng, size, 1.0) - 0.5)
    face = smoothstep(0.05, 0.13, chipped)
    albedo = _mix(_earth(rng, (0.3, 0.6)), body, face) * _speckle(rng, size, 0.5)
    return albedo, face * (0.8 + 0.2 * fractal(rng, size, 1.2))


def _tile(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    count = 2 * int(rng.integers(1, 4))
    edge, index = _courses(size, count, count, 0.0)
    first = _paint(rng, saturation=(0.05, 0.45), value=(0.4, 0.75))
    second = _paint(rng, saturation=(0.05, 0.5), value=(0.15, 0.6)) if rng.random() < 0.5 else first
    checker = (index // count + index % count) % 2
    tone = rng.uniform(0.85, 1.1, count * count)[index]
    body = _mix(first, second, checker.astype(float)) * tone[..., None]
    face = smoothstep(0.03, 0.07, edge)
    albedo = _mix(_earth(rng, (0.1, 0.25)), body, face) * _speckle(rng, size, 0.25)
    return albedo, face * 0.95 + 0.05 * fractal(rng, size, 1.5)


def _plank(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    rows = int(rng.integers(5, 9))
    edge, index = _courses(size, rows, 2, 0.37)
    grain = fractal(rng, size, 1.1, stretch_u=14.0)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (6 * fractal(rng, size, 2.0, stretch_u=6.0) + grain))
    tone = rng.uniform(0.6, 1.2, index.max() + 1)[index]
    wood = _paint(rng, (0.05, 0.11), (0.4, 0.75), (0.25, 0.6)) * (tone * (0.7 + 0.4 * grain + 0.15 * rings))[..., None]
    face = smoothstep(0.02, 0.06, edge)
    return _mix(np.full(3, 0.03), wood, face), face * (0.85 + 0.15 * grain)


def _soil(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    clumps = fractal(rng, size, 1.3)
    green = rng.random() < 0.5
    low = _earth(rng, (0.15, 0.35))
    high = _paint(rng, (0.2, 0.33), (0.4, 0.7), (0.15, 0.4)) if green else _earth(rng, (0.35, 0.6))
    stones = smoothstep(0.42, 0.3, cells(rng, size, 14)[0]) * (fractal(rng, size, 1.0) > 0.7)
    albedo = _mix(_mix(low, high, smoothstep(0.35, 0.65, fractal(rng, size, 1.8))), _earth(rng, (0.4, 0.6)), stones)
    return albedo * _speckle(rng, size, 0.9), 0.7 * clumps + 0.3 * stones


def _cobble(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    nearest, border, index = cells(rng, size, int(rng.integers(7, 12)))
    tone = rng.uniform(0.6, 1.2, index.max() + 1)[index]
    stone = _earth(rng, (0.3, 0.65)) * tone[..., None]
    face = smoothstep(0.04, 0.2, border)
    albedo = _mix(_earth(rng, (0.05, 0.15)), stone, face) * _speckle(rng, size, 0.5)
    return albedo, face * (1 - 0.5 * np.minimum(nearest, 1.0))


def _plaster(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    body = _paint(rng, saturation=(0.0, 0.3), value=(0.4, 0.75))
    stains = smoothstep(0.5, 0.95, fractal(rng, size, 1.7))
    relief = fractal(rng, size, 1.1)
    return _mix(body, 0.6 * body, stains) * _speckle(rng, size, 0.25), relief


def _marble(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    warp = fractal(rng, size, 2.2)
    vein = 1 - np.abs(np.sin(np.pi * (4 * warp + 0.25 * fractal(rng, size, 1.5))))
    body = _paint(rng, saturation=(0.0, 0.2), value=(0.6, 0.82))
    albedo = _mix(body, _paint(rng, saturation=(0.1, 0.4), value=(0.1, 0.35)), smoothstep(0.6, 1.0, vein))
    return albedo * (0.85 + 0.2 * warp)[..., None], fractal(rng, size, 2.0)


def _rock(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    relief = fractal(rng, size, 1.5)
    lichen = smoothstep(0.6, 0.8, fractal(rng, size, 1.4))
    body = _mix(_earth(rng, (0.12, 0.3)), _earth(rng, (0.3, 0.6)), relief)
    albedo = _mix(body, _paint(rng, (0.1, 0.25), (0.2, 0.5), (0.3, 0.5)), 0.7 * lichen)
    return albedo * _speckle(rng, size, 0.7), relief


def _stripes(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    u, v = grid(size)
    count = int(rng.integers(3, 8))
    slant = int(rng.integers(-1, 2))
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * count * (v + slant * u))
    first = _paint(rng, saturation=(0.0, 0.3), value=(0.55, 0.8))
    second = _paint(rng, saturation=(0.5, 0.9), value=(0.15, 0.6))
    albedo = _mix(first, second, smoothstep(0.45, 0.55, wave)) * _speckle(rng, size, 0.35)
    return albedo, fractal(rng, size, 1.3)


def _rust(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    count = int(rng.integers(2, 4))
    edge, _ = _courses(size, count, count, 0.0)
    rust = smoothstep(0.5, 0.6, fractal(rng, size, 1.4) + 0.35 * smoothstep(0.12, 0.0, edge))
    coat = _paint(rng, saturation=(0.2, 0.7), value=(0.2, 0.6))
    corroded = _mix(np.array([0.25, 0.09, 0.03]), np.array([0.45, 0.2, 0.07]), fractal(rng, size, 1.0))
    face = smoothstep(0.01, 0.035, edge)
    albedo = _mix(coat * _speckle(rng, size, 0.2), corroded, rust) * (0.3 + 0.7 * face)[..., None]
    return albedo, face * (0.75 + 0.25 * rust * fractal(rng, size, 0.8))


def _foliage(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    hue = (0.05, 0.14) if rng.random() < 0.2 else (0.19, 0.33)  # autumn, or green
    dark, light = _paint(rng, hue, (0.5, 0.75), (0.12, 0.25)), _paint(rng, hue, (0.4, 0.75), (0.3, 0.5))
    relief = fractal(rng, size, 1.2)
    return _mix(dark, light, relief) * _speckle(rng, size, 0.6), relief


def _grass(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    green, dry = _paint(rng, (0.2, 0.32), (0.4, 0.65), (0.2, 0.38)), _paint(rng, (0.1, 0.16), (0.3, 0.6), (0.3, 0.5))
    relief = fractal(rng, size, 0.9)
    bald = smoothstep(0.6, 0.9, fractal(rng, size, 1.7))
    return _mix(_mix(green, dry, bald), 0.4 * green, relief) * _speckle(rng, size, 0.8), relief


def _asphalt(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    body = _paint(rng, saturation=(0.0, 0.12), value=(0.1, 0.3))
    patch = smoothstep(0.55, 0.6, fractal(rng, size, 2.0))
    return _mix(body, 0.7 * body, patch) * _speckle(rng, size, 0.8), fractal(rng, size, 0.7)


def _coat(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    body = _paint(rng, saturation=(0.1, 0.85), value=(0.15, 0.8))
    return body * _speckle(rng, size, 0.15), fractal(rng, size, 1.6)


_PAINTERS = (
    _brick,
    _tile,
    _plank,
    _soil,
    _cobble,
    _plaster,
    _marble,
    _rock,
    _stripes,
    _rust,
    _foliage,
    _grass,
    _asphalt,
    _coat,
)
PATTERNS = {painter.__name__[1:]: painter for painter in _PAINTERS}


def draw_texture(rng: np.random.Generator, pattern: str, size: int = TEXTURE_SIZE) -> Texture:
    """Draw the named surface of PATTERNS at ``size`` x ``size`` pixels; it repeats without a seam."""
    albedo, height = PATTERNS[pattern](rng, size)
    return Texture(np.clip(albedo, *ALBEDO_RANGE).astype(np.float32), np.clip(height, 0.0, 1.0).astype(np.float32))
