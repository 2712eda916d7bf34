"""Which depth map goes with a photo."""

import re

import pytest

from s3net_plugin.relight.jobs import depth_map, plan_jobs


@pytest.fixture
def folder(tmp_path):
    """A folder of empty files of these names."""

    def make(*names):
        for name in names:
            (tmp_path / name).touch()
        return tmp_path

    return make


@pytest.mark.parametrize(
    ('photo', 'others', 'expected'),
    [
        ('a.png', ['a.npy'], 'a.npy'),
        ('a.jpg', ['a.png'], 'a.png'),
        ('Image001_2500_W.png', ['Image001.npy'], 'Image001.npy'),
        ('Image001_2500_W.jpg', ['Image001.npy', 'Image001_2500_W.npy'], 'Image001_2500_W.npy'),
    ],
)
def test_a_photo_has_the_depth_of_its_name_or_else_of_its_scene(folder, photo, others, expected):
    root = folder(photo, *others)
    assert depth_map(root, root / photo) == root / expected


def test_a_photo_is_never_its_own_depth_map(folder, tmp_path):
    root = folder('a.png', 'guide.png')
    (tmp_path / 'link').symlink_to(root)
    for place in (root, tmp_path / 'link'):
        with pytest.raises(FileNotFoundError, match=r'no a \(\.npy, \.png, \.exr\) in it'):
            depth_map(place, root / 'a.png')
    with pytest.raises(ValueError, match=r'a\.png: is the photo itself'):
        depth_map(root / 'a.png', root / 'a.png')
    options = {'guide': root / 'guide.png', 'photo_depth': root, 'guide_depth': root}
    jobs, problems = plan_jobs(root / 'a.png', root / 'out.png', **options)
    assert jobs == []
    assert len(problems) == 1


def test_two_depth_maps_of_one_photo_are_a_question(folder):
    root = folder('Image001_2500_W.png', 'Image001.npy', 'Image001.exr')
    with pytest.raises(ValueError, match='Keep one'):
        depth_map(root, root / 'Image001_2500_W.png')


@pytest.mark.parametrize(
    ('names', 'written', 'named'),
    [
        (['a.jpg', 'b.JFIF', 'c.jpe'], ['a.jpg', 'b.JFIF', 'c.jpe'], []),
        (['a.bmp', 'b.HEIC', 'c.avif'], ['a.png', 'b.png', 'c.png'], []),
        (['a.gif', 'b.png', 'c.NEF'], ['b.png'], [r'a\.gif: is not taken here', r'c\.NEF: a raw file .* develop it']),
        (['a.bmp', 'a.png', 'b.png'], ['b.png'], [r'a\.bmp and .*a\.png: would all become .*a\.png; rename']),
        (['a.png', 'notes.txt', 'a.xmp', '.hidden.gif'], ['a.png'], []),
    ],
)
def test_every_picture_of_a_folder_is_taken_or_named(folder, names, written, named):
    root = folder(*names)
    jobs, problems = plan_jobs(root, root / 'out', guide=None, photo_depth=None, guide_depth=None)
    assert sorted(job.output.name for job in jobs) == written
    assert len(problems) == len(named)
    for problem, message in zip(sorted(problems), named, strict=True):
        assert re.search(message, problem)
