"""The cues, which see a depth map only, against what the renderer knows."""

import numpy as np
import pytest
import torch

from s3net_plugin.archs.shading import CueSettings, estimate_light, shading_and_visibility, shading_cues
from s3net_plugin.rendering.light import DIRECTIONS, sun_ray
from s3net_plugin.rendering.render import develop
from s3net_plugin.rendering.scene import make_scene
from s3net_plugin.rendering.tracer import Tracer

SEED = 5


@pytest.fixture(scope='module')
def tracer():
    return Tracer('scalar_rgb')


def normalised(distance):
    return (distance - distance.min()) / (distance.max() - distance.min())


def true_visibility(tracer, scene, size):
    """Along the view axis the distance (S, S); for each light whether the sun is seen, what blocks it stands in the
    picture, and the cosine (8, S, S); by Mitsuba's own ray casting."""
    mi, camera = tracer.mi, scene.camera
    surfaces = {f'surface{i}': tracer.shape(s.mesh, s.material) for i, s in enumerate(scene.surfaces)}
    world = mi.load_dict({'type': 'scene', **surfaces, 'sky': {'type': 'constant'}})
    right, up, forward = camera.axes()
    half = np.tan(np.deg2rad(camera.fov / 2))
    ticks = ((np.arange(size) + 0.5) / size * 2 - 1) * half
    towards = [-np.array(sun_ray(direction, scene.elevation)) for direction in DIRECTIONS]
    distance = np.zeros((size, size))
    seen, framed, cosine = (np.zeros((8, size, size)) for _ in range(3))
    for row, v in enumerate(ticks):
        for column, u in enumerate(ticks):
            ray = forward + u * right - v * up
            ray /= np.linalg.norm(ray)
            hit = world.ray_intersect(mi.Ray3f(camera.origin.tolist(), ray.tolist()))
            distance[row, column] = hit.t * (ray @ forward)
            normal = np.array(hit.n) * -np.sign(np.array(hit.n) @ ray)
            for i, light in enumerate(towards):
                cosine[i, row, column] = normal @ light
                blocker = world.ray_intersect(hit.spawn_ray(light.tolist()))
                seen[i, row, column] = not blocker.is_valid()
                if blocker.is_valid():
                    x, y, depth = camera.project(np.array(blocker.p))
                    framed[i, row, column] = depth > 0 and max(abs(x), abs(y)) < 1
    return distance, seen > 0, framed > 0, cosine


def test_shadows_agree_with_ray_casting_where_their_occluder_is_in_the_picture(tracer):
    scores = []
    for number in range(2):
        scene = make_scene(SEED, number)
        distance, seen, framed, cosine = true_visibility(tracer, scene, 64)
        camera = scene.camera
        settings = CueSettings(
            size=64,
            far_over_near=distance.max() / distance.min(),
            field_of_view=camera.fov,
            pitch=np.rad2deg(np.arcsin(-camera.axes()[2][2])),
            elevation=scene.elevation,
        )
        depth = torch.from_numpy(normalised(distance).astype(np.float32))[None, None]
        lit = shading_and_visibility(depth, settings)[1][0].numpy() > 0.5
        faces = cosine > 0.05  # what turns away from the sun is dark anyway
        in_shadow = faces & ~seen & framed
        scores.append((lit[faces & seen].mean() + 1 - lit[in_shadow].mean()) / 2)
    assert np.mean(scores) > 0.8  # measured: 0.85; all lit would be 0.5


def test_the_sun_is_found_in_95_of_100_pictures(tracer):
    found = []
    for number in range(13):
        scene = make_scene(SEED, number)
        passes = tracer.trace(scene, size=96, spp=4, seed=number)
        images = develop(passes, scene.ambient)
        temperature = (2500, 3500, 4500, 5500, 6500)[number % 5]
        rgb = np.stack([images[temperature, direction] for direction in DIRECTIONS]).transpose(0, 3, 1, 2) / 255
        depth = torch.from_numpy(normalised(passes.depth))[None, None]
        weights = estimate_light(torch.from_numpy(rgb).float(), shading_cues(depth).expand(8, -1, -1, -1))
        found += (weights.argmax(1) == torch.arange(8)).tolist()
    assert sum(found[:100]) >= 95
