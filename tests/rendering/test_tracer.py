import sys

import drjit
import numpy as np
import pytest

from s3net_plugin.rendering.camera import Camera
from s3net_plugin.rendering.light import DIRECTIONS, sun_ray
from s3net_plugin.rendering.materials import Material
from s3net_plugin.rendering.meshes import Ground, ball, box, merge, place
from s3net_plugin.rendering.scene import make_scene
from s3net_plugin.rendering.stage import Scene, Sky, Surface
from s3net_plugin.rendering.textures import Texture, draw_texture
from s3net_plugin.rendering.tracer import Tracer, choose_variant

SIZE = 48
ALBEDO = np.float32([0.5, 0.3, 0.2])
TOWER = 2.5  # height
CAMERA = Camera(origin=np.array([0.0, -5.0, 11.0]), target=np.zeros(3), roll=1.5, fov=42)
FLAT = Texture(np.tile(ALBEDO, (4, 4, 1)), np.ones((4, 4), np.float32))
GREY = Material(FLAT, repeat=1, relief=0.05, gloss='matte', roughness=0.1)


@pytest.fixture(scope='module')
def tracer():
    return Tracer('scalar_rgb')


def scene_of(*meshes, material=GREY):
    return Scene([Surface(merge([Ground().mesh(), *meshes]), material)], CAMERA, elevation=40.0, ambient=0.2)


@pytest.fixture(scope='module')
def plain(tracer):
    return tracer.trace(scene_of(), size=SIZE, spp=4, seed=1)


def ground_points():
    """Where each pixel's centre meets the plane z = 0, (SIZE, SIZE, 3); row 0 is the top of the image."""
    ticks = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    return np.array([[CAMERA.ground_point(x, -y) for x in ticks] for y in ticks])


def test_depth_of_a_plane_is_the_distance_along_the_view_axis(plain):
    expected = CAMERA.project(ground_points())[..., 2]
    np.testing.assert_allclose(plain.depth, expected, rtol=0.01)
    assert plain.depth[0].min() > plain.depth[-1].max()  # larger is farther


def test_view_of_the_horizon_ends_at_far_and_shows_the_sky_there(tracer):
    level = Camera(np.array([0.0, 0.0, 2.0]), np.array([0.0, 1.0, 2.0]), roll=0.0, fov=50)
    sky = Sky(horizon=np.array([0.1, 0.2, 0.3]), zenith=np.array([0.1, 0.2, 0.3]))
    scene = scene_of(place(ball(1.6), 0, 8, 0))._replace(camera=level, sky=sky, far=20.0)
    passes = tracer.trace(scene, size=SIZE, spp=4, seed=1)
    upper, lower = slice(0, SIZE // 4), slice(-4, None)
    assert (passes.depth[upper] == 20).all() and passes.depth[SIZE // 2, SIZE // 2] == pytest.approx(6.45, abs=0.1)
    np.testing.assert_allclose(passes.background[upper], np.broadcast_to(sky.horizon, (SIZE // 4, SIZE, 3)), rtol=1e-6)
    assert (passes.background[lower] == 0).all()
    assert (passes.sun[:, upper] == 0).all() and (passes.sky[upper] == 0).all()


def test_a_matte_plane_reflects_albedo_times_the_sine_of_the_elevation_and_albedo_of_the_sky(plain):
    for image in plain.sun:
        np.testing.assert_allclose(image, np.broadcast_to(ALBEDO * np.sin(np.deg2rad(40)), image.shape), rtol=1e-3)
    np.testing.assert_allclose(plain.sky.mean((0, 1)), ALBEDO, rtol=0.02)


@pytest.fixture(scope='module')
def tower(tracer):
    return tracer.trace(scene_of(box(0.6, 0.6, TOWER)), size=SIZE, spp=4, seed=1)


def shadow(tower, plain, direction):
    """The pixels of the ground that are in the tower's shadow, (SIZE, SIZE) of bool."""
    index = DIRECTIONS.index(direction)
    ground = np.abs(tower.depth - plain.depth) < 1e-3
    return ground & (tower.sun[index].sum(-1) < 0.3 * plain.sun[index].sum(-1))


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_shadow_of_a_lone_tower_lies_opposite_the_sun_as_long_as_the_elevation_says(tower, plain, direction):
    points = ground_points()[shadow(tower, plain, direction)][:, :2]
    ray = np.array(sun_ray(direction, 40.0))[:2]
    centroid = points.mean(0)
    assert centroid @ ray / np.linalg.norm(centroid) / np.linalg.norm(ray) > 0.97
    assert np.hypot(*points.T).max() == pytest.approx(TOWER / np.tan(np.deg2rad(40)), abs=0.5)


def test_shadow_falls_down_the_image_under_north_light_and_to_the_left_under_east_light(tower, plain):
    place_of = {d: np.argwhere(shadow(tower, plain, d)).mean(0) / SIZE for d in DIRECTIONS}
    assert place_of['N'][0] > 0.5 > place_of['S'][0]
    assert place_of['E'][1] < 0.5 < place_of['W'][1]


def test_light_is_linear(tracer):
    """Tracing under coloured light is tracing under white light, times the colour."""
    scene = scene_of(place(ball(1.0), 1, 0, 0), place(box(1, 1, 2), -1, 1, 0))
    white = tracer.trace(scene, size=SIZE, spp=4, seed=9).sun
    mi, colour, index = tracer.mi, np.array([2.07, 0.77, 0.14]), 3
    sun = {'type': 'directional', 'direction': list(sun_ray(DIRECTIONS[index], 40.0))}
    sun['irradiance'] = {'type': 'rgb', 'value': (np.pi * colour).tolist()}
    coloured = mi.load_dict({'type': 'scene', 'shape': tracer.shape(*scene.surfaces[0]), 'sun': sun})
    path = mi.load_dict({'type': 'path', 'max_depth': 3, 'block_size': 16})
    image = np.array(mi.render(coloured, sensor=tracer.sensor(CAMERA, SIZE, 4), integrator=path, seed=9 + index))
    np.testing.assert_allclose(image, white[index] * colour, rtol=1e-4, atol=1e-5)


def test_same_pixels_whatever_the_number_of_threads(tracer):
    scene = make_scene(2, 1)
    threads = drjit.thread_count()
    try:
        drjit.set_thread_count(1)
        alone = tracer.trace(scene, size=32, spp=1, seed=4)
        drjit.set_thread_count(5)
        shared = tracer.trace(scene, size=32, spp=1, seed=4)
        assert drjit.thread_count() == 5  # the depth pass puts it back
    finally:
        drjit.set_thread_count(threads)
    for a, b in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('gloss', ['matte', 'plastic', 'metal'])
def test_every_gloss_gives_finite_light(tracer, gloss):
    texture = draw_texture(np.random.default_rng(0), 'rust', size=64)
    material = Material(texture, repeat=1.5, relief=0.05, gloss=gloss, roughness=0.1)
    passes = tracer.trace(scene_of(place(ball(1.5), 0, 0, 0), material=material), size=32, spp=1, seed=0)
    assert np.isfinite(passes.sun).all() and passes.sky.mean() > 0.01


def test_bumps_stand_out_towards_the_light(tracer):
    """A ramp that rises along u is darker when the sun stands on its rising side's back."""
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    texture = Texture(np.full((64, 64, 3), 0.5, np.float32), ramp)
    material = Material(texture, repeat=200.0, relief=100.0, gloss='matte', roughness=0.1)
    images = tracer.trace(scene_of(material=material), size=32, spp=1, seed=0).sun
    assert images[DIRECTIONS.index('W')].mean() > 1.5 * images[DIRECTIONS.index('E')].mean()


def test_auto_falls_back_to_scalar_without_a_usable_llvm_and_llvm_is_one_clear_error(monkeypatch):
    monkeypatch.setenv('DRJIT_LIBLLVM_PATH', '/nonexistent/libLLVM.so')
    assert choose_variant('auto', 256) == 'scalar_rgb'
    with pytest.raises(RuntimeError, match=r'--variant llvm: a trial render failed .* use --variant scalar'):
        choose_variant('llvm', 64)


def test_without_mitsuba_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mitsuba', None)
    with pytest.raises(ImportError, match=r"pip install 's3net_plugin\[render\]'"):
        choose_variant('scalar', 64)
