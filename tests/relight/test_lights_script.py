"""``scripts/relight.py`` with lights by name."""

import sys

import numpy as np
import pytest
from PIL import Image

from s3net_plugin.archs import pretrained
from s3net_plugin.relight.photo import read_photo
from s3net_plugin.rendering.light import DIRECTIONS, LUMINANCE
from tests.conftest import RENDERED

DEPTH = ('--input-depth', RENDERED / 'scene_depth.png')
NW = RENDERED / 'scene_2500_NW.png'  # the scene with its sun in the north-west; in the east: scene_4500_E.png


@pytest.fixture
def relight(run_main, checkpoints, monkeypatch, tmp_path):
    """Run the script in a folder of its own; the weights in the package are those of a small, untrained network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrained, 'pretrained_path', lambda: checkpoints / 'guided.pth')

    def run(*arguments, photo=NW, output='out.png'):
        common = ('--work-size', 96, '--device', 'cpu')
        run_main('relight', '--input', photo, '--output', output, *common, *arguments)
        return tmp_path / output

    return run


def log_luminance(path):
    return np.log((read_photo(path).pixels / 255.0) ** 2.2 @ LUMINANCE + 0.02).ravel()


def test_light_e_makes_the_sun_come_from_the_east(relight):
    output = relight('--method', 'shading', '--light', 'E', *DEPTH)
    target = log_luminance(RENDERED / 'scene_4500_E.png')
    before, after, west = (
        np.corrcoef(log_luminance(path), target)[0, 1]
        for path in (NW, output, relight('--method', 'shading', '--light', 'w', *DEPTH, output='west.png'))
    )
    assert after > before + 0.05
    assert after > west + 0.05


def test_one_photo_one_command(relight, capsys):
    """With the weights and a guide of the package, in a form that no guide has."""
    Image.open(NW).crop((0, 40, 256, 200)).save('photo.png')
    Image.open(RENDERED / 'scene_depth.png').crop((0, 40, 256, 200)).save('depth.png')
    output = relight('--light', 'ne', '--input-depth', 'depth.png', photo='photo.png')
    assert capsys.readouterr().out.splitlines() == ['out.png']
    assert Image.open(output).size == (256, 160)


def test_warm_light_is_redder_than_cool_light(relight):
    warm, cool = (
        read_photo(relight('--method', 'shading', '--light', 'NE', '--temperature', kelvin, *DEPTH, '--force')).pixels
        for kelvin in (2500, 6500)
    )
    assert warm[..., 0].mean() / warm[..., 2].mean() > 2 * cool[..., 0].mean() / cool[..., 2].mean()


def test_temperature_alone_keeps_the_direction(relight):
    output = relight('--method', 'shading', '--temperature', '6500', *DEPTH)
    same = relight('--method', 'shading', '--temperature', '6500', '--light', 'NW', *DEPTH, output='same.png')
    assert output.read_bytes() == same.read_bytes()


def test_without_depth_shadows_stay(relight, capsys):
    output = relight('--method', 'shading', '--light', 'E', '--depth', 'none')
    assert capsys.readouterr().err.splitlines() == [
        'note: without depth only the colour of the light changes; shadows stay where they are'
    ]
    before, after = (read_photo(path).pixels.astype(float) for path in (NW, output))
    assert np.corrcoef(log_luminance(NW), log_luminance(output))[0, 1] > 0.97
    assert np.abs(after.mean((0, 1)) - before.mean((0, 1))).max() > 10


def test_guide_photo_serves_the_closed_form_too(relight):
    guide = ('--guide', RENDERED / 'guide_2500_NW.png', '--guide-depth', RENDERED / 'guide_depth.png')
    assert Image.open(relight('--method', 'shading', *guide, *DEPTH)).size == (256, 256)


def test_sweep_lights_turns_the_sun_around(relight):
    folder = relight('--method', 'shading', '--sweep', 'lights', *DEPTH, output='turn')
    assert Image.open(folder / 'sweep.gif').n_frames == 1 + len(DIRECTIONS)
    assert (folder / 'sheet.png').exists()


def test_folder_called_lights_wins_over_the_word(relight, tmp_path, capsys):
    (tmp_path / 'lights').mkdir()
    Image.open(RENDERED / 'guide_2500_NW.png').save(tmp_path / 'lights/evening.png')
    folder = relight('--sweep', 'lights', '--depth', 'none', output='turn')
    assert Image.open(folder / 'sweep.gif').n_frames == 2
    assert 'the folder of that name is taken' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), r'error: which light\? Give --light \(N, NE, .*\), --temperature, --guide or --sweep$'),
        (('--light', 'E', '--temperature', '900'), r'error: temperature 900: from 2000 \(warm\) to 8000 kelvin'),
        (('--guide', NW, '--temperature', '3000'), 'a guide photo brings its own colour'),
        (('--sweep', RENDERED, '--temperature', '3000'), 'a guide photo brings its own colour'),
        (('--light', 'E', '--guide-depth', NW), '--guide-depth: there is no guide photo'),
        (('--sweep', 'lights', '--guide-depth', NW), '--guide-depth: there is no guide photo'),
        (('--light', 'E', '--depth', 'none'), '--depth none, but --input-depth gives depth'),
        (('--light', 'E', '--method', 'shading', '--checkpoint', NW), 'shading has no weights; leave --checkpoint out'),
    ],
)
def test_what_does_not_go_together_is_one_line(relight, tmp_path, arguments, message):
    with pytest.raises(SystemExit, match=message) as ended:
        relight(*arguments, *DEPTH)
    assert '\n' not in str(ended.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('more', [('--guide', NW), ('--sweep', 'lights'), ('--light', 'north')])
def test_two_lights_or_an_unknown_one_end_in_one_line(relight, capsys, more):
    with pytest.raises(SystemExit):
        relight('--light', 'E', *more, *DEPTH)
    last = capsys.readouterr().err.splitlines()[-1]
    assert 'not allowed with argument --light' in last or "invalid choice: 'NORTH'" in last


def test_checkpoint_of_one_light_takes_none_by_name(relight, checkpoints):
    with pytest.raises(SystemExit, match='this checkpoint relights to one fixed light'):
        relight('--checkpoint', checkpoints / 'one_to_one.pth', '--light', 'E', *DEPTH)


def test_photo_without_depth_where_there_is_no_model_is_told_what_to_do(relight, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'transformers', None)  # as where the extra is not installed
    with pytest.raises(SystemExit) as ended:
        relight('--light', 'E')
    assert str(ended.value) == (
        "error: estimating depth needs transformers: pip install 's3net_plugin[depth]', or give depth maps "
        '(--input-depth), or change the colour only (--depth none)'
    )
