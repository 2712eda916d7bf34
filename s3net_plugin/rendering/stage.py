"""What a style makes, a ``Scene``, and the ``Stage`` on which the styles with a horizon put one together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from s3net_plugin.rendering import objects
from s3net_plugin.rendering.camera import Camera
from s3net_plugin.rendering.light import BRIGHT_LEVEL
from s3net_plugin.rendering.materials import Material
from s3net_plugin.rendering.meshes import Mesh, merge, place, rotation

_CLEARANCE = 1.2  # units that stay free around the camera


class Surface(NamedTuple):
    """All geometry that wears one material."""

    mesh: Mesh
    material: Material


class Sky(NamedTuple):
    """Linear colours (3,) of the sky at the horizon and overhead under white light, the sun's irradiance being pi."""

    horizon: np.ndarray
    zenith: np.ndarray

    def view(self, camera: Camera, size: int) -> np.ndarray:
        """The sky behind everything, (size, size, 3): a gradient over the height above the horizon."""
        ticks = ((np.arange(size) + 0.5) / size * 2 - 1) * np.tan(np.deg2rad(camera.fov / 2))
        right, up, forward = camera.axes()
        rays = forward + ticks[None, :, None] * right - ticks[:, None, None] * up
        sine = rays[..., 2] / np.linalg.norm(rays, axis=-1)
        return self.horizon + (self.zenith - self.horizon) * np.sqrt(np.clip(sine, 0, 1))[..., None]


class Scene(NamedTuple):
    """``elevation`` of the sun in degrees; ``ambient`` radiance of the sky where the sun's irradiance is pi.

    The 95th percentile of the pictures' luminance is exposed to ``level``. Where the view may leave the surfaces,
    ``sky`` is what it meets and ``far`` the distance at which depth ends; a view without them is closed.
    """

    surfaces: list[Surface]
    camera: Camera
    elevation: float
    ambient: float
    level: float = BRIGHT_LEVEL
    sky: Sky | None = None
    far: float = np.inf


def draw_sky(rng: np.random.Generator) -> Sky:
    """A sky about as bright as sunlit ground, paler at the horizon."""
    horizon = rng.uniform(0.12, 0.35) * np.array([0.97, 1.0, 1.05])
    return Sky(horizon, horizon * rng.uniform(0.45, 0.9) * np.array([rng.uniform(0.6, 0.95), 0.95, 1.2]))


def look(origin: Sequence[float], pitch: float, fov: float, heading: float = 0.0, roll: float = 0.0) -> Camera:
    """A camera at ``origin`` that looks ``pitch`` degrees down and ``heading`` degrees to the left of +y."""
    down, left = np.deg2rad(pitch), np.deg2rad(heading)
    forward = np.array([-np.sin(left) * np.cos(down), np.cos(left) * np.cos(down), -np.sin(down)])
    start = np.asarray(origin, dtype=float)
    return Camera(start, start + forward, roll, fov)


class Stage:
    """Collects meshes by the name of their material and keeps footprints (circles) apart and off the camera."""

    def __init__(self, rng: np.random.Generator, camera: Camera) -> None:
        self.rng, self.camera = rng, camera
        self.meshes: dict[str, list[Mesh]] = {}
        self.circles = [(float(camera.origin[0]), float(camera.origin[1]), _CLEARANCE)]

    def put(self, mesh: Mesh, material: str, x: float = 0, y: float = 0, z: float = 0, yaw: float = 0) -> None:
        """Put a mesh of one material at (x, y, z) whatever stands there."""
        self.meshes.setdefault(material, []).append(place(mesh, x, y, z, yaw))

    def add(
        self, parts: objects.Object, wear: Sequence[str], x: float = 0, y: float = 0, z: float = 0, yaw: float = 0
    ) -> None:
        """Put ``parts`` at (x, y, z) whatever stands there; ``wear`` names the material of each slot."""
        for part in parts:
            self.put(part.mesh, wear[part.slot], x, y, z, yaw)

    def stand(
        self,
        parts: objects.Object,
        wear: Sequence[str],
        x: float,
        y: float,
        *,
        z: float = 0.0,
        yaw: float | None = None,
        max_extent: float = 0.6,
    ) -> bool:
        """Put ``parts`` at a free place; False if it is taken or they would fill too much of the picture.

        ``max_extent`` bounds the larger dimension over the distance from the camera, as far as the camera sees it.
        """
        radius = objects.radius(parts)
        if any(np.hypot(x - cx, y - cy) < radius + r for cx, cy, r in self.circles):
            return False
        across, _, depth = self.camera.project(np.array([x, y, z]))
        reach = radius / max(depth, 1e-6) / np.tan(np.deg2rad(self.camera.fov / 2))
        seen = depth > 0 and abs(across) < 1 + reach
        if seen and max(2 * radius, objects.height(parts)) > max_extent * depth:
            return False
        self.circles.append((x, y, radius))
        self.add(parts, wear, x, y, z, self.rng.uniform(0, 360) if yaw is None else yaw)
        return True

    def half_width(self, y: float) -> float:
        """Half the width of the view, ``y`` along the ground, were the camera level and without heading."""
        return float(max(y - self.camera.origin[1], 0.0) * np.tan(np.deg2rad(self.camera.fov / 2)))

    def surfaces(self, materials: Mapping[str, Material]) -> list[Surface]:
        """The surfaces of all ``materials`` that something wears."""
        return [Surface(merge(self.meshes[name]), materials[name]) for name in materials if name in self.meshes]


def face_north(surfaces: list[Surface], camera: Camera, heading: float) -> tuple[list[Surface], Camera]:
    """Turn everything by -``heading`` degrees about the origin, so that such a camera looks along +y."""
    turn = rotation(-heading)
    turned = [Surface(place(surface.mesh, 0, 0, 0, -heading), surface.material) for surface in surfaces]
    return turned, camera._replace(origin=turn @ camera.origin, target=turn @ camera.target)
