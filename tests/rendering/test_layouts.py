import numpy as np
import pytest

from s3net_plugin.rendering.folder import LIGHTS, Settings, depth_name, image_name, open_folder
from s3net_plugin.rendering.layouts import write_one_to_one, write_pairs


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp('rendered')
    rng = np.random.default_rng(0)
    with open_folder(root, Settings(seed=0, size=4, spp=1)) as folder:
        for number in (2, 3, 4):
            images = {light: rng.integers(0, 256, (4, 4, 3), dtype=np.uint8) for light in LIGHTS}
            folder.write(number, images, rng.random((4, 4)))
    return root


def files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob('*') if path.is_file()}


def test_target_of_a_pair_is_its_scene_under_the_light_of_its_guide(scenes, tmp_path):
    write_pairs(scenes, tmp_path / 'pairs', numbers=range(2, 5), seed=0)
    kinds = [('input', 'png'), ('input', 'npy'), ('guide', 'png'), ('guide', 'npy'), ('target', 'png')]
    expected = {f'{folder}/Pair00{n}.{extension}' for n in (2, 3, 4) for folder, extension in kinds}
    copies = files(tmp_path / 'pairs')
    assert copies.keys() == expected
    origin = {(scenes / image_name(n, light)).read_bytes(): (n, light) for n in (2, 3, 4) for light in LIGHTS}
    for n in (2, 3, 4):
        shot, guide, target = (origin[copies[f'{folder}/Pair00{n}.png']] for folder in ('input', 'guide', 'target'))
        assert shot[0] == target[0] == n != guide[0]
        assert shot[1] != target[1] == guide[1]
        assert copies[f'input/Pair00{n}.npy'] == (scenes / depth_name(n)).read_bytes()
        assert copies[f'guide/Pair00{n}.npy'] == (scenes / depth_name(guide[0])).read_bytes()


def test_pairs_follow_from_the_seed(scenes, tmp_path):
    for name, seed in [('a', 0), ('b', 0), ('c', 1)]:
        write_pairs(scenes, tmp_path / name, numbers=range(2, 5), seed=seed)
    assert files(tmp_path / 'a') == files(tmp_path / 'b') != files(tmp_path / 'c')


def test_one_to_one_goes_from_6500_north_to_4500_east(scenes, tmp_path):
    write_one_to_one(scenes, tmp_path / 'one', numbers=range(2, 4))
    kinds = {'input/{}.png': '{}_6500_N.png', 'depth/{}.npy': '{}.npy', 'target/{}.png': '{}_4500_E.png'}
    assert files(tmp_path / 'one') == {
        copy.format(name): (scenes / original.format(name)).read_bytes()
        for name in ('Image002', 'Image003')
        for copy, original in kinds.items()
    }


def test_a_missing_scene_is_named_and_leaves_nothing(scenes, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'Image005.*missing; render'):
        write_one_to_one(scenes, tmp_path / 'one', numbers=range(2, 6))
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_not_touched(scenes, tmp_path):
    (tmp_path / 'note').write_text('mine')
    with pytest.raises(ValueError, match='exists already'):
        write_pairs(scenes, tmp_path, numbers=range(2, 5), seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ['note']


def test_too_few_scenes_are_refused(scenes, tmp_path):
    with pytest.raises(ValueError, match='at least two scenes'):
        write_pairs(scenes, tmp_path / 'pairs', numbers=[2], seed=0)
    with pytest.raises(ValueError, match='at least one scene'):
        write_one_to_one(scenes, tmp_path / 'one', numbers=[])
