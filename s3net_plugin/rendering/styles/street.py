"""A street or yard between facades, with balconies, arcades, vehicles and lamp posts, seen from the pavement or above.

Kept apart from the other styles, to see how what was tuned on them does elsewhere.
"""

from __future__ import annotations

import numpy as np

from s3net_plugin.rendering.materials import draw_surface
from s3net_plugin.rendering.meshes import Ground, box, place
from s3net_plugin.rendering.objects import Part, make_object
from s3net_plugin.rendering.plants import tree
from s3net_plugin.rendering.stage import Scene, Stage, draw_sky, face_north, look
from s3net_plugin.rendering.structures import arcade, fence, house, lamp_post, pole, vehicle, wire

_HOUSE = ('roof', 'frame', 'glass')


def _row(stage: Stage, side: float, kerb: float) -> None:
    """Houses along one side, with gaps, set back a little or behind an arcade; some of it only a fence."""
    rng = stage.rng
    y = -10.0
    while y < 32:
        length = rng.uniform(4.0, 8.0)
        middle, back = y + length / 2, rng.uniform(0.0, 0.8)
        kind = rng.random()
        if kind < 0.75:
            depth, height = rng.uniform(3.5, 5.0), rng.uniform(2.6, 7.5)
            home = house(rng, length, depth, height, storey=rng.uniform(2.2, 2.9))
            wall = f'wall{int(rng.integers(2))}'
            stage.add(home, (wall, *_HOUSE), side * (kerb + back + depth / 2), middle, 0, side * -90)
            if back > 0.3 and rng.random() < 0.4:
                walk = arcade(rng, length, rng.uniform(1.9, 2.4))
                stage.add(walk, (wall, 'roof'), side * (kerb + back - 1.5), middle, 0, side * -90)
        elif kind < 0.9:
            railing = fence(length, rng.uniform(0.9, 1.5), rng.uniform(0.15, 0.35))
            stage.add(railing, ('frame',), side * kerb, middle, 0, 90)
        y += length + (rng.uniform(0.5, 2.5) if rng.random() < 0.5 else 0.0)


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene."""
    kerb = rng.uniform(4.5, 7.5)  # half the distance between the facades
    heading, height, fov = rng.uniform(-18, 18), rng.uniform(1.7, 4.5), rng.uniform(50, 70)
    start = (rng.uniform(-0.35, 0.35) * kerb, -6.0, height)
    camera = look(start, rng.uniform(4, 10) + 2.5 * height, fov, heading, rng.uniform(-1.5, 1.5))
    stage = Stage(rng, camera)

    for side in (-1.0, 1.0):
        _row(stage, side, kerb)
        stage.put(box(1.3, 80.0, 0.12), 'paving', side * (kerb - 0.65), 20)
    if rng.random() < 0.6:  # a yard, or the end of the street
        end = rng.uniform(13, 26)
        stage.add(house(rng, 2 * kerb, 4.0, rng.uniform(2.5, 6.0)), ('wall0', *_HOUSE), 0, end + 2)
    gap = rng.uniform(4.5, 7.5)
    post = lamp_post(rng, rng.uniform(3.0, 4.5))
    for side in (-1.0, 1.0):
        for y in np.arange(-3.0 + rng.uniform(0, gap), 24, gap):
            stage.stand(post, ('frame', 'glass'), side * (kerb - 1.1), y, yaw=0, max_extent=1.2)
    for _ in range(int(rng.integers(3, 10))):
        side, y = rng.choice((-1.0, 1.0)), rng.uniform(-3, 16)
        paint = f'paint{int(rng.integers(2))}'
        yaw = 90 * rng.choice((-1, 1)) + rng.uniform(-6, 6)
        x = side * (kerb - 2.3) if rng.random() < 0.75 else rng.uniform(-0.4, 0.4) * kerb
        stage.stand(vehicle(rng), (paint, paint, 'frame', 'glass'), x, y, yaw=yaw, max_extent=0.6)
    for _ in range(int(rng.integers(0, 6))):
        x, y = rng.choice((-1.0, 1.0)) * (kerb - 1.4), rng.uniform(-2, 18)
        stage.stand(tree(rng, rng.uniform(2.2, 4.0)), ('frame', 'leaves'), x, y, max_extent=0.8)
    for _ in range(int(rng.integers(5, 15))):
        x, y = rng.uniform(-0.85, 0.85) * kerb, rng.uniform(-4.5, 12)
        thing = make_object(rng, rng.uniform(0.35, 0.9), ('crate', 'crate', 'drum', 'vase', 'stairs'))
        stage.stand(thing, ('paint0', 'paint1'), x, y, max_extent=0.3)
    if rng.random() < 0.5:
        for y in np.arange(-4.0, 10.0, rng.uniform(1.0, 1.6)):
            stage.stand([Part(pole(0.07, 0.7), 0)], ('frame',), rng.choice((-1.0, 1.0)) * (kerb - 1.45), y)
    for y in rng.uniform(0, 20, int(rng.integers(0, 5))):
        level = rng.uniform(3.0, 5.5)
        line = wire((-kerb, y, level), (kerb, y + rng.uniform(-2, 2), level), rng.uniform(0.2, 0.7))
        stage.put(line, 'frame')
        for x in rng.uniform(-0.5, 0.5, 4) * kerb:
            stage.put(place(box(0.5, 0.02, 0.4), x, y, level - 0.8), 'paint1')
    stage.put(Ground().mesh(), 'road')

    materials = {
        'road': draw_surface(rng, ('asphalt', 'asphalt', 'cobble', 'brick'), (1.2, 2.2)),
        'paving': draw_surface(rng, ('tile', 'plaster', 'cobble'), (1.0, 2.0)),
        'wall0': draw_surface(rng, ('plaster', 'brick', 'coat'), (3.0, 6.0)),
        'wall1': draw_surface(rng, ('plaster', 'stripes', 'rock', 'coat'), (3.0, 6.0)),
        'roof': draw_surface(rng, ('tile', 'brick', 'rust'), (0.8, 1.6)),
        'frame': draw_surface(rng, ('coat', 'plank'), (0.6, 1.2)),
        'glass': draw_surface(rng, ('asphalt',), (1.0, 2.0), 'plastic'),
        'paint0': draw_surface(rng, ('coat',), (1.0, 2.0), str(rng.choice(('matte', 'plastic')))),
        'paint1': draw_surface(rng, ('coat', 'stripes', 'rust'), (0.6, 1.2)),
        'leaves': draw_surface(rng, ('foliage',), (0.8, 1.5)),
    }
    surfaces, camera = face_north(stage.surfaces(materials), camera, heading)
    light = {'elevation': rng.uniform(30, 60), 'ambient': rng.uniform(0.07, 0.2), 'level': rng.uniform(0.35, 0.6)}
    return Scene(surfaces, camera, **light, sky=draw_sky(rng), far=rng.uniform(30, 45))
