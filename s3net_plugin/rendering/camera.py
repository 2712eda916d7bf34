"""The pinhole camera of a scene, looking towards +y."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Camera(NamedTuple):
    """``origin`` and ``target`` are points (3,), ``roll`` and ``fov`` (of the square image) degrees."""

    origin: np.ndarray
    target: np.ndarray
    roll: float
    fov: float

    def axes(self) -> np.ndarray:
        """Unit vectors to the right, up and forward in the image, the rows of a (3, 3) array."""
        forward = self.target - self.origin
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        cosine, sine = np.cos(np.deg2rad(self.roll)), np.sin(np.deg2rad(self.roll))
        return np.stack([cosine * right + sine * up, cosine * up - sine * right, forward])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Image coordinates of ``points`` (..., 3): x to the right and y up, [-1, 1] in view, and depth; (..., 3)."""
        local = (points - self.origin) @ self.axes().T
        scale = np.tan(np.deg2rad(self.fov / 2)) * local[..., 2:]
        return np.concatenate([local[..., :2] / scale, local[..., 2:]], axis=-1)

    def ground_point(self, x: float, y: float) -> np.ndarray:
        """The point (3,) of the plane z = 0 that appears at image coordinates (x, y) in [-1, 1]."""
        right, up, forward = self.axes()
        ray = forward + np.tan(np.deg2rad(self.fov / 2)) * (x * right + y * up)
        return self.origin - ray * (self.origin[2] / ray[2])


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw a camera over ground; the upper edge of its view points at least 10 degrees down, so depth is bounded."""
    fov = rng.uniform(36, 46)
    pitch = np.deg2rad(rng.uniform(max(28.0, fov / 2 + 10), 50))
    distance = rng.uniform(10.5, 14.5)
    target = np.array([rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), 0.4])
    origin = target + distance * np.array([0.0, -np.cos(pitch), np.sin(pitch)])
    return Camera(origin=origin, target=target, roll=rng.uniform(-2, 2), fov=fov)
