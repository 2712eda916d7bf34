"""Things with straight edges, thin parts and roofs, as objects of several materials at the origin, front to -y."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from s3net_plugin.rendering.meshes import Mesh, box, frustum, lathe, merge, place
from s3net_plugin.rendering.objects import Object, Part, move

Point = Sequence[float] | np.ndarray


def polygon(points: Sequence[Point] | np.ndarray) -> Mesh:
    """A flat convex polygon; it faces the side from which ``points`` go anticlockwise."""
    corners = np.asarray(points, dtype=float)
    normal = np.cross(corners, np.roll(corners, -1, axis=0)).sum(0)
    normal /= np.linalg.norm(normal)
    along = corners[1] - corners[0]
    along /= np.linalg.norm(along)
    texcoords = np.stack([corners @ along, corners @ np.cross(normal, along)], axis=1)
    fan = np.array([[0, i, i + 1] for i in range(1, len(corners) - 1)])
    return Mesh(corners, np.tile(normal, (len(corners), 1)), texcoords, fan)


def taper(foot: tuple[float, float], top: tuple[float, float], height: float) -> Mesh:
    """A box whose top (width, depth) differs from its foot; a gable roof where the top's depth is 0."""
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    low = np.column_stack([signs * np.array(foot) / 2, np.zeros(4)])
    high = np.column_stack([signs * np.array(top) / 2, np.full(4, height)])
    sides = []
    for i, j in ((0, 1), (1, 2), (2, 3), (3, 0)):
        side = [low[i], low[j], high[j], high[i]]
        sides.append(polygon(side[:3] if np.allclose(high[i], high[j]) else side))
    if min(top) > 0:
        sides.append(polygon(high))
    return merge(sides)


def beam(start: Point, end: Point, thickness: float) -> Mesh:
    """A bar of square section from one point to another."""
    first, last = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    length = float(np.linalg.norm(last - first))
    ahead = (last - first) / length
    side = np.cross(ahead, (0.0, 0.0, 1.0) if abs(ahead[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(ahead, side), ahead])
    mesh = box(thickness, thickness, length)
    return mesh._replace(vertices=mesh.vertices @ axes + first, normals=mesh.normals @ axes)


def pole(radius: float, height: float) -> Mesh:
    """A thin upright cylinder."""
    return frustum(radius, radius, height, segments=12)


def wire(start: Point, end: Point, sag: float) -> Mesh:
    """A hanging wire between two points, of eight straight pieces."""
    t = np.linspace(0, 1, 9)[:, None]
    points = np.asarray(start) * (1 - t) + np.asarray(end) * t - np.array([0, 0, sag]) * 4 * t * (1 - t)
    return merge(beam(a, b, 0.03) for a, b in pairwise(points))


def fence(length: float, height: float, spacing: float, *, thickness: float = 0.05) -> Object:
    """Upright bars along x between two rails: a fence, a railing or a grid."""
    bars = [
        place(box(thickness, thickness, height), x, 0, 0)
        for x in np.linspace(-length / 2, length / 2, max(round(length / spacing), 1) + 1)
    ]
    rails = [place(box(length, 1.4 * thickness, thickness), 0, 0, z) for z in (height, 0.25 * height)]
    return [Part(merge([*bars, *rails]), 0)]


def lamp_post(rng: np.random.Generator, height: float) -> Object:
    """A post with one arm or two, a lamp at the end of each; slots: metal, lamp."""
    reach = height * rng.uniform(0.15, 0.3)
    parts = [Part(pole(0.014 * height + 0.02, height), 0)]
    for side in (-1, 1)[: int(rng.integers(1, 3))]:
        parts.append(Part(beam((0, 0, 0.97 * height), (side * reach, 0, 1.02 * height), 0.06), 0))
        parts.append(Part(place(taper((0.3, 0.3), (0.15, 0.15), 0.2), side * reach, 0, 0.98 * height), 1))
    return parts


def wall(length: float, height: float, thickness: float, openings: Sequence[tuple[float, float, float, float]]) -> Mesh:
    """A wall along x with rectangular openings that do not overlap along it: (left, right, sill, lintel) of each."""
    pieces, end = [], -length / 2
    for left, right, sill, lintel in [*sorted(openings), (length / 2, length / 2, 0.0, 0.0)]:
        spans = [(end, left, 0.0, height), (left, right, 0.0, sill), (left, right, lintel, height)]
        for a, b, low, high in spans:
            if b - a > 1e-6 and high - low > 1e-6:
                pieces.append(place(box(b - a, thickness, high - low), (a + b) / 2, 0, low))
        end = right
    return merge(pieces)


def window(width: float, height: float) -> Object:
    """A window on the wall y = 0, its foot at z = 0; slots: none, none, frame, glass."""
    bars = [place(box(0.08, 0.1, height), x, 0, 0) for x in (-width / 2, 0, width / 2)]
    bars += [place(box(width + 0.2, 0.2, 0.08), 0, 0, -0.08), place(box(width + 0.1, 0.1, 0.08), 0, 0, height)]
    return [Part(merge(bars), 2), Part(place(box(width, 0.03, height), 0, 0, 0), 3)]


def balcony(width: float) -> Object:
    """A slab with a railing before the wall y = 0; slots: none, none, frame."""
    railing = fence(width, 0.7, 0.2, thickness=0.04)[0].mesh
    slab = place(box(width, 0.8, 0.12), 0, -0.4, 0)
    sides = [beam((x, 0, 0.8), (x, -0.75, 0.8), 0.05) for x in (-width / 2, width / 2)]
    return [Part(merge([slab, place(railing, 0, -0.75, 0.1), *sides]), 2)]


def house(rng: np.random.Generator, width: float, depth: float, height: float, *, storey: float = 2.6) -> Object:
    """A house with windows on its front and a gable, hip or flat roof; slots: walls, roof, frame, glass."""
    parts = [Part(box(width, depth, height), 0)]
    columns, rows = max(int(width / rng.uniform(1.4, 2.4)), 1), max(round(height / storey), 1)
    pitch, rise = width / columns, height / rows
    door, with_balcony = int(rng.integers(columns)), rng.random() < 0.5
    span, tall = min(0.55 * pitch, 1.2), 0.5 * rise
    for row in range(rows):
        for column in range(columns):
            x, y, z = (column + 0.5 - columns / 2) * pitch, -depth / 2 - 0.02, row * rise
            if row == 0 and column == door:
                parts += move([Part(box(1.1 * span, 0.12, 0.8 * rise), 2)], x, y, 0)
                parts += move([Part(box(1.6 * span, 0.7, 0.15), 0)], x, y - 0.35, 0)
            else:
                parts += move(window(span, tall), x, y, z + 0.3 * rise)
            if row and with_balcony and rng.random() < 0.5:
                parts += move(balcony(0.85 * pitch), x, y, z + 0.1)
    kind, peak = rng.random(), depth * rng.uniform(0.25, 0.5)
    if kind < 0.5:
        roof = taper((width, depth + 0.6), (width, 0), peak)
    elif kind < 0.75:
        roof = taper((width + 0.5, depth + 0.5), (0.4 * width, 0.3 * depth), 0.7 * peak)
    else:
        roof = box(width + 0.3, depth + 0.3, 0.25)
    parts.append(Part(place(roof, 0, 0, height), 1))
    if rng.random() < 0.6:
        chimney = box(0.5, 0.5, peak + 0.5)
        parts.append(Part(place(chimney, rng.uniform(-0.35, 0.35) * width, 0.15 * depth, height), 0))
    return parts


def _wheel(radius: float, width: float) -> Mesh:
    mesh = lathe([[(0, 0), (radius, 0)], [(radius, 0), (radius, width)], [(radius, width), (0, width)]], segments=20)
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # the axis from z to -y
    return mesh._replace(vertices=mesh.vertices @ turn.T + (0, width / 2, radius), normals=mesh.normals @ turn.T)


def vehicle(rng: np.random.Generator) -> Object:
    """A car, van or cart along x; slots: body, none, tyres, glass."""
    length, width, r = rng.uniform(2.6, 4.0), rng.uniform(1.3, 1.6), 0.3
    parts = [Part(place(taper((length, width), (0.97 * length, 0.94 * width), 0.5), 0, 0, 0.25), 0)]
    kind = rng.random()
    if kind < 0.5:
        parts.append(Part(place(taper((0.6 * length, 0.9 * width), (0.4 * length, 0.75 * width), 0.5), 0, 0, 0.75), 3))
        parts.append(Part(place(box(0.41 * length, 0.77 * width, 0.06), 0, 0, 1.24), 0))
    elif kind < 0.8:
        parts.append(Part(place(box(0.7 * length, 0.94 * width, 1.1), 0.12 * length, 0, 0.75), 0))
        cabin = taper((0.28 * length, 0.9 * width), (0.15 * length, 0.85 * width), 0.7)
        parts.append(Part(place(cabin, -0.34 * length, 0, 0.75), 3))
    else:
        load = rng.uniform(0.5, 0.9)
        parts.append(Part(place(box(0.5 * length, 0.7 * width, load), 0.1 * length, 0, 0.75), 3))
    for x in (-0.32, 0.32):
        parts += [Part(place(_wheel(r, 0.2), x * length, y * width / 2, 0), 2) for y in (-0.95, 0.95)]
    return parts


def arcade(rng: np.random.Generator, length: float, height: float) -> Object:
    """Columns along x under a lintel that reaches back to a wall at y = 1.5; slots: stone, roof."""
    count = max(int(length / rng.uniform(1.6, 2.4)), 2)
    post, parts = pole(rng.uniform(0.12, 0.2), height), []
    for x in np.linspace(-length / 2 + 0.3, length / 2 - 0.3, count):
        parts += [Part(place(post, x, 0, 0), 0), Part(place(box(0.5, 0.5, 0.2), x, 0, 0), 0)]
    return [*parts, Part(place(box(length, 1.9, 0.3), 0, 0.7, height), 1)]
