"""Furniture as objects at the origin, front to -y; slots: wood, cloth, metal."""

from __future__ import annotations

import numpy as np

from s3net_plugin.rendering.meshes import box, frustum, place
from s3net_plugin.rendering.objects import Object, Part, make_object, move
from s3net_plugin.rendering.plants import bush
from s3net_plugin.rendering.structures import beam, pole

SMALL = ('crate', 'ball', 'cone', 'drum', 'vase', 'vase')


def _legs(width: float, depth: float, height: float, thickness: float) -> Object:
    x, y = width / 2 - thickness, depth / 2 - thickness
    corners = [(i * x, j * y) for i in (-1, 1) for j in (-1, 1)]
    return [Part(place(box(thickness, thickness, height), *corner, 0), 0) for corner in corners]


def _things(rng: np.random.Generator, count: int, width: float, depth: float, z: float, size: float) -> Object:
    """Up to ``count`` small objects side by side on a board at height ``z``."""
    parts: Object = []
    for x in (np.arange(count) + 0.5) / count * width - width / 2:
        if rng.random() < 0.7:
            thing = make_object(rng, size * rng.uniform(0.6, 1.1), SMALL)
            shifted = move(thing, float(x), rng.uniform(-0.2, 0.2) * depth, z, rng.uniform(0, 360))
            parts += [Part(part.mesh, 1 + part.slot) for part in shifted]
    return parts


def table(rng: np.random.Generator) -> Object:
    """A table with things on it."""
    width, depth, height = rng.uniform(1.2, 2.2), rng.uniform(0.7, 1.1), rng.uniform(0.65, 0.8)
    top = Part(place(box(width, depth, 0.06), 0, 0, height), 0)
    return [*_legs(width, depth, height, 0.08), top, *_things(rng, 4, 0.9 * width, depth, height + 0.06, 0.26)]


def chair(rng: np.random.Generator) -> Object:
    """A chair with slats in its back."""
    width, seat, back = rng.uniform(0.42, 0.55), 0.45, rng.uniform(0.45, 0.7)
    posts = [beam((x, width / 2, seat), (1.05 * x, 0.62 * width, seat + back), 0.045) for x in (-0.2, 0, 0.2)]
    rail = beam((-0.24, 0.62 * width, seat + back), (0.24, 0.62 * width, seat + back), 0.06)
    cushion = Part(place(box(width, width, 0.07), 0, 0, seat), 1)
    return [*_legs(width, width, seat, 0.05), cushion, *(Part(mesh, 0) for mesh in (*posts, rail))]


def shelf(rng: np.random.Generator) -> Object:
    """Open shelves with things on them."""
    width, boards, gap = rng.uniform(1.0, 2.0), int(rng.integers(3, 6)), rng.uniform(0.38, 0.5)
    parts = [Part(place(box(0.05, 0.35, boards * gap), side * width / 2, 0, 0), 0) for side in (-1, 1)]
    for board in range(boards + 1):
        parts.append(Part(place(box(width, 0.35, 0.04), 0, 0, board * gap), 0))
        parts += _things(rng, 4, 0.9 * width, 0.2, board * gap + 0.04, 0.24)
    return parts


def lamp(rng: np.random.Generator) -> Object:
    """A floor lamp: a thin pole, a foot and a shade."""
    height, r = rng.uniform(1.3, 1.9), rng.uniform(0.16, 0.28)
    shade = frustum(r, 0.6 * r, 1.3 * r)
    return [Part(pole(0.2, 0.03), 2), Part(pole(0.025, height), 2), Part(place(shade, 0, 0, height - 0.2), 1)]


def sofa(rng: np.random.Generator) -> Object:
    """A sofa or an armchair."""
    width, seat = rng.uniform(0.9, 2.2), 0.4
    arms = [place(box(0.18, 0.8, seat + 0.2), side * width / 2, 0, 0) for side in (-1, 1)]
    return [Part(mesh, 1) for mesh in (box(width, 0.8, seat), place(box(width, 0.2, 0.85), 0, 0.4, 0), *arms)]


def ladder(rng: np.random.Generator) -> Object:
    """A step ladder of thin bars."""
    height, width = rng.uniform(1.3, 2.0), 0.45
    bars = [beam((x, side * 0.45, 0), (0.7 * x, 0, height), 0.05) for x in (-width / 2, width / 2) for side in (-1, 1)]
    for t in np.arange(0.15, 0.95, 0.16):
        x, y = width / 2 * (1 - 0.3 * t), -0.45 * (1 - t)
        bars.append(beam((-x, y, t * height), (x, y, t * height), 0.06))
    return [Part(mesh, 2) for mesh in bars]


def potted_plant(rng: np.random.Generator) -> Object:
    """A pot with a bush; slots: none, pot, none, leaves."""
    size = rng.uniform(0.5, 1.0)
    pot = frustum(0.2 * size, 0.28 * size, 0.4 * size)
    return [Part(pot, 1), *(Part(part.mesh, 3) for part in move(bush(rng, size), 0, 0, 0.4 * size))]
