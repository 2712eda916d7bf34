"""Triangle meshes in NumPy, with smooth or hard normals and texture coordinates in world units.

A texture is laid over a surface at a fixed size in the world (``texcoords`` are lengths; the material divides them by
the size of its pattern), so bricks are as large on a tower as on a wall. Right-handed, z up, outward normals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from s3net_plugin.rendering.noise import smoothstep


class Mesh(NamedTuple):
    """``vertices`` (V, 3), ``normals`` (V, 3) of unit length, ``texcoords`` (V, 2), ``faces`` (F, 3) of indices."""

    vertices: np.ndarray
    normals: np.ndarray
    texcoords: np.ndarray
    faces: np.ndarray


def merge(meshes: Iterable[Mesh]) -> Mesh:
    """Join meshes into one; they keep their own vertices."""
    parts = list(meshes)
    offsets = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    shifted = [part._replace(faces=part.faces + offset) for part, offset in zip(parts, offsets, strict=True)]
    return Mesh(*(np.concatenate(fields) for fields in zip(*shifted, strict=True)))


def rotation(yaw: float) -> np.ndarray:
    """The (3, 3) matrix that turns a column about the vertical by ``yaw`` degrees."""
    angle = np.deg2rad(yaw)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def place(mesh: Mesh, x: float, y: float, z: float, yaw: float = 0.0) -> Mesh:
    """Turn ``mesh`` about the vertical by ``yaw`` degrees, then move its origin to (x, y, z)."""
    turn = rotation(yaw)
    return mesh._replace(vertices=mesh.vertices @ turn.T + (x, y, z), normals=mesh.normals @ turn.T)


def _grid_faces(rows: int, columns: int) -> np.ndarray:
    """Two triangles for each square of a row-major grid of vertices, (F, 3)."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + columns + 1], axis=1)
    upper = np.stack([corner, corner + columns + 1, corner + columns], axis=1)
    return np.concatenate([lower, upper])


def box(width: float, depth: float, height: float) -> Mesh:
    """A cuboid along x, y and z that stands on z = 0 with its foot centred at the origin."""
    half = np.array([width / 2, depth / 2, height / 2])
    sides = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            # the texture stands upright on the four sides and lies along x on top
            across, up = {0: (1, 2), 1: (0, 2), 2: (0, 1)}[axis]
            corners = np.zeros((4, 3))
            corners[:, axis] = sign * half[axis]
            corners[:, across] = np.array([-1, 1, 1, -1]) * half[across]
            corners[:, up] = np.array([-1, -1, 1, 1]) * half[up]
            texcoords = corners[:, (across, up)]
            normal = np.zeros(3)
            normal[axis] = sign
            faces = np.array([[0, 1, 2], [0, 2, 3]])
            if np.cross(corners[1] - corners[0], corners[2] - corners[0]) @ normal < 0:
                faces = faces[:, ::-1]
            corners[:, 2] += half[2]
            sides.append(Mesh(corners, np.tile(normal, (4, 1)), texcoords, faces))
    return merge(sides)


def lathe(profile: Sequence[Sequence[tuple[float, float]]], segments: int = 40) -> Mesh:
    """A surface of revolution about z from its outline, from the bottom to the top.

    ``profile`` is a list of smooth pieces, each a sequence of at least two (radius, height); the surface has an edge
    between one piece and the next.
    """
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    strips = []
    start = 0.0
    for piece in profile:
        radius, height = np.array(piece, dtype=float).T
        tangent = np.gradient(np.stack([radius, height], axis=1), axis=0)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
        length = start + np.concatenate([[0], np.cumsum(np.hypot(np.diff(radius), np.diff(height)))])
        start = length[-1]

        def spin(out: np.ndarray, up: np.ndarray) -> np.ndarray:
            """Points or vectors (rows * (segments + 1), 3) with distance ``out`` from the axis and height ``up``."""
            x, y = out[:, None] * np.cos(angle), out[:, None] * np.sin(angle)
            return np.stack([x, y, np.broadcast_to(up[:, None], x.shape)], axis=-1).reshape(-1, 3)

        around = np.broadcast_to(angle * max(radius.max(), 1e-3), (len(radius), len(angle)))
        along = np.broadcast_to(length[:, None], around.shape)
        texcoords = np.stack([around, along], axis=-1).reshape(-1, 2)
        normals = spin(tangent[:, 1], -tangent[:, 0])
        strips.append(Mesh(spin(radius, height), normals, texcoords, _grid_faces(*around.shape)))
    return merge(strips)


def frustum(foot: float, top: float, height: float, segments: int = 40) -> Mesh:
    """A truncated cone from radius ``foot`` to ``top``, open below and closed above; a cylinder where both are one."""
    return lathe([[(foot, 0), (top, height)], [(top, height), (0, height)]], segments)


def ball(radius: float) -> Mesh:
    """A sphere that touches z = 0 at the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 21)
    return lathe([list(zip(radius * np.cos(angle), radius * (1 + np.sin(angle)), strict=True))])


def boulder(rng: np.random.Generator, radius: float) -> Mesh:
    """A lumpy, flattened sphere, sunk a little into z = 0: the unit sphere pushed out by random plane waves."""
    smooth = ball(1.0)
    direction = smooth.vertices - (0, 0, 1)
    waves = rng.normal(0, 1.0, (24, 3)) * np.geomspace(0.8, 5.0, 24)[:, None]
    weight = 0.11 / np.geomspace(1, 3.0, 24)
    phase = rng.uniform(0, 2 * np.pi, 24)
    reach = 1 + np.sin(direction @ waves.T + phase) @ weight
    stretch = np.append(rng.uniform(0.8, 1.2, 2), rng.uniform(0.6, 0.95))
    vertices = direction * reach[:, None] * stretch * radius
    vertices[:, 2] -= 0.8 * vertices[:, 2].min()
    return Mesh(vertices, vertex_normals(vertices, smooth.faces), smooth.texcoords * radius, smooth.faces)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Normals (V, 3), each the mean of the faces around it weighted by area; vertices at one place share theirs."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    face_normals = np.cross(b - a, c - a)
    _, place_of = np.unique(np.round(vertices, 6), axis=0, return_inverse=True)
    place_of = place_of.reshape(-1)
    total = np.zeros((place_of.max() + 1, 3))
    np.add.at(total, place_of[faces].reshape(-1), np.repeat(face_normals, 3, axis=0))
    normals = total[place_of]
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


class Ground:
    """A plane or rolling ground (a sum of sines), level from 25 units outwards so that it reaches far away."""

    HALF_WIDTH = 150.0

    def __init__(self, waves: np.ndarray | None = None) -> None:
        """``waves`` (K, 4): amplitude, two angular frequencies and a phase of each sine; None is a plane."""
        self.waves = waves

    def height(self, x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
        """Height at (x, y), of their common shape."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        total = np.zeros(np.broadcast(x, y).shape)
        if self.waves is not None:
            for amplitude, u, v, phase in self.waves:
                total = total + amplitude * np.sin(u * x + v * y + phase)
        return total * smoothstep(25.0, 12.0, np.hypot(x, y))

    def mesh(self) -> Mesh:
        """A square of side 2 HALF_WIDTH; rolling ground gets a grid that is fine near the origin."""
        if self.waves is None:
            ticks = np.array([-1.0, 1.0]) * self.HALF_WIDTH
        else:
            fine = np.linspace(-1, 1, 181)
            ticks = self.HALF_WIDTH * (0.12 * fine + 0.88 * fine**7)
        x, y = np.meshgrid(ticks, ticks)
        vertices = np.stack([x, y, self.height(x, y)], axis=-1).reshape(-1, 3)
        faces = _grid_faces(len(ticks), len(ticks))
        return Mesh(vertices, vertex_normals(vertices, faces), vertices[:, :2].copy(), faces)
