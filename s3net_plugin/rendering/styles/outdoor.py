"""Open country with a horizon: trees, bushes and grass, houses, fences, poles with wires, boulders, hills far away."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from s3net_plugin.rendering.camera import Camera
from s3net_plugin.rendering.materials import OBJECT_PATTERNS, WALL_PATTERNS, draw_surface
from s3net_plugin.rendering.meshes import Ground, ball, boulder, place
from s3net_plugin.rendering.objects import make_object
from s3net_plugin.rendering.plants import bush, grass, tree
from s3net_plugin.rendering.stage import Scene, Stage, draw_sky, look
from s3net_plugin.rendering.structures import fence, house, pole, wire

_KINDS = ('crate', 'drum', 'vase', 'column', 'tower', 'boulder', 'boulder', 'gate', 'stairs', 'cone')


def _camera(rng: np.random.Generator) -> Camera:
    fov = rng.uniform(46, 65)
    pitch = rng.uniform(9, 0.36 * fov)  # the horizon lies between the middle and the top of the picture
    return look((0, -9, rng.uniform(2.2, 5.0)), pitch, fov, roll=rng.uniform(-2, 2))


def _ground(rng: np.random.Generator) -> Ground:
    wavelength, heading = rng.uniform(5, 16, 5), rng.uniform(0, 2 * np.pi, 5)
    waves = 2 * np.pi / wavelength * np.stack([np.cos(heading), np.sin(heading)])
    return Ground(np.column_stack([0.012 * wavelength * rng.uniform(0, 1, 5), *waves, rng.uniform(0, 2 * np.pi, 5)]))


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene."""
    camera, ground = _camera(rng), _ground(rng)
    stage = Stage(rng, camera)

    def spot(near: float, far: float, beyond: float = 1.0) -> tuple[float, float, float]:
        """A point of the ground in view, or beside it where ``beyond`` is over 1."""
        y = rng.uniform(near, far)
        x = rng.uniform(-1, 1) * beyond * stage.half_width(y)
        return x, y, float(ground.height(x, y))

    for _ in range(int(rng.integers(0, 4))):
        x, y, z = spot(5, 24)
        home = house(rng, rng.uniform(3.0, 5.5), rng.uniform(3.0, 4.5), rng.uniform(2.2, 4.5))
        stage.stand(home, ('wall', 'roof', 'wood', 'glass'), x, y, z=z - 0.1, yaw=rng.uniform(-50, 50), max_extent=0.5)
    for _ in range(int(rng.integers(5, 16))):
        x, y, z = spot(-5, 24, beyond=1.3)
        stage.stand(tree(rng, rng.uniform(2.5, 6.5)), ('wood', 'leaves'), x, y, z=z - 0.05, max_extent=0.62)
    if rng.random() < 0.6:
        x, y, z = spot(-3, 9, beyond=0.5)
        barrier = fence(rng.uniform(3, 7), rng.uniform(0.7, 1.3), rng.uniform(0.25, 0.6), thickness=0.08)
        stage.add(barrier, ('wood',), x, y, z - 0.05, rng.uniform(-60, 60))
    if rng.random() < 0.6:
        x, y, _ = spot(-3, 5, beyond=0.9)
        step = np.array([rng.uniform(-4, 4), rng.uniform(3.5, 6.0)])
        height = rng.uniform(3.5, 5.5)
        posts = [
            (x + i * step[0], y + i * step[1], float(ground.height(x + i * step[0], y + i * step[1]))) for i in range(5)
        ]
        for post in posts:
            stage.put(place(pole(0.08, height), *post), 'wood')
        tops = np.array(posts) + np.array([0, 0, 0.95 * height])
        for a, b in pairwise(tops):
            stage.put(wire(a, b, 0.3), 'metal')
    for _ in range(int(rng.integers(8, 20))):
        x, y, z = spot(-5.5, 12)
        size = float(np.clip(rng.lognormal(0.0, 0.4), 0.4, 2.0))
        wear = ('stone', 'paint') if rng.random() < 0.5 else ('paint', 'wood')
        stage.stand(make_object(rng, size, _KINDS), wear, x, y, z=z - 0.03, max_extent=0.3)
    for _ in range(int(rng.integers(3, 12))):
        x, y, z = spot(-5, 16)
        stage.stand(bush(rng, rng.uniform(0.6, 1.6)), ('wood', 'leaves'), x, y, z=z, max_extent=0.3)
    roots = np.array([spot(-6.5, 6) for _ in range(int(rng.integers(20, 160)))])
    stage.put(grass(rng, roots, rng.uniform(0.15, 0.4)), 'leaves')
    for _ in range(int(rng.integers(0, 7))):
        x, y, r = rng.uniform(-70, 70), rng.uniform(55, 90), rng.uniform(8, 22)
        stage.put(boulder(rng, r) if rng.random() < 0.5 else ball(r), 'hill', x, y, -1.2 * r)
    stage.put(ground.mesh(), 'ground')

    materials = {
        'ground': draw_surface(rng, ('grass', 'grass', 'soil', 'soil', 'cobble'), (3.0, 6.0)),
        'leaves': draw_surface(rng, ('foliage',), (1.0, 2.0)),
        'wood': draw_surface(rng, ('plank',), (1.0, 2.0)),
        'stone': draw_surface(rng, ('rock', 'marble', 'cobble'), (1.2, 2.4)),
        'paint': draw_surface(rng, OBJECT_PATTERNS, (1.2, 2.4)),
        'wall': draw_surface(rng, WALL_PATTERNS, (1.5, 3.0)),
        'roof': draw_surface(rng, ('tile', 'brick', 'plank'), (1.0, 2.0)),
        'hill': draw_surface(rng, ('foliage', 'grass'), (20.0, 40.0)),
        'metal': draw_surface(rng, ('coat',), (1.0, 2.0)),
        'glass': draw_surface(rng, ('asphalt',), (1.0, 2.0), 'plastic'),
    }
    light = {'elevation': rng.uniform(25, 55), 'ambient': rng.uniform(0.03, 0.14), 'level': rng.uniform(0.25, 0.6)}
    return Scene(stage.surfaces(materials), camera, **light, sky=draw_sky(rng), far=rng.uniform(35, 60))
