import numpy as np
import pytest

from s3net_plugin.rendering.camera import draw_camera
from s3net_plugin.rendering.meshes import Ground
from s3net_plugin.rendering.scene import make_scene


@pytest.mark.parametrize('seed', range(5))
def test_projection_undoes_the_ray_to_the_ground(seed):
    camera = draw_camera(np.random.default_rng(seed))
    for x, y in [(0, 0), (-1, -1), (1, -1), (1, 1), (0.3, -0.7)]:
        np.testing.assert_allclose(camera.project(camera.ground_point(x, y))[:2], (x, y), atol=1e-9)


def test_no_camera_sees_the_horizon_or_the_end_of_the_ground():
    for seed in range(300):
        camera = draw_camera(np.random.default_rng(seed))
        corners = np.array([camera.ground_point(x, y) for x in (-1, 1) for y in (-1, 1)])
        assert (camera.project(corners)[:, 2] > 0).all()
        assert np.abs(corners).max() < Ground.HALF_WIDTH


def test_image_axes_are_a_right_handed_frame():
    axes = draw_camera(np.random.default_rng(4)).axes()
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.cross(axes[0], axes[1]), -axes[2], atol=1e-12)
    assert axes[0, 0] > 0.99  # right of the image is +x


def test_every_scene_has_matte_ground_and_above_it_walls_and_objects_in_view_off_the_camera():
    for scene in (make_scene(11, number) for number in range(3)):
        assert len(scene.surfaces) >= 4 and scene.surfaces[0].material.gloss == 'matte'
        assert 35 <= scene.elevation <= 45
        for surface in scene.surfaces[2:]:
            seen = scene.camera.project(surface.mesh.vertices)
            assert (np.abs(seen[:, :2]) < 1).all(axis=1).any()
            assert np.linalg.norm(surface.mesh.vertices - scene.camera.origin, axis=1).min() > 3
            assert surface.mesh.vertices[:, 2].min() > -1.5
