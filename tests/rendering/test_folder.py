import json
import multiprocessing
import time

import cv2
import numpy as np
import pytest

from s3net_plugin.rendering.folder import LIGHTS, Settings, image_name, open_folder

SETTINGS = Settings(seed=1, size=8, spp=4)


def fake_scene(seed=0):
    rng = np.random.default_rng(seed)
    return {light: rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for light in LIGHTS}, rng.uniform(5, 20, (8, 8))


@pytest.fixture
def root(tmp_path):
    with open_folder(tmp_path / 'set', SETTINGS) as folder:
        folder.write(7, *fake_scene())
    return tmp_path / 'set'


def other_spp(text):
    assert '"spp": 4' in text
    return text.replace('"spp": 4', '"spp": 64')


def complete(root, number=7, settings=SETTINGS):
    with open_folder(root, settings) as folder:
        return folder.is_complete(number)


def test_a_scene_is_41_files_of_vidit_in_one_flat_folder(root):
    seen = {path.name for path in root.iterdir() if not path.name.startswith('.')}
    temperatures, directions = (2500, 3500, 4500, 5500, 6500), ('N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW')
    assert seen == {f'Image007_{t}_{d}.png' for t in temperatures for d in directions} | {'Image007.npy'}


def test_images_are_opaque_rgba_that_hold_the_pixels(root):
    images, _ = fake_scene()
    for light in LIGHTS:
        pixels = cv2.imread(str(root / image_name(7, light)), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(pixels[..., 2::-1], images[light])
        assert pixels.shape == (8, 8, 4) and (pixels[..., 3] == 255).all()


def test_depth_is_the_dict_of_vidit_and_larger_is_farther(root):
    stored = np.load(root / 'Image007.npy', allow_pickle=True)
    assert stored.shape == () and stored.dtype == object
    entry = stored.item()
    assert entry.keys() == {'normalized_depth', 'ref_center_dis'}
    depth, distance = entry['normalized_depth'], fake_scene()[1]
    assert depth.dtype == np.float32 and depth.min() == 0 and depth.max() == 1
    np.testing.assert_array_equal(np.argsort(depth, axis=None), np.argsort(distance, axis=None))
    assert entry['ref_center_dis'] == distance[4, 4] and type(entry['ref_center_dis']) is float


@pytest.mark.parametrize('name', ['Image007.npy', 'Image007_6500_NW.png'])
def test_a_written_scene_is_complete_unless_a_file_is_missing_or_truncated(root, name):
    assert complete(root) and not complete(root, number=8)
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[:-3])
    assert not complete(root)
    (root / name).unlink()
    assert not complete(root)
    (root / name).write_bytes(content)
    assert complete(root)


@pytest.mark.parametrize('change', [lambda text: '', lambda text: text[:20], lambda text: '[]', other_spp])
def test_a_record_that_is_damaged_or_of_other_settings_makes_it_incomplete(root, change):
    path = root / '.render' / '007.json'
    path.write_text(change(path.read_text()))
    assert not complete(root)


@pytest.mark.parametrize('change', [{'seed': 2}, {'size': 16}, {'spp': 16}, {'generator': 0}, {'style': 'indoor'}])
def test_other_settings_are_refused_with_both_named(root, change):
    other = SETTINGS._replace(**change)
    shown = json.dumps(change)[1:-1]
    with pytest.raises(
        ValueError, match=rf'was rendered with .*"seed": 1.* not with .*{shown}.* choose another folder'
    ):
        complete(root, settings=other)
    with open_folder(root / 'other', other):
        pass
    with pytest.raises(ValueError, match=rf'was rendered with .*{shown}.* not with .*"seed": 1'):
        complete(root / 'other')


def test_a_set_from_before_there_were_styles_is_classic_and_goes_on(root):
    settings, record = (json.loads((root / '.render' / name).read_text()) for name in ('settings.json', '007.json'))
    assert settings == record['settings'] == {'seed': 1, 'size': 8, 'spp': 4, 'generator': 1}
    assert complete(root, settings=SETTINGS._replace(style='classic'))


def test_nothing_half_written_when_writing_fails(tmp_path):
    images, distance = fake_scene()
    del images[LIGHTS[30]]
    with open_folder(tmp_path, SETTINGS) as folder:
        with pytest.raises(KeyError):
            folder.write(0, images, distance)
        assert not folder.is_complete(0)
        assert not list(tmp_path.glob('Image*'))
        folder.write(0, *fake_scene())
        assert folder.is_complete(0)


@pytest.mark.parametrize('name', ['Image000_2500_N.png', 'input'])  # the latter of the other layouts
def test_a_folder_of_foreign_images_is_refused_and_left_alone(tmp_path, name):
    (tmp_path / name).write_bytes(b'vidit')
    with pytest.raises(ValueError, match='not rendered here; choose an empty folder'), open_folder(tmp_path, SETTINGS):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_second_writer_is_turned_away_while_the_first_is_at_work(tmp_path):
    with (
        open_folder(tmp_path, SETTINGS),
        pytest.raises(ValueError, match='another run is rendering'),
        open_folder(tmp_path, SETTINGS),
    ):
        pytest.fail('both got in')
    with open_folder(tmp_path, SETTINGS) as folder:
        assert folder.root == tmp_path


def write_shared(root, times):
    for _ in range(times):
        with open_folder(root, SETTINGS, shared=True) as folder:
            folder.write(7, *fake_scene())


def test_runs_that_write_one_scene_at_once_and_are_killed_leave_it_whole_and_nothing_else(root, tmp_path):
    """As on machines without common locks; another run holds the lock of the folder meanwhile."""
    shared = tmp_path / 'shared'
    with open_folder(shared, SETTINGS):
        runs = [multiprocessing.get_context('fork').Process(target=write_shared, args=(shared, 20)) for _ in range(6)]
        for run in runs:
            run.start()
        for index, run in enumerate(runs[:4]):
            time.sleep(0.02 * index)
            run.kill()
        for run in runs:
            run.join()
        assert [run.exitcode for run in runs[4:]] == [0, 0]
        write_shared(shared, 1)
    for path in (*root.glob('*'), root / '.render/settings.json', root / '.render/007.json'):
        assert path.is_dir() or (shared / path.relative_to(root)).read_bytes() == path.read_bytes()
    assert {path.name for path in (shared / '.render').iterdir()} == {'settings.json', '007.json', 'lock'}


def test_settings_of_a_run_that_began_at_the_same_moment_are_seen_before_a_scene_is_written(tmp_path):
    with open_folder(tmp_path, SETTINGS, shared=True) as folder:
        (tmp_path / '.render' / 'settings.json').write_text(json.dumps(SETTINGS._replace(seed=2).noted()))
        with pytest.raises(ValueError, match='was rendered with'):
            folder.write(7, *fake_scene())
    assert not list(tmp_path.glob('Image*'))
