import numpy as np
import pytest

from s3net_plugin.rendering.meshes import Ground, ball, boulder, box, frustum, lathe, merge, place
from s3net_plugin.rendering.objects import KINDS, height, make_object, move, radius


def facing(mesh):
    """A normal of every face (F, 3), twice as long as its area is large."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def volume(mesh):
    """Signed volume by the divergence theorem: positive if the faces of a closed mesh are wound outwards."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


CLOSED = {
    'box': (box(2.0, 3.0, 0.5), 3.0),
    'ball': (ball(1.5), 4 / 3 * np.pi * 1.5**3),
    'cylinder': (frustum(1.2, 1.2, 2), np.pi * 1.2**2 * 2),
    'cone': (lathe([[(1.0, 0), (0, 3)]]), np.pi),
}


@pytest.mark.parametrize('name', CLOSED)
def test_volume_is_that_of_the_solid(name):
    mesh, expected = CLOSED[name]
    assert volume(mesh) == pytest.approx(expected, rel=0.02)  # open at the foot, which adds nothing at z = 0


@pytest.mark.parametrize('name', CLOSED)
def test_placing_keeps_the_shape(name):
    mesh, _ = CLOSED[name]
    before, after = (np.linalg.norm(facing(each), axis=1) for each in (mesh, place(mesh, 4, -3, 0, yaw=70)))
    np.testing.assert_allclose(after, before, atol=1e-12)


@pytest.mark.parametrize(
    'mesh',
    [
        *(mesh for mesh, _ in CLOSED.values()),
        boulder(np.random.default_rng(2), 1.0),
        Ground(np.array([[0.2, 0.8, 0.3, 1.0]])).mesh(),
        place(box(1, 2, 3), 5, 5, 0, yaw=30),
    ],
)
def test_normals_have_length_one_and_agree_with_the_winding(mesh):
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-6)
    solid = np.linalg.norm(facing(mesh), axis=1) > 1e-9
    mean = mesh.normals[mesh.faces].mean(1)
    assert ((facing(mesh) * mean).sum(1)[solid] > 0).all()


def test_normals_of_a_ball_point_away_from_its_centre():
    mesh = ball(2.0)
    np.testing.assert_allclose(mesh.normals, (mesh.vertices - (0, 0, 2)) / 2, atol=0.1)


def test_texture_coordinates_are_lengths():
    mesh = box(2.0, 3.0, 0.5)
    for face in mesh.faces:
        world, texture = (field[face] - field[np.roll(face, 1)] for field in (mesh.vertices, mesh.texcoords))
        np.testing.assert_allclose(np.linalg.norm(world, axis=1), np.linalg.norm(texture, axis=1))


def test_merging_keeps_every_triangle():
    first, second = box(1, 1, 1), place(ball(0.5), 3, 0, 0)
    both = merge([first, second])
    assert len(both.faces) == len(first.faces) + len(second.faces)
    assert volume(both) == pytest.approx(volume(first) + volume(second))


def test_ground_mesh_lies_on_its_height_function_and_is_level_far_away():
    ground = Ground(np.array([[0.2, 0.8, 0.3, 1.0], [0.1, 0.1, -1.7, 0.5]]))
    vertices = ground.mesh().vertices
    np.testing.assert_allclose(vertices[:, 2], ground.height(vertices[:, 0], vertices[:, 1]))
    assert np.abs(vertices[:, 2]).max() > 0.15
    assert (vertices[np.hypot(vertices[:, 0], vertices[:, 1]) > 25, 2] == 0).all()


@pytest.mark.parametrize('kind', KINDS)
def test_objects_stand_on_the_floor_within_their_radius(kind):
    for seed in range(5):
        parts = make_object(np.random.default_rng(seed), 1.3, (kind,))
        vertices = np.concatenate([part.mesh.vertices for part in parts])
        assert vertices[:, 2].min() == pytest.approx(0, abs=0.2)  # boulders sink in a little
        assert np.hypot(vertices[:, 0], vertices[:, 1]).max() <= radius(parts) + 1e-12
        assert 0.3 < height(parts) < 8 and 0.2 < radius(parts) < 2.5
        assert {part.slot for part in parts} <= {0, 1}


def test_moving_an_object_moves_its_origin():
    parts = make_object(np.random.default_rng(0), 1.0, ('tower',))
    moved = move(parts, 3, 4, 5, yaw=33)
    assert height(moved) == pytest.approx(height(parts) + 5)
    centre = np.concatenate([part.mesh.vertices for part in moved])[:, :2] - (3, 4)
    assert np.hypot(*centre.T).max() == pytest.approx(radius(parts))
