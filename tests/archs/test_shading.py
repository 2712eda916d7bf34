"""Shading and cast shadows against closed forms, trigonometry and ray casting."""

import math

import numpy as np
import pytest
import torch

from s3net_plugin.archs.shading import (
    CueSettings,
    estimate_light,
    light_vectors,
    shading_and_visibility,
    shading_cues,
)
from s3net_plugin.rendering.light import DIRECTIONS

SIZE = 96
PITCH, ELEVATION, VIEW = 35.0, 40.0, 41.0
MIRRORED = [0, 7, 6, 5, 4, 3, 2, 1]  # N NW W SW S SE E NE
RIGHT = np.array([1.0, 0.0, 0.0])
AWAY = np.array([0.0, -math.sin(math.radians(PITCH)), math.cos(math.radians(PITCH))])
UP = np.array([0.0, -math.cos(math.radians(PITCH)), -math.sin(math.radians(PITCH))])


def rays(height=SIZE, width=SIZE):
    """Rays through the centres of pixels, (H, W, 3), of length 1 along the view axis."""
    longer = max(height, width)
    half = math.tan(math.radians(VIEW / 2))
    v, u = np.meshgrid(
        ((np.arange(height) + 0.5) / height * 2 - 1) * half * height / longer,
        ((np.arange(width) + 0.5) / width * 2 - 1) * half * width / longer,
        indexing='ij',
    )
    return np.stack((u, v, np.ones_like(u)), axis=-1)


def as_depth(distance, **settings):
    """A normalised depth map (1, 1, H, W), the settings that undo it, and the length of a unit in them."""
    near, far = distance.min(), distance.max()
    depth = torch.from_numpy(((distance - near) / (far - near)).astype(np.float32))[None, None]
    options = {'size': SIZE, 'field_of_view': VIEW, 'pitch': PITCH, 'elevation': ELEVATION, **settings}
    return depth, CueSettings(far_over_near=float(far / near), **options), near


def ground_distance(directions, below=1.0):
    """Along the view axis to a level plane ``below`` the camera."""
    return -below / (directions @ UP)


def box_distance(directions, low, high):
    """Along rays from the camera to a box between two corners in the axes (right, away, up); infinite where missed."""
    local = directions @ np.stack((RIGHT, AWAY, UP)).T
    with np.errstate(divide='ignore', invalid='ignore'):
        first, second = np.array(low) / local, np.array(high) / local
    enter, leave = np.minimum(first, second).max(-1), np.maximum(first, second).min(-1)
    return np.where((enter < leave) & (leave > 0), enter, np.inf)


def test_lights_stand_where_the_compass_says():
    lights = light_vectors(0.0, 0.0).numpy()  # a level camera and a sun on the horizon
    names = dict(zip(DIRECTIONS, lights, strict=True))
    np.testing.assert_allclose(names['N'], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(names['E'], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(names['SW'], [-math.sqrt(0.5), 0, -math.sqrt(0.5)], atol=1e-6)
    lights = light_vectors(PITCH, ELEVATION).numpy()
    np.testing.assert_allclose(lights @ UP, math.sin(math.radians(ELEVATION)), atol=1e-6)


def test_level_ground_is_lit_by_the_sine_of_the_elevation_and_casts_no_shadow_on_itself():
    for shape in ((SIZE, SIZE), (90, 160), (200, 120)):
        depth, settings, _ = as_depth(ground_distance(rays(*shape)))
        cues = shading_cues(depth, settings)
        inner = cues[..., 2:-2, 2:-2]
        torch.testing.assert_close(
            inner, torch.full_like(inner, math.sin(math.radians(ELEVATION))), rtol=0.02, atol=0.0
        )


def test_a_sphere_is_shaded_by_the_cosine_of_its_normal():
    directions = rays()
    centre, radius = np.array([0.05, 0.1, 3.0]), 0.8
    along = directions @ centre
    squared = (directions**2).sum(-1)
    root = along**2 - squared * (centre @ centre - radius**2)
    distance = np.where(root > 0, (along - np.sqrt(np.maximum(root, 0))) / squared, 4.0)
    depth, settings, _ = as_depth(distance)
    shading, _ = shading_and_visibility(depth, settings)
    normal = (directions * distance[..., None] - centre) / radius
    inner = (normal @ -np.array([0, 0, 1]) > 0.5) & (root > 0)
    for light, got in zip(light_vectors(PITCH, ELEVATION).numpy(), shading[0].numpy(), strict=True):
        assert np.abs(got - np.maximum(normal @ light, 0))[inner].max() < 0.06


@pytest.mark.parametrize(('name', 'side'), [('E', -1), ('W', 1)])
def test_the_shadow_of_a_wall_is_as_long_as_trigonometry_says(name, side):
    """A wall in the view's plane of symmetry: its shadow on the ground is height / tan(elevation) long."""
    directions = rays()
    below, height, half = 2.0, 0.35, 0.03
    ahead = below / math.tan(math.radians(PITCH))  # where the middle of the picture meets the ground
    low, high = (-half, ahead - 0.5, -below), (half, ahead + 0.6, -below + height)
    ground, wall = ground_distance(directions, below), box_distance(directions, low, high)
    depth, settings, _ = as_depth(np.minimum(ground, wall))
    _, visibility = shading_and_visibility(depth, settings)
    points = directions * ground[..., None]
    right, away = points @ RIGHT, points @ AWAY
    length = height / math.tan(math.radians(ELEVATION))
    on_ground = (wall > ground) & (away > low[1] + 0.15) & (away < high[1] - 0.15)
    lit = visibility[0, DIRECTIONS.index(name)].numpy()
    beside, margin = right * side, 0.06
    dark = on_ground & (beside > half + margin) & (beside < half + length - margin)
    bright = on_ground & ((beside > half + length + margin) | (beside < -half - margin))
    assert dark.sum() > 150
    assert lit[dark].mean() < 0.1
    assert lit[bright].mean() > 0.97


def scene(seed=3):
    """Ground with boxes at random, as normalised depth."""
    random = np.random.default_rng(seed)
    directions = rays()
    distance = ground_distance(directions, 2.0)
    for _ in range(6):
        x, y = random.uniform(-0.8, 0.8), random.uniform(2.2, 3.6)
        width, height = random.uniform(0.1, 0.3), random.uniform(0.1, 0.6)
        low, high = (x - width, y - width, -2.0), (x + width, y + width, -2.0 + height)
        distance = np.minimum(distance, box_distance(directions, low, high))
    return as_depth(distance)[0]


def test_mirrored_depth_gives_mirrored_cues():
    depth = scene()
    cues, mirrored = shading_cues(depth), shading_cues(depth.flip(-1))
    assert cues.std() > 0.1
    difference = (mirrored[:, MIRRORED].flip(-1) - cues).abs()
    assert difference.mean() < 1e-3
    assert difference.quantile(0.99) < 1e-2


def test_a_batch_gives_what_its_images_give_alone():
    depth = torch.cat([scene(1), scene(2), scene(3)])
    together = shading_cues(depth)
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], shading_cues(depth[i : i + 1]), rtol=0, atol=1e-5)


def test_flat_depth_says_nothing_of_the_light():
    rgb = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    for level in (0.0, 0.4, 1.0):
        weights = estimate_light(rgb, shading_cues(torch.full((2, 1, 48, 64), level)))
        torch.testing.assert_close(weights, torch.full((2, 8), 1 / 8), rtol=0, atol=1e-2)


def test_the_light_that_shades_a_picture_is_found():
    depth = scene()
    cues = shading_cues(depth)
    albedo = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.3
    for i in range(8):
        rgb = (albedo * (cues[:, i : i + 1] + 0.1)).clamp(0, 1) ** (1 / 2.2)
        weights = estimate_light(rgb, cues)
        assert weights.argmax() == i
        torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
