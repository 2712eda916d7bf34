import collections
import itertools
from types import SimpleNamespace

import pytest

from s3net_plugin.data.sampling import is_held_out, sample_params
from s3net_plugin.data.scene_index import PairIndex, SceneIndex

LIGHTS = [f'{t}_{d}' for t in (2500, 4500, 6500) for d in ('N', 'NE', 'E', 'S', 'W')]


def names(scenes=4, lights=LIGHTS, depth='.npy'):
    stems = [f'Image{number:03d}' for number in range(1, scenes + 1)]
    return [f'{stem}_{light}.png' for stem in stems for light in lights] + [stem + depth for stem in stems]


def drawn(index, times=20):
    return [index.files(i, sample_params(0, 0, n, i)) for i in range(len(index)) for n in range(times)]


def split(name):
    scene, light = name.removesuffix('.png').split('_', 1)
    return scene, light


def test_length_is_scenes_times_lights_and_every_image_is_an_input_once():
    index = SceneIndex(names())
    assert len(index) == 4 * 15
    inputs = [index.files(i, sample_params(0, 0, 0, i)).input for i in range(len(index))]
    assert sorted(inputs) == sorted(name for name in names() if name.endswith('.png'))


def test_the_target_is_the_same_scene_under_the_guides_light():
    for files in drawn(SceneIndex(names())):
        (scene, light), (guide, guide_light), (target, target_light) = map(
            split, (files.input, files.guide, files.target)
        )
        assert target == scene != guide
        assert target_light == guide_light != light
        assert files.input_depth == f'{scene}.npy' and files.guide_depth == f'{guide}.npy'
        assert files.label == f'{scene}_{light}__to__{guide}_{guide_light}.png'


def test_all_targets_and_guides_are_drawn_about_equally_often():
    index = SceneIndex(names())
    got = [index.files(0, sample_params(0, 0, n, 0)) for n in range(4200)]
    targets = collections.Counter(files.target for files in got)
    guides = collections.Counter(files.guide for files in got)
    assert len(targets) == 14 and min(targets.values()) > 200 and max(targets.values()) < 400
    assert len(guides) == 14 * 3 and min(guides.values()) > 50 and max(guides.values()) < 150


@pytest.mark.parametrize('fraction', [0.05, 0.3, 0.9])
def test_training_never_draws_what_validation_alone_draws(fraction):
    train = {(split(f.input)[1], split(f.target)[1]) for f in drawn(SceneIndex(names(), holdout=fraction), 60)}
    val = {
        (split(f.input)[1], split(f.target)[1])
        for f in drawn(SceneIndex(names(), holdout=fraction, only_held_out=True), 60)
    }
    assert train and val and not train & val
    assert val == {pair for pair in itertools.permutations(LIGHTS, 2) if is_held_out(*pair, fraction)}
    assert all(a != b for a, b in train | val)


def test_missing_lights_are_never_drawn():
    missing = {'Image001_2500_N.png', 'Image002_4500_W.png', 'Image003_4500_W.png', 'Image004_6500_S.png'}
    present = set(names()) - missing
    index = SceneIndex(present)
    assert len(index) == 4 * 15 - 4
    for files in drawn(index):
        assert set(files[:5]) <= present


def test_a_light_of_one_scene_alone_is_an_input_but_never_a_target():
    index = SceneIndex([*names(), 'Image001_3500_SE.png'])
    got = drawn(index, 40)
    assert any(files.input == 'Image001_3500_SE.png' for files in got)
    assert not any('3500_SE' in files.target for files in got)


def test_scene_numbers_select_inclusively():
    index = SceneIndex(names(scenes=12), numbers=(3, 5))
    used = {split(name)[0] for files in drawn(index, 5) for name in (files.input, files.guide)}
    assert used == {'Image003', 'Image004', 'Image005'}


@pytest.mark.parametrize('suffix', ['.npy', '.png', '.exr'])
def test_depth_maps_of_all_kinds_are_found(suffix):
    assert SceneIndex(names(depth=suffix)).files(0, sample_params(0, 0, 0, 0)).input_depth == f'Image001{suffix}'


@pytest.mark.parametrize(
    ('files', 'options', 'message'),
    [
        (['a.txt', 'Image001.npy'], {}, 'no image with a name like Image001_4500_NE.png; VIDIT comes from'),
        (names(scenes=1), {}, 'one scene, Image001'),
        (names(), {'numbers': (2, 2)}, 'one scene, Image002'),
        (names(), {'numbers': (7, 9)}, r'`scenes: \[7, 9\]` selects none of Image001 to Image004'),
        (names(lights=LIGHTS[:1]), {}, 'fewer than two lights: Image001, Image002, Image003 and 1 more'),
        ([*names(), 'Image005_2500_N.png', 'Image005.npy'], {}, 'fewer than two lights: Image005$'),
        (set(names()) - {'Image002.npy'}, {}, r'missing depth maps \(.npy, .png or .exr\): Image002$'),
        (names(lights=LIGHTS[:2]), {'holdout': 0.0001, 'only_held_out': True}, 'no light pair is left'),
    ],
)
def test_an_unusable_set_is_an_error_that_says_why(files, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        SceneIndex(files, **options)
    assert '\n' not in str(caught.value)


PAIRS = {
    'input': ['Pair001.png', 'Pair001.npy', 'Pair002.png', 'Pair002_depth.png'],
    'guide': ['Pair001.exr', 'Pair001.png', 'Pair002.npy', 'Pair002.png'],
    'target': ['Pair001.png', 'Pair002.png'],
}


def pairs(layout='pairs', numbers=None, needs_target=True, **folders):
    """The index of what a reader lists."""
    reader = SimpleNamespace(list=lambda folder: {**PAIRS, **folders}.get(folder, []))
    return PairIndex(reader, layout, numbers=numbers, needs_target=needs_target)


def test_pairs_share_their_names_and_numbers_select_them():
    assert len(pairs()) == 2
    first, second = (pairs().files(i, sample_params(0, 0, 0, 0)) for i in (0, 1))
    assert first == (
        'input/Pair001.png', 'input/Pair001.npy', 'guide/Pair001.png', 'guide/Pair001.exr', 'target/Pair001.png',
        'input/Pair001.png',
    )  # fmt: skip
    assert (second.input_depth, second.guide_depth) == ('input/Pair002_depth.png', 'guide/Pair002.npy')
    some = pairs(numbers=(2, 2))
    assert len(some) == 1 and some.files(0, sample_params(0, 0, 0, 0)) == second
    assert pairs(target=[], needs_target=False).files(0, sample_params(0, 0, 0, 0)).target is None


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'input': []}, 'no PNG image in input/; VIDIT comes from'),
        ({'guide': ['Pair001.png', 'Pair001.npy']}, 'missing images: guide/Pair002.png'),
        ({'guide': ['Pair001.png', 'Pair002.png', 'Pair002.npy']}, 'missing depth maps .*: guide/Pair001$'),
        ({'input': ['Pair001.png', 'Pair001.jpg']}, 'missing depth maps .*: input/Pair001$'),
        ({'target': ['Pair002.png'], 'needs_target': False}, 'missing images: target/Pair001.png'),
        ({'target': []}, r'missing images: target/Pair001\.png, target/Pair002\.png'),
        ({'numbers': (2, 9)}, r'`scenes: \[2, 9\]` asks for more than is there, Pair001 to Pair002'),
    ],
)
def test_what_is_missing_is_an_error_that_names_it(change, message):
    with pytest.raises(ValueError, match=message):
        pairs(**change)


def test_one_to_one_has_a_depth_folder_and_no_guide():
    index = pairs('one_to_one', input=['Image001.png'], depth=['Image001.png'], target=['Image001.png'])
    assert index.files(0, sample_params(0, 0, 0, 0)) == (
        'input/Image001.png', 'depth/Image001.png', None, None, 'target/Image001.png', 'input/Image001.png',
    )  # fmt: skip
