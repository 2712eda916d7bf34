import hashlib
from functools import partial

import numpy as np
import pytest

from s3net_plugin.rendering import materials, textures
from s3net_plugin.rendering.render import develop
from s3net_plugin.rendering.scene import STYLES, make_scene
from s3net_plugin.rendering.tracer import Tracer

NEW = [style for style in STYLES if style != 'classic']
# sha256 of all vertices and albedos of the scenes 0 to 3 of seed 0, rounded, as the first version of the generator drew
CLASSIC = ('4fcbe18f8267efc5', '9297e662a402d036', 'd501f7a637891ca8', '73d97511b57f0ac2')


@pytest.fixture
def small_textures(monkeypatch):
    """Geometry does not depend on the textures, which take most of the time."""
    monkeypatch.setattr(materials, 'draw_texture', partial(textures.draw_texture, size=16))


def digest(scene):
    state = hashlib.sha256()
    for surface in scene.surfaces:
        state.update(np.round(surface.mesh.vertices, 4).astype('<f4').tobytes())
        state.update(np.round(surface.material.texture.albedo[::16, ::16], 3).astype('<f4').tobytes())
    return state.hexdigest()[:16]


@pytest.mark.parametrize('number', range(4))
def test_classic_scenes_are_those_of_the_first_version(number):
    assert digest(make_scene(0, number)) == CLASSIC[number]


def winding(mesh, point):
    """How often the surface goes around ``point``: 0 outside of a closed mesh, 1 inside (van Oosterom, 1983)."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] - point for i in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    volume = (a * np.cross(b, c)).sum(1)
    rest = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return float(np.arctan2(volume, rest).sum() / (2 * np.pi))


@pytest.mark.parametrize('style', NEW)
def test_camera_stands_in_the_open_and_sees_things_from_any_seed(style, small_textures):
    for seed in range(20):
        scene = make_scene(seed, 0, style)
        ground = scene.surfaces[0]
        for surface in scene.surfaces[1:]:
            assert np.isfinite(surface.mesh.vertices).all()
            assert abs(winding(surface.mesh, scene.camera.origin)) < 0.4
            assert np.linalg.norm(surface.mesh.vertices - scene.camera.origin, axis=1).min() > 0.5
            np.testing.assert_allclose(np.linalg.norm(surface.mesh.normals, axis=1), 1, atol=1e-5)
        assert (
            winding(ground.mesh, scene.camera.origin) < 0 or ground.mesh.vertices[:, 2].max() < scene.camera.origin[2]
        )
        points = np.concatenate([surface.mesh.vertices for surface in scene.surfaces[1:]])
        seen = scene.camera.project(points)
        inside = (np.abs(seen[:, :2]) < 1).all(1) & (seen[:, 2] > 0) & (seen[:, 2] < scene.far)
        assert inside.sum() > 300 and len(scene.surfaces) >= 5
        assert scene.camera.axes()[2, 1] > 0.8 and abs(scene.camera.axes()[2, 0]) < 0.05  # towards +y
        assert 25 <= scene.elevation <= 60 and np.isfinite(scene.far)


def test_styles_differ_and_follow_from_the_seed(small_textures):
    found = {style: digest(make_scene(5, 1, style)) for style in STYLES}
    assert len(set(found.values())) == len(STYLES)
    assert found == {style: digest(make_scene(5, 1, style)) for style in STYLES}
    assert len({digest(make_scene(5, number, 'outdoor')) for number in range(3)}) == 3


def test_a_mixed_set_takes_the_scenes_of_three_styles_in_turns(small_textures):
    for number, style in ((3, 'classic'), (4, 'outdoor'), (5, 'indoor')):
        assert digest(make_scene(5, number, 'mixed')) == digest(make_scene(5, number, style))


@pytest.mark.parametrize('style', NEW)
def test_pictures_have_light_shadow_and_depth_up_to_the_sky(style, small_textures):
    tracer, skies = Tracer('scalar_rgb'), 0
    for number in range(3):
        scene = make_scene(3, number, style)
        passes = tracer.trace(scene, size=32, spp=4, seed=number)
        brightest = passes.sun.sum(-1).max(0)
        lit = brightest > 1e-3
        assert 0.08 < (passes.sun.sum(-1) < 0.35 * brightest)[:, lit].mean() < 0.7
        for image in develop(passes, scene.ambient, scene.level).values():
            assert 20 < image.mean() < 230
        open_sky = (passes.background > 0).all(-1)
        assert (
            np.isfinite(passes.depth).all() and passes.depth.min() > 0 and passes.depth.max() <= np.float32(scene.far)
        )
        assert passes.depth[open_sky].min(initial=np.inf) > passes.depth.min()
        skies += open_sky.any()
    assert skies
