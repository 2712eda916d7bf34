"""Rooms that are open to the camera and, where no beams or half a roof cover them, to the sky; furniture in them."""

from __future__ import annotations

import numpy as np

from s3net_plugin.rendering import furniture
from s3net_plugin.rendering.materials import OBJECT_PATTERNS, draw_surface
from s3net_plugin.rendering.meshes import Ground, Mesh, box, merge, place
from s3net_plugin.rendering.objects import make_object
from s3net_plugin.rendering.stage import Scene, Stage, draw_sky, face_north, look
from s3net_plugin.rendering.structures import wall, window

_WEAR = ('wood', 'cloth', 'metal', 'leaves')
_TABLES, _CHAIRS = (furniture.table,) * 2, (furniture.chair,) * 3
_PIECES = (*_TABLES, *_CHAIRS, furniture.lamp, furniture.sofa, furniture.ladder, furniture.potted_plant)


def _openings(rng: np.random.Generator, length: float, height: float) -> list[tuple[float, float, float, float]]:
    """Windows and doors of a wall, each in a stretch of its own."""
    count = max(int(length / 2.2), 1)
    found = []
    for x in (np.arange(count) + 0.5) / count * length - length / 2:
        if rng.random() < 0.5:
            half, sill = rng.uniform(0.4, 0.75), 0.0 if rng.random() < 0.3 else rng.uniform(0.6, 1.0)
            found.append((float(x) - half, float(x) + half, sill, height * rng.uniform(0.68, 0.85)))
    return found


def _cover(rng: np.random.Generator, width: float, depth: float) -> Mesh | None:
    """Beams, a lattice or half a roof over the room; None in 2 of 5 rooms."""
    kind = rng.random()
    if kind < 0.4:
        return None
    across = [place(box(width, 0.12, 0.2), 0, y, 0) for y in np.arange(0.4, depth, rng.uniform(0.6, 1.4))]
    if kind < 0.65:
        return merge(across)
    if kind < 0.8:
        along = [place(box(0.12, depth, 0.15), x, depth / 2, 0.1) for x in np.arange(-width / 2, width / 2, 1.0)]
        return merge(across + along)
    side, share = rng.choice((-1.0, 1.0)), rng.uniform(0.25, 0.45)
    return place(box(share * width, depth, 0.15), side * (1 - share) * width / 2, depth / 2, 0)


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene."""
    width, depth, height = rng.uniform(4.5, 7.5), rng.uniform(4.5, 7.5), rng.uniform(2.4, 3.2)
    heading = rng.uniform(-22, 22)
    start = (np.deg2rad(heading) * 3.5 + rng.uniform(-0.5, 0.5), -rng.uniform(1.8, 3.0), rng.uniform(1.5, 2.9))
    camera = look(start, rng.uniform(12, 26), rng.uniform(52, 66), heading, rng.uniform(-2, 2))
    stage = Stage(rng, camera)

    back = _openings(rng, width, height)
    stage.put(wall(width + 0.4, height, 0.2, back), 'wall', 0, depth + 0.1)
    for left, right, sill, lintel in back:
        if sill:
            frame = [part for part in window(right - left, lintel - sill) if part.slot == 2]
            stage.add(frame, ('', '', 'trim'), (left + right) / 2, depth + 0.1, sill)
    sides = ((-1.0, 1.0), (-1.0,), (1.0,))[int(rng.integers(3))]
    for side in sides:
        panel = wall(depth, height, 0.2, _openings(rng, depth, height))
        stage.put(panel, 'wall', side * (width / 2 + 0.1), depth / 2, 0, 90)
    if len(sides) == 1 and rng.random() < 0.5:  # posts where a wall is missing
        for y in (0.2, depth / 2):
            stage.put(place(box(0.15, 0.15, height), -sides[0] * width / 2, y, 0), 'trim')
    cover = _cover(rng, width, depth)
    if cover is not None:
        stage.put(cover, 'trim', 0, 0, height)
    for x in rng.uniform(-0.4, 0.4, int(rng.integers(0, 3))) * width:
        size = rng.uniform(0.4, 0.9)
        if all(abs(x - (left + right) / 2) > (right - left + size) / 2 for left, right, *_ in back):
            stage.put(place(box(size, 0.05, 0.7 * size), x, depth - 0.03, 1.3), 'cloth')
    if rng.random() < 0.6:
        rug = box(rng.uniform(1.5, 3.0), rng.uniform(1.2, 2.2), 0.02)
        stage.put(rug, 'cloth', rng.uniform(-1, 1), rng.uniform(1.5, depth - 1.5), 0, rng.uniform(-15, 15))

    for _ in range(int(rng.integers(1, 4))):
        x = rng.uniform(-0.5, 0.5) * (width - 2)
        stage.stand(furniture.shelf(rng), _WEAR, x, depth - 0.25, yaw=0, max_extent=0.6)
    for _ in range(int(rng.integers(9, 18))):
        x, y = rng.uniform(-0.5, 0.5) * (width - 0.8), rng.uniform(0.3, depth - 0.6)
        piece = _PIECES[int(rng.integers(len(_PIECES)))](rng)
        stage.stand(piece, _WEAR, x, y, yaw=rng.choice((0, 90, 180, 270)) + rng.uniform(-15, 15), max_extent=0.45)
    for _ in range(int(rng.integers(3, 9))):
        x, y = rng.uniform(-0.5, 0.5) * width, rng.uniform(-0.3, depth - 0.5)
        wear = ('paint', 'cloth') if rng.random() < 0.6 else ('metal', 'paint')
        stage.stand(make_object(rng, rng.uniform(0.25, 0.7)), wear, x, y, max_extent=0.25)
    stage.put(Ground().mesh(), 'floor')

    materials = {
        'floor': draw_surface(rng, ('plank', 'tile', 'tile', 'marble', 'cobble', 'plaster'), (1.1, 2.4)),
        'wall': draw_surface(rng, ('plaster', 'plaster', 'brick', 'stripes', 'coat', 'plank'), (1.2, 2.6)),
        'trim': draw_surface(rng, ('plank', 'coat'), (1.0, 2.0)),
        'wood': draw_surface(rng, ('plank', 'coat'), (0.7, 1.4)),
        'cloth': draw_surface(rng, ('stripes', 'coat', 'tile'), (0.6, 1.2)),
        'metal': draw_surface(rng, ('rust', 'coat', 'marble'), (0.6, 1.2), str(rng.choice(('matte', 'plastic')))),
        'paint': draw_surface(rng, OBJECT_PATTERNS, (0.6, 1.2)),
        'leaves': draw_surface(rng, ('foliage',), (0.5, 1.0)),
    }
    surfaces, camera = face_north(stage.surfaces(materials), camera, heading)
    light = {'elevation': rng.uniform(32, 52), 'ambient': rng.uniform(0.16, 0.38), 'level': rng.uniform(0.35, 0.6)}
    return Scene(surfaces, camera, **light, sky=draw_sky(rng), far=30.0)
