"""Walls and objects on open ground, seen from above so that no horizon is in view; tall things beside the view."""

from __future__ import annotations

import numpy as np

from s3net_plugin.rendering import objects
from s3net_plugin.rendering.camera import Camera, draw_camera
from s3net_plugin.rendering.materials import OBJECT_PATTERNS, WALL_PATTERNS, draw_surface
from s3net_plugin.rendering.meshes import Ground, Mesh, box, merge, place
from s3net_plugin.rendering.stage import Scene, Surface

_OBJECT_MATERIALS = 6
_GROUND_PATTERNS = ('brick', 'tile', 'plank', 'soil', 'cobble', 'plaster')
_GLOSS_SHARES = {'matte': 0.75, 'plastic': 0.18, 'metal': 0.07}
_FARTHEST = 13.0  # objects stand no farther than this beyond the origin


class _Layout:
    """Where things stand: keeps footprints (circles) apart and inside the part of the ground that is in view."""

    def __init__(self, rng: np.random.Generator, camera: Camera, ground: Ground) -> None:
        self.rng, self.camera, self.ground = rng, camera, ground
        self.near = float(camera.ground_point(0, -0.95)[1])
        self.far = min(float(camera.ground_point(0, 0.9)[1]), _FARTHEST)
        self.circles: list[tuple[float, float, float]] = []

    def half_width(self, y: float) -> float:
        """Half the width of the view at ground level, ``y`` units beyond the origin."""
        depth = self.camera.project(np.array([0.0, y, 0.0]))[2]
        return float(depth * np.tan(np.deg2rad(self.camera.fov / 2)))

    def stand(self, parts: objects.Object, max_extent: float) -> objects.Object | None:
        """Stand an object on a random free spot; None if it does not fit or would fill too much of the picture.

        ``max_extent`` bounds its larger dimension over its distance from the camera.
        """
        y = self.rng.uniform(self.near, self.far)
        x = self.rng.uniform(-1, 1) * self.half_width(y)
        radius = objects.radius(parts)
        depth = self.camera.project(np.array([x, y, 0.0]))[2]
        if max(2 * radius, objects.height(parts)) > max_extent * depth or y + radius > self.far:
            return None
        if any(np.hypot(x - cx, y - cy) < radius + r for cx, cy, r in self.circles):
            return None
        self.circles.append((x, y, radius))
        rim = np.linspace(0, 2 * np.pi, 8)
        base = self.ground.height(x + 0.7 * radius * np.cos(rim), y + 0.7 * radius * np.sin(rim)).min()
        return objects.move(parts, x, y, float(base), self.rng.uniform(0, 360))

    def occluder(self) -> Mesh | None:
        """A tall box beside the view, whose shadow falls into it; None if a corner of it would be seen."""
        rng = self.rng
        width, height = rng.uniform(1.0, 3.5), rng.uniform(5.0, 11.0)
        y = rng.uniform(-4.0, 6.0)
        side = rng.choice((-1.0, 1.0))
        x = side * (self.half_width(y) + width + rng.uniform(0.3, 3.0))
        mesh = place(box(width, width * rng.uniform(0.5, 1.5), height), x, y, -1.0, rng.uniform(0, 90))
        seen = side * self.camera.project(mesh.vertices)
        return mesh if (seen[:, 0] > 1.02).all() else None


def _draw_ground(rng: np.random.Generator) -> Ground:
    if rng.random() >= 0.4:
        return Ground()
    wavelength, heading = rng.uniform(2.5, 9.0, 6), rng.uniform(0, 2 * np.pi, 6)
    frequency = 2 * np.pi / wavelength
    amplitude, phase = 0.018 * wavelength * rng.uniform(0.5, 1.2, 6), rng.uniform(0, 2 * np.pi, 6)
    return Ground(np.stack([amplitude, frequency * np.cos(heading), frequency * np.sin(heading), phase], axis=1))


def _back_walls(layout: _Layout) -> list[Mesh]:
    """In 45 of 100 scenes a wall across the view, a third of them with a side wall that makes a corner."""
    rng = layout.rng
    if rng.random() >= 0.45:
        return []
    y, height = rng.uniform(4.5, 8.5), rng.uniform(2.5, 6.0)
    layout.far = min(layout.far, y - 0.3)
    walls = [place(box(80.0, 0.5, height + 1), 0, y + 0.25, -1)]
    if rng.random() < 0.35:
        x = rng.choice((-1.0, 1.0)) * layout.half_width(y) * rng.uniform(0.7, 0.95)
        length = rng.uniform(3.0, 8.0)
        walls.append(place(box(0.5, length, height + 1), x, y - length / 2, -1))
        layout.circles += [(x, y - step, 0.4) for step in np.arange(0.0, length, 0.4)]
    return walls


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene."""
    camera = draw_camera(rng)
    ground = _draw_ground(rng)
    layout = _Layout(rng, camera, ground)
    wall_meshes = _back_walls(layout)

    for _ in range(int(rng.integers(1, 5))):
        free_wall = box(rng.uniform(1.5, 5.0), rng.uniform(0.15, 0.4), rng.uniform(1.3, 4.0))
        stood = layout.stand([objects.Part(free_wall, 0)], max_extent=0.38)
        wall_meshes += [part.mesh for part in stood or []]
    wall_meshes += [mesh for mesh in (layout.occluder() for _ in range(int(rng.integers(0, 3)))) if mesh is not None]

    by_material: list[list[Mesh]] = [[] for _ in range(_OBJECT_MATERIALS)]
    for _ in range(int(rng.integers(20, 50))):
        size = float(np.clip(rng.lognormal(0.15, 0.45), 0.4, 2.4))
        stood = layout.stand(objects.make_object(rng, size), max_extent=0.3)
        wear = rng.choice(_OBJECT_MATERIALS, 2, replace=False)
        for part in stood or []:
            by_material[wear[part.slot]].append(part.mesh)

    # matte: a glossy ground turns white when the sun stands opposite the camera
    surfaces = [Surface(ground.mesh(), draw_surface(rng, _GROUND_PATTERNS, (3.0, 5.0)))]
    if wall_meshes:
        surfaces.append(Surface(merge(wall_meshes), draw_surface(rng, WALL_PATTERNS, (2.0, 3.5))))
    for meshes in filter(None, by_material):
        gloss = str(rng.choice(list(_GLOSS_SHARES), p=list(_GLOSS_SHARES.values())))
        surfaces.append(Surface(merge(meshes), draw_surface(rng, OBJECT_PATTERNS, (1.2, 2.4), gloss)))
    return Scene(surfaces, camera, elevation=rng.uniform(35, 45), ambient=rng.uniform(0.1, 0.28))
