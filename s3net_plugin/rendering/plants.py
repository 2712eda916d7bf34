"""Trees, bushes and grass of many small leaves, as objects (slots: wood, leaves) that stand at the origin."""

from __future__ import annotations

import numpy as np

from s3net_plugin.rendering.meshes import Mesh, lathe, merge
from s3net_plugin.rendering.objects import Object, Part
from s3net_plugin.rendering.structures import beam


def leaves(rng: np.random.Generator, centres: np.ndarray, size: float) -> Mesh:
    """A square of side ``size``, turned at random, around each of ``centres`` (N, 3)."""
    axes, _ = np.linalg.qr(rng.standard_normal((len(centres), 3, 2)))  # two unit vectors, as columns
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 2
    vertices = centres[:, None] + np.einsum('kc,nac->nka', corners, axes)
    normals = np.repeat(np.cross(axes[..., 0], axes[..., 1]), 4, axis=0)
    texcoords = corners + rng.uniform(0, 10, (len(centres), 1, 2))
    first = 4 * np.arange(len(centres))[:, None]
    faces = np.concatenate([first + np.array([0, 1, 2]), first + np.array([0, 2, 3])])
    return Mesh(vertices.reshape(-1, 3), normals, texcoords.reshape(-1, 2), faces)


def _shell(rng: np.random.Generator, centre: np.ndarray, radius: float, count: int) -> np.ndarray:
    """Points (count, 3) in the outer half of a ball."""
    points = rng.standard_normal((count, 3))
    points *= (rng.uniform(0.5, 1.0, count) / np.linalg.norm(points, axis=1))[:, None]
    return centre + radius * points


def tree(rng: np.random.Generator, height: float) -> Object:
    """A broad-leaved tree, a conifer or a bare tree."""
    kind = rng.random()
    lean = rng.uniform(-0.06, 0.06, 2) * height
    trunk = lathe([[(0.035 * height, 0), (0.02 * height, 0.5 * height), (0.006 * height, 0.93 * height)]], segments=10)
    bend = (trunk.vertices[:, 2:] / height) ** 2 * lean
    wood = [trunk._replace(vertices=trunk.vertices + np.column_stack([bend, np.zeros(len(bend))]))]
    if kind < 0.3:
        level = 1 - np.sqrt(rng.uniform(0.03, 1, 900))
        angle, out = rng.uniform(0, 2 * np.pi, 900), 0.26 * height * (1 - level) * rng.uniform(0.5, 1, 900)
        out *= 0.75 + 0.25 * np.cos(level * 40)  # tiers of branches
        centres = np.stack([out * np.cos(angle), out * np.sin(angle), height * (0.15 + 0.85 * level)], axis=1)
        return [Part(wood[0], 0), Part(leaves(rng, centres, 0.05 * height), 1)]
    branches = int(rng.integers(5, 10))
    ends = []
    for angle in 2 * np.pi * (np.arange(branches) + rng.uniform(0, 1)) / branches:
        start = np.array([0, 0, height * rng.uniform(0.3, 0.6)])
        end = start + height * rng.uniform(0.15, 0.3) * np.array([np.cos(angle), np.sin(angle), rng.uniform(0.5, 1.3)])
        wood.append(beam(start, end, 0.018 * height))
        ends.append(end)
        for _ in range(3 if kind > 0.85 else 0):
            twig = end + height * rng.uniform(0.08, 0.16) * np.array([*rng.uniform(-1, 1, 2), rng.uniform(0.3, 1)])
            wood.append(beam(start + rng.uniform(0.5, 1) * (end - start), twig, 0.009 * height))
    if kind > 0.85:
        return [Part(merge(wood), 0)]
    ends.append(np.array([*lean, 0.85 * height]))
    clouds = [_shell(rng, end, height * rng.uniform(0.11, 0.2), 110) for end in ends]
    return [Part(merge(wood), 0), Part(leaves(rng, np.concatenate(clouds), 0.055 * height), 1)]


def bush(rng: np.random.Generator, size: float) -> Object:
    """A low bush, about ``size`` wide."""
    centres = np.concatenate(
        [_shell(rng, np.array([*rng.uniform(-0.2, 0.2, 2), 0.25]) * size, 0.3 * size, 90) for _ in range(4)]
    )
    centres[:, 2] = np.abs(centres[:, 2])
    return [Part(leaves(rng, centres, 0.11 * size), 1)]


def grass(rng: np.random.Generator, roots: np.ndarray, height: float) -> Mesh:
    """A tuft of upright blades (triangles) at each of ``roots`` (N, 3)."""
    roots = np.repeat(roots, 7, axis=0) + np.column_stack(
        [rng.normal(0, 0.3 * height, (7 * len(roots), 2)), np.zeros(7 * len(roots))]
    )
    angle = rng.uniform(0, 2 * np.pi, len(roots))
    across = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(roots))], axis=1)
    tips = np.column_stack([rng.normal(0, 0.25, (len(roots), 2)), rng.uniform(0.5, 1.0, len(roots))]) * height
    vertices = np.stack([roots - 0.06 * height * across, roots + 0.06 * height * across, roots + tips], axis=1)
    normals = np.cross(across, tips)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    texcoords = np.stack([vertices @ (1.0, 0, 0), vertices @ (0, 0, 1.0)], axis=-1)
    faces = np.arange(3 * len(roots)).reshape(-1, 3)
    return Mesh(vertices.reshape(-1, 3), np.repeat(normals, 3, axis=0), texcoords.reshape(-1, 2), faces)
