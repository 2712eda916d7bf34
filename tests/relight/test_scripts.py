import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.relight.pictures import smooth_noise


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
def relight(relight_script, folders, checkpoints):
    """Run the script in ``folders``: an option's value is a file there."""

    def run(*flags, checkpoint='guided', **options):
        argv = ['--checkpoint', str(checkpoints / f'{checkpoint}.pth'), '--work-size', '64', '--device', 'cpu', *flags]
        for name, value in options.items():
            argv += [f'--{name.replace("_", "-")}', str(folders / value)]
        relight_script.main(argv)

    return run


ONE = {'input': 'photos/a.jpg', 'guide': 'guides/a.webp', 'input_depth': 'depth/a.png', 'guide_depth': 'guide_depth'}


def test_one_photo_keeps_its_size(relight, folders, capsys):
    relight(**ONE, output='out.png')
    assert capsys.readouterr().out.splitlines() == [str(folders / 'out.png')]
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
    relight(input='photos', guide='guides/a.webp', input_depth='depth', guide_depth='guide_depth', output='one')
    relight(input='photos', guide='guides', input_depth='depth', guide_depth='guide_depth', output='each')
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
        relight(input='photos', guide='guides/a.webp', input_depth='depth', guide_depth='guide_depth', output='out')
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


def test_prepare_depth_of_photos_serves_relighting(prepare_depth_script, relight, folders, depth_models, capsys):
    (folders / 'photos/broken.jpg').write_bytes(b'junk')
    argv = [str(folders / 'photos'), str(folders / 'made'), '--depth-model', str(depth_models / 'relative')]
    with pytest.raises(SystemExit, match='1 could not be made'):
        prepare_depth_script.main([*argv, '--size', '100', '--device', 'cpu'])
    assert 'broken.jpg' in capsys.readouterr().err
    made = {path.name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (folders / 'made').iterdir()}
    assert {name: depth.shape for name, depth in made.items()} == {'a.png': (100, 100), 'b.png': (75, 100)}
    assert all(depth.dtype == np.uint16 for depth in made.values())
    relight(**{**ONE, 'input_depth': 'made'}, output='out.png')


@pytest.mark.parametrize(('kind', 'nearest'), [('disparity', 3), ('depth', 0)])
def test_prepare_depth_of_maps(prepare_depth_script, tmp_path, kind, nearest):
    np.save(tmp_path / 'map.npy', np.float32([[10, 20, 30, 40]]))
    prepare_depth_script.main([str(tmp_path / 'map.npy'), str(tmp_path / 'out.png'), '--from', kind])
    depth = cv2.imread(str(tmp_path / 'out.png'), cv2.IMREAD_UNCHANGED)
    assert depth[0, nearest] == 0
    assert depth[0, 3 - nearest] == 65535
    with pytest.raises(SystemExit, match='1 could not be made'):
        prepare_depth_script.main([str(tmp_path / 'map.npy'), str(tmp_path / 'out.png'), '--from', kind])


@pytest.mark.parametrize(('source', 'output'), [('map.npy', 'one.jpg'), ('map.npy', 'map.npy'), ('.', 'all.png')])
def test_prepare_depth_makes_no_folder_named_like_a_file(prepare_depth_script, tmp_path, source, output):
    np.save(tmp_path / 'map.npy', np.float32([[10, 20]]))
    with pytest.raises(SystemExit, match=rf'{output}: is a file or named like one; OUTPUT is a \.png for one map'):
        prepare_depth_script.main([str(tmp_path / source), str(tmp_path / output), '--from', 'depth'])
    assert [path.name for path in tmp_path.iterdir()] == ['map.npy']
