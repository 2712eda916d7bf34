"""Free-standing objects, each built from one or two materials at the origin: things that cast telling shadows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from s3net_plugin.rendering.meshes import Mesh, ball, boulder, box, frustum, lathe, place


class Part(NamedTuple):
    """A mesh and the ``slot`` of the object's materials (0 the body, 1 the trim) that it wears."""

    mesh: Mesh
    slot: int


Object = list[Part]


def radius(parts: Object) -> float:
    """Radius of the upright cylinder about the origin that holds the whole object."""
    return max(float(np.hypot(*part.mesh.vertices[:, :2].T).max()) for part in parts)


def height(parts: Object) -> float:
    """Highest point of the object."""
    return max(float(part.mesh.vertices[:, 2].max()) for part in parts)


def move(parts: Object, x: float, y: float, z: float, yaw: float = 0.0) -> Object:
    """The object turned by ``yaw`` degrees, its origin moved to (x, y, z)."""
    return [Part(place(part.mesh, x, y, z, yaw), part.slot) for part in parts]


def drum(r: float, h: float, slot: int = 0) -> Object:
    """An upright cylinder with a cap."""
    return [Part(frustum(r, r, h), slot)]


def _crate(rng: np.random.Generator, size: float) -> Object:
    base = Part(box(size, size * rng.uniform(0.6, 1.2), size * rng.uniform(0.5, 1.1)), 0)
    if rng.random() < 0.5:
        return [base]
    top = make_object(rng, size * rng.uniform(0.35, 0.6), ('crate', 'ball', 'cone', 'drum', 'boulder', 'vase'))
    return [base, *(Part(part.mesh, 1 - part.slot) for part in move(top, 0, 0, height([base]), rng.uniform(0, 90)))]


def _ball(rng: np.random.Generator, size: float) -> Object:
    return [Part(ball(0.5 * size), 0)]


def _drum(rng: np.random.Generator, size: float) -> Object:
    return drum(0.45 * size, size * rng.uniform(0.5, 1.5))


def _cone(rng: np.random.Generator, size: float) -> Object:
    return [Part(lathe([[(0.5 * size, 0), (0, size * rng.uniform(0.9, 1.8))]]), 0)]


def _vase(rng: np.random.Generator, size: float) -> Object:
    t = np.linspace(0, 1, 25)
    belly, neck, phase = rng.uniform(0.1, 0.2), rng.uniform(0.0, 0.1), rng.uniform(-0.5, 1.0)
    r = size * (0.25 + belly * np.sin(np.pi * (1.7 * t + 0.1)) + neck * np.sin(2 * np.pi * (t + phase)))
    h = size * rng.uniform(1.0, 1.6)
    body = list(zip(r, h * t, strict=True))
    return [Part(lathe([body, [(r[-1], h), (0.8 * r[-1], h)], [(0.8 * r[-1], h), (0.7 * r[-1], 0.7 * h)]]), 0)]


def _column(rng: np.random.Generator, size: float) -> Object:
    r = 0.28 * size
    h = size * rng.uniform(2.0, 4.0)
    t = np.linspace(0, 1, 9)
    shaft = lathe([list(zip(r * (1 - 0.18 * t**2), 0.25 * size + h * t, strict=True))])
    plinth = box(0.8 * size, 0.8 * size, 0.25 * size)
    capital = place(box(0.7 * size, 0.7 * size, 0.2 * size), 0, 0, 0.25 * size + h)
    return [Part(shaft, 0), Part(plinth, 1), Part(capital, 1)]


def _tower(rng: np.random.Generator, size: float) -> Object:
    parts: Object = []
    top, width = 0.0, 0.9 * size
    square = rng.random() < 0.6
    for storey in range(int(rng.integers(2, 6))):
        h = width * rng.uniform(0.5, 1.1)
        block = [Part(box(width, width, h), storey % 2)] if square else drum(0.5 * width, h, storey % 2)
        parts += move(block, 0, 0, top, rng.uniform(-25, 25))
        top += h
        width *= rng.uniform(0.7, 0.98)
    if rng.random() < 0.5:
        parts += move([Part(lathe([[(0.55 * width, 0), (0, width)]]), 1)], 0, 0, top)
    return parts


def _boulder(rng: np.random.Generator, size: float) -> Object:
    return [Part(boulder(rng, 0.5 * size), 0)]


def _stairs(rng: np.random.Generator, size: float) -> Object:
    steps = int(rng.integers(3, 6))
    tread, rise = 0.3 * size, 0.22 * size
    return [Part(place(box(size, tread * (steps - i), rise), 0, tread * i / 2, rise * i), i % 2) for i in range(steps)]


def _gate(rng: np.random.Generator, size: float) -> Object:
    span, post, h = 0.9 * size, 0.25 * size, size * rng.uniform(1.0, 1.6)
    lintel = place(box(span + 2 * post, 1.1 * post, post), 0, 0, h)
    return [Part(place(box(post, post, h), side * span / 2, 0, 0), 0) for side in (-1, 1)] + [Part(lintel, 1)]


_MAKERS = (_crate, _ball, _drum, _cone, _vase, _column, _tower, _boulder, _stairs, _gate)
KINDS = {maker.__name__[1:]: maker for maker in _MAKERS}


def make_object(rng: np.random.Generator, size: float, kinds: tuple[str, ...] = tuple(KINDS)) -> Object:
    """Draw an object of one of the named ``kinds``, about ``size`` wide, standing on z = 0 at the origin."""
    return KINDS[kinds[int(rng.integers(len(kinds)))]](rng, size)
