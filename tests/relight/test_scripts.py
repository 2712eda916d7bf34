import io
import shutil

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from s3net_plugin.archs.deploy import fast_precision
from s3net_plugin.relight.photo import read_photo
from s3net_plugin.relight.sweep import guides_in
from tests.conftest import RENDERED
from tests.relight.pictures import icc_gamma, icc_profile, icc_xyz, smooth_noise


@pytest.fixture
def folders(tmp_path, scene):
    """Two photos of different formats and sizes with depth, a file that is none, and two guides with depth."""
    for name in ('photos', 'depth', 'guides', 'guide_depth'):
        (tmp_path / name).mkdir()
    Image.fromarray(scene['input']).save(tmp_path / 'photos/a.jpg')
    Image.fromarray(smooth_noise((90, 120))).save(tmp_path / 'photos/b.png')
    (tmp_path / 'photos/._a.jpg').write_bytes(b'left by another system')
    for name in ('a', 'b'):
        cv2.imwrite(str(tmp_path / f'depth/{name}.png'), np.full((60, 60 if name == 'a' else 80), 9000, np.uint16))
        Image.fromarray(smooth_noise((64, 80), seed=ord(name))).save(tmp_path / f'guides/{name}.webp')
        cv2.imwrite(str(tmp_path / f'guide_depth/{name}.png'), np.full((64, 80), 9000, np.uint16))
    return tmp_path


@pytest.fixture
def relight(run_main, folders, checkpoints):
    """Run the script in ``folders``: an option's value is a file there."""

    def run(*flags, checkpoint='guided', **options):
        argv = ['--checkpoint', checkpoints / f'{checkpoint}.pth', '--work-size', 64, '--device', 'cpu', *flags]
        for name, value in options.items():
            argv += [f'--{name.replace("_", "-")}', folders / value]
        run_main('relight', *argv)

    return run


ONE = {'input': 'photos/a.jpg', 'guide': 'guides/a.webp', 'input_depth': 'depth/a.png', 'guide_depth': 'guide_depth'}
MANY = {**ONE, 'input': 'photos', 'input_depth': 'depth'}


@pytest.mark.parametrize('precision', ['auto', 'float32', 'bfloat16'])
def test_one_photo_keeps_its_size_and_the_precision_is_said(relight, folders, capsys, precision):
    relight('--precision', precision, **ONE, output='out.png')
    chosen = str(fast_precision(torch.device('cpu'))) if precision == 'auto' else f'torch.{precision}'
    expected = f'note: the network computes in {chosen.removeprefix("torch.")} on cpu\n'
    assert tuple(capsys.readouterr()) == (f'{folders / "out.png"}\n', expected)
    assert Image.open(folders / 'out.png').size == (256, 256)


def test_one_to_one_checkpoint_needs_no_guide(relight, folders, capsys):
    one = {key: value for key, value in ONE.items() if 'guide' not in key}
    relight(**one, output='out.png', checkpoint='one_to_one')
    assert (folders / 'out.png').exists()
    with pytest.raises(SystemExit, match='takes no guide'):
        relight(**ONE, output='out2.png', checkpoint='one_to_one')
    with pytest.raises(SystemExit, match='which light'):
        relight(**one, output='out2.png')


def test_folder_of_photos_under_one_guide_or_one_each(relight, folders):
    relight(**MANY, output='one')
    relight(**{**MANY, 'guide': 'guides'}, output='each')
    for name in ('one', 'each'):
        assert sorted(path.name for path in (folders / name).iterdir()) == ['a.jpg', 'b.png']
    same, other = ((folders / f'{name}/b.png').read_bytes() for name in ('one', 'each'))
    assert same != other
    assert (folders / 'one/a.jpg').read_bytes() == (folders / 'each/a.jpg').read_bytes()


def test_bad_files_are_reported_skipped_and_counted(relight, folders, capsys):
    (folders / 'photos/broken.jpg').write_bytes(b'junk')
    shutil.copy(folders / 'depth/a.png', folders / 'depth/broken.png')
    Image.fromarray(smooth_noise((64, 80))).save(folders / 'photos/lonely.png')
    with pytest.raises(SystemExit, match='2 could not be relit'):
        relight(**MANY, output='out')
    assert sorted(path.name for path in (folders / 'out').iterdir()) == ['a.jpg', 'b.png']
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('skipped: ')]
    assert len(lines) == 2
    assert any('broken.jpg' in line for line in lines)
    assert any('lonely' in line for line in lines)


def test_nothing_is_overwritten_without_force(relight, folders, capsys):
    (folders / 'out.png').write_bytes(b'precious')
    with pytest.raises(SystemExit, match='1 could not be relit'):
        relight(**ONE, output='out.png')
    assert '--force' in capsys.readouterr().err
    assert (folders / 'out.png').read_bytes() == b'precious'
    relight('--force', **ONE, output='out.png')
    assert Image.open(folders / 'out.png').size == (256, 256)


@pytest.mark.parametrize('output', ['photos/a.jpg', 'photos', 'guides/a.webp', 'depth/a.png'])
def test_inputs_are_never_overwritten_even_with_force(relight, folders, output, capsys):
    before = {path: path.read_bytes() for path in folders.rglob('*.*')}
    with pytest.raises(SystemExit):
        relight('--force', **ONE, output=output)
    assert 'would overwrite' in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folders.rglob('*.*')} == before


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'guide': 'guides'}, '--sweep'),
        ({'input': 'nothing'}, 'nothing: no such file or folder'),
        ({'input': 'depth_less'}, 'nothing in it'),
        ({'input': 'photos', 'output': 'photos/a.jpg'}, 'needs a folder'),
        ({'input': 'photos', 'output': 'out.png'}, r'out\.png: is a file or named like one; a folder of photos needs'),
        ({'output': 'out.bmp'}, 'must end in'),
    ],
)
def test_what_does_not_go_together_is_one_line(relight, folders, change, message):
    (folders / 'depth_less').mkdir()
    with pytest.raises(SystemExit, match=message):
        relight(**{**ONE, 'output': 'out.png', **change})


def test_depth_is_estimated_where_there_is_none(relight, folders, depth_models):
    relight('--depth-model', str(depth_models / 'relative'), input='photos', guide='guides/a.webp', output='out')
    assert sorted(path.name for path in (folders / 'out').iterdir()) == ['a.jpg', 'b.png']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'input': 'photos'}, r'photos: is a folder; --sweep relights one photo, so name one with --input$'),
        ({'output': 'sweep.png'}, r'sweep\.png: is a file or named like one; a sweep needs a folder as --output$'),
    ],
)
def test_a_sweep_of_one_photo_into_a_folder_is_asked_for(relight, folders, change, message):
    with pytest.raises(SystemExit, match=message):
        relight(**{'input': 'photos/a.jpg', 'sweep': 'guides', 'output': 'out', **change})
    assert not (folders / 'sweep.png').exists()


@pytest.mark.parametrize('kind', ['gif', 'mp4'])
def test_sweep_shows_every_good_guide(relight, folders, kind, capsys):
    (folders / 'guides/broken.jpg').write_bytes(b'junk')
    shutil.copy(folders / 'guide_depth/a.png', folders / 'guide_depth/broken.png')
    sweep = {'input': 'photos/b.png', 'sweep': 'guides', 'input_depth': 'depth', 'guide_depth': 'guide_depth'}
    with pytest.raises(SystemExit, match='1 could not be relit'):
        relight('--animation', kind, **sweep, output='out')
    assert 'broken.jpg' in capsys.readouterr().err
    sheet = np.asarray(Image.open(folders / 'out/sheet.png'))
    assert sheet.shape[0] > 3 * 160  # the input, two guides, two results, each under its label
    video = cv2.VideoCapture(str(folders / f'out/sweep.{kind}')) if kind == 'mp4' else None
    frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video else Image.open(folders / 'out/sweep.gif').n_frames
    assert frames == 3  # the input and two results
    with pytest.raises(SystemExit, match='already there'):
        relight('--animation', kind, **sweep, output='out')


def test_side_too_long_for_the_output_is_named_before_any_network_runs(relight, folders, monkeypatch, capsys):
    Image.fromarray(np.zeros((8, 16400, 3), np.uint8)).save(folders / 'photos/wide.png')
    monkeypatch.setattr('s3net_plugin.relight.relighter.Relighter.relight_small', None)
    monkeypatch.setattr('s3net_plugin.relight.relighter.flat_depth', None)
    with pytest.raises(SystemExit, match='1 could not be relit'):
        relight('--depth', 'none', input='photos/wide.png', guide='guides/a.webp', output='wide.webp')
    assert 'wide.webp: cannot be written: WebP holds 16383 pixels a side, this has 16400' in capsys.readouterr().err


def test_far_over_near_of_the_user_reaches_the_shadows(run_main, folders):
    argv = ['--method', 'shading', '--light', 'E', '--device', 'cpu', '--input', folders / 'photos/b.png']
    argv += ['--input-depth', RENDERED / 'scene_depth.png']
    Image.fromarray(smooth_noise((120, 120))).save(folders / 'photos/b.png')
    results = []
    for ratio in ('1.5', '4', None):
        output = folders / f'{ratio}.png'
        run_main('relight', *argv, '--output', output, *(['--far-over-near', ratio] if ratio else []))
        results.append(np.asarray(Image.open(output)).astype(int))
    shallow, four, default = results
    np.testing.assert_array_equal(four, default)  # what the closed form assumes
    assert np.abs(shallow - four).max() > 20


def test_prepare_depth_names_disparity_that_is_not_finite(run_main, tmp_path, capsys):
    np.save(tmp_path / 'map.npy', np.float32([[np.nan, 20, 30, 40]]))
    run_main('prepare_depth', tmp_path / 'map.npy', tmp_path / 'out.png', '--from', 'disparity')
    assert 'map.npy: 25% of it is not finite and counts as the farthest' in capsys.readouterr().err
    assert cv2.imread(str(tmp_path / 'out.png'), cv2.IMREAD_UNCHANGED)[0].tolist()[::3] == [65535, 0]


def test_prepare_depth_of_photos_serves_relighting(run_main, relight, folders, depth_models, capsys):
    (folders / 'photos/broken.jpg').write_bytes(b'junk')
    argv = [folders / 'photos', folders / 'made', '--depth-model', depth_models / 'relative']
    with pytest.raises(SystemExit, match='1 could not be made'):
        run_main('prepare_depth', *argv, '--size', '100', '--device', 'cpu')
    assert 'broken.jpg' in capsys.readouterr().err
    made = {path.name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (folders / 'made').iterdir()}
    assert {name: depth.shape for name, depth in made.items()} == {'a.png': (100, 100), 'b.png': (75, 100)}
    assert all(depth.dtype == np.uint16 for depth in made.values())
    relight(**{**ONE, 'input_depth': 'made'}, output='out.png')


@pytest.mark.parametrize(('kind', 'nearest'), [('disparity', 3), ('depth', 0)])
def test_prepare_depth_of_maps(run_main, tmp_path, kind, nearest):
    np.save(tmp_path / 'map.npy', np.float32([[10, 20, 30, 40]]))
    run_main('prepare_depth', tmp_path / 'map.npy', tmp_path / 'out.png', '--from', kind)
    depth = cv2.imread(str(tmp_path / 'out.png'), cv2.IMREAD_UNCHANGED)
    assert depth[0, nearest] == 0
    assert depth[0, 3 - nearest] == 65535
    with pytest.raises(SystemExit, match='1 could not be made'):
        run_main('prepare_depth', tmp_path / 'map.npy', tmp_path / 'out.png', '--from', kind)


@pytest.mark.parametrize(('source', 'output'), [('map.npy', 'one.jpg'), ('map.npy', 'map.npy'), ('.', 'all.png')])
def test_prepare_depth_makes_no_folder_named_like_a_file(run_main, tmp_path, source, output):
    np.save(tmp_path / 'map.npy', np.float32([[10, 20]]))
    with pytest.raises(SystemExit, match=rf'{output}: is a file or named like one; OUTPUT is a \.png for one map'):
        run_main('prepare_depth', tmp_path / source, tmp_path / output, '--from', 'depth')
    assert [path.name for path in tmp_path.iterdir()] == ['map.npy']


def test_sources_of_one_map_are_named_and_nothing_is_lost(run_main, tmp_path, capsys):
    np.save(tmp_path / 'IMG_1.npy', np.float32([[1, 2]]))
    cv2.imwrite(str(tmp_path / 'IMG_1.png'), np.uint16([[9, 8]]))
    np.save(tmp_path / 'IMG_2.npy', np.float32([[1, 2]]))
    with pytest.raises(SystemExit, match='1 could not be made'):
        run_main('prepare_depth', tmp_path, tmp_path / 'out', '--from', 'depth', '--force')
    err = capsys.readouterr().err
    assert 'IMG_1.npy and ' in err
    assert 'IMG_1.png: would all become' in err
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['IMG_2.png']


def display_p3():
    """An ICC profile with P3's primaries and the curve of gamma 2.2."""
    primaries = {b'rXYZ': (33759, 15807, -69), b'gXYZ': (19137, 45361, 2774), b'bXYZ': (10287, 4369, 51355)}
    curves = dict.fromkeys((b'rTRC', b'gTRC', b'bTRC'), icc_gamma(2.2))
    return icc_profile(b'RGB ', {tag: icc_xyz(*xyz) for tag, xyz in primaries.items()} | curves)


def as_srgb(rgb):
    p3 = ImageCms.ImageCmsProfile(io.BytesIO(display_p3()))
    return np.asarray(ImageCms.profileToProfile(Image.fromarray(rgb), p3, ImageCms.createProfile('sRGB')))


def test_what_is_made_to_be_looked_at_is_srgb(relight, folders):
    rgb = np.full((120, 120, 3), (200, 60, 40), np.uint8)
    for place in ('photos/p3.png', 'guides/p3.png'):
        Image.fromarray(rgb).save(folders / place, icc_profile=display_p3())
    for place in ('depth', 'guide_depth'):
        cv2.imwrite(str(folders / place / 'p3.png'), np.full((60, 60), 9000, np.uint16))
    relight(input='photos/p3.png', sweep='guides', input_depth='depth', guide_depth='guide_depth', output='out')
    sheet = np.asarray(Image.open(folders / 'out/sheet.png')).reshape(-1, 3)
    frame = np.asarray(Image.open(folders / 'out/sweep.gif').convert('RGB')).reshape(-1, 3)
    right = as_srgb(rgb)[0, 0].astype(int)
    assert np.abs(right - rgb[0, 0]).max() > 10
    for shown in (sheet, frame):
        assert np.sum(np.abs(shown.astype(int) - right).max(axis=1) <= 2) > 64 * 64
        assert np.sum(np.abs(shown.astype(int) - rgb[0, 0]).max(axis=1) <= 2) < 64


def test_any_error_of_one_photo_is_reported_and_the_others_are_relit(relight, folders, monkeypatch, capsys):
    def fails_for_b(path, *args):
        if path.name == 'b.png':
            raise AttributeError('no such thing')
        return read_photo(path, *args)

    monkeypatch.setattr('s3net_plugin.relight.relighter.read_photo', fails_for_b)
    with pytest.raises(SystemExit, match='1 could not be relit'):
        relight(**MANY, output='out')
    assert 'b.png: AttributeError: no such thing' in capsys.readouterr().err
    assert [path.name for path in (folders / 'out').iterdir()] == ['a.jpg']


def test_one_depth_map_serves_all_guides_of_a_sweep_and_is_none_of_them(tmp_path):
    for name in ('E.jpg', 'depth.png', 'N.jpg'):
        (tmp_path / name).touch()
    assert [name for name, _ in guides_in(tmp_path, tmp_path / 'depth.png', reader=None)] == ['E', 'N']
