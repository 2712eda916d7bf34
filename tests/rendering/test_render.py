import functools
import os
import re
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from s3net_plugin.data.validate_dataset import validate_dataset
from s3net_plugin.rendering.folder import DIRECTIONS, LIGHTS, Settings, image_name, open_folder, scene_files
from s3net_plugin.rendering.light import temperature_rgb
from s3net_plugin.rendering.render import check_request, develop, render_set
from s3net_plugin.rendering.scene import STYLES
from s3net_plugin.rendering.tracer import Passes
from tests.conftest import ROOT
from tests.models.commands import until

SCRIPT = ROOT / 'scripts' / 'render_relighting_set.py'
SETTINGS = Settings(seed=4, size=32, spp=1)
ARGUMENTS = ['--seed', '4', '--size', '32', '--spp', '1']


@pytest.fixture(scope='module')
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp('rendered')
    render_set(root, first=0, count=2, settings=SETTINGS)
    return root


def scene_bytes(root, number):
    return {name: (root / name).read_bytes() for name in scene_files(number)}


def read(root, number, light):
    return cv2.imread(str(root / image_name(number, light))).astype(float)[..., ::-1]


def test_only_what_is_missing_is_rendered_again(rendered):
    before = scene_bytes(rendered, 0)
    kept = (rendered / 'Image001.npy').stat().st_mtime_ns
    (rendered / image_name(0, LIGHTS[3])).unlink()
    render_set(rendered, first=0, count=2, settings=SETTINGS)
    assert scene_bytes(rendered, 0) == before
    assert (rendered / 'Image001.npy').stat().st_mtime_ns == kept


def test_the_eight_lights_differ_and_warm_light_is_redder(rendered):
    images = [read(rendered, 0, (4500, direction)) for direction in DIRECTIONS]
    for i, first in enumerate(images):
        assert all(np.abs(first - other).mean() > 3 for other in images[:i])
    ratio = [read(rendered, 0, (kelvin, 'E')).mean((0, 1)) for kelvin in (2500, 3500, 4500, 5500, 6500)]
    assert (np.diff([rgb[0] / rgb[2] for rgb in ratio]) < 0).all()


def test_depth_is_finite_and_the_top_of_the_picture_farther(rendered):
    depth = np.load(rendered / 'Image001.npy', allow_pickle=True).item()['normalized_depth']
    assert depth.shape == (32, 32) and np.isfinite(depth).all()
    assert depth.min() == 0 and depth.max() == 1
    assert depth[:8].mean() > depth[-8:].mean() + 0.2


def test_a_temperature_multiplies_the_linear_image():
    rng = np.random.default_rng(0)
    passes = Passes(rng.uniform(0, 0.3, (8, 5, 5, 3)), rng.uniform(0, 0.3, (5, 5, 3)), np.ones((5, 5)))
    images = develop(passes, ambient=0.2)

    def linear(kelvin):
        value = images[kelvin, 'S'] / 255
        return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)

    warm, cold = linear(3500), linear(6500)
    inside = (warm > 0.02) & (warm < 0.98) & (cold > 0.02) & (cold < 0.98)
    expected = np.broadcast_to(temperature_rgb(3500) / temperature_rgb(6500), warm.shape)
    assert inside.sum() > 20
    np.testing.assert_allclose((warm / cold)[inside], expected[inside], rtol=0.06)


@pytest.mark.parametrize(
    ('first', 'count', 'settings', 'message'),
    [
        (0, 0, SETTINGS, '0 scenes from 0: need at least one'),
        (-1, 3, SETTINGS, 'numbered from 0 to 999'),
        (990, 11, SETTINGS, 'numbered from 0 to 999'),
        (0, 1, SETTINGS._replace(size=16), 'size 16: need at least 32'),
        (0, 1, SETTINGS._replace(spp=0), 'spp 0: must be a square number.* such as 1 or 1'),
        (0, 1, SETTINGS._replace(spp=20), 'spp 20: must be a square number.* such as 16 or 25'),
        (0, 1, SETTINGS._replace(seed=-1), 'seed -1'),
        (0, 1, SETTINGS._replace(style='moon'), 'style moon: must be one of classic, outdoor, indoor, street'),
    ],
)
def test_a_bad_request_names_the_option(first, count, settings, message):
    with pytest.raises(ValueError, match=message):
        check_request(first, count, settings)


@pytest.fixture
def script(run_script):
    return functools.partial(run_script, 'render_relighting_set')


def test_script_makes_all_three_layouts(rendered, tmp_path, script):
    script('--output', rendered, '--scenes', 2, *ARGUMENTS)
    for layout in ('pairs', 'one_to_one'):
        script('--layout', layout, '--source', rendered, '--output', tmp_path / layout, '--scenes', 2)
        assert len(list((tmp_path / layout / 'target').iterdir())) == 2


def test_shards_make_the_set_of_one_run_whichever_ends_last(rendered, tmp_path, script):
    for shard, scenes in (('2/3', 0), ('1/3', 1), ('0/3', 1)):
        _, out, _ = script('--output', tmp_path, '--scenes', 2, '--shard', shard, *ARGUMENTS)
        assert out == f'{tmp_path}: shard {shard}, {scenes} of 2 scenes, layout scenes\n'
    files = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()}
    assert len(files) == 2 * 42 + 1  # with the records and the settings
    assert all((rendered / path).read_bytes() == content for path, content in files.items())
    assert validate_dataset(tmp_path, show_progress=False).problems == []


@pytest.mark.parametrize('shard', ['2/2', '0/0', '-1/2', '1', '1/', 'a/b', '1/2/3', '0.5/2'])
def test_a_bad_shard_is_refused_in_one_line(tmp_path, script, shard):
    status, _, error = script('--output', tmp_path / 'set', f'--shard={shard}')
    assert status == 2
    assert error.endswith(f"--shard: '{shard}' is not I/N with I from 0 to N - 1, such as 0/8 to 7/8\n")
    assert not (tmp_path / 'set').exists()


def test_script_renders_every_style_with_the_sky_at_depth_one(tmp_path, script):
    for style in STYLES:
        script('--output', tmp_path / style, '--scenes', 1, '--style', style, *ARGUMENTS)
    pictures = [read(tmp_path / style, 0, LIGHTS[20]) for style in STYLES]
    assert all(np.abs(a - b).mean() > 5 for i, a in enumerate(pictures) for b in pictures[:i])
    depth = np.load(tmp_path / 'outdoor' / 'Image000.npy', allow_pickle=True).item()['normalized_depth']
    assert depth.min() == 0 and (depth[0] == 1).mean() > 0.3


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--spp', 5], 'error: spp 5: must be a square'),
        (['--seed', 9, '--size', 32, '--spp', 1], 'was rendered with .*"seed": 4'),
        (['--layout', 'pairs', '--source', 'nowhere'], 'error: .*exists already'),
    ],
)
def test_script_ends_with_one_clear_line(rendered, script, arguments, message):
    status, _, _ = script('--output', rendered, *arguments)
    assert re.search(message, status)


def test_script_that_is_killed_leaves_whole_files_and_goes_on(rendered, tmp_path):
    """Killed at some moment after the first files appear: every image under its name is whole."""
    command = [sys.executable, str(SCRIPT), '--output', str(tmp_path), '--scenes', '2', *ARGUMENTS]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {'PYTHONPATH': str(ROOT)}, stderr=subprocess.DEVNULL)
    until(lambda: any(tmp_path.glob('Image*')) or process.poll() is not None, seconds=120, pause=0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    found = list(tmp_path.glob('Image*.png'))
    assert found
    for path in found:
        assert path.read_bytes() == (rendered / path.name).read_bytes()
    render_set(tmp_path, first=0, count=2, settings=SETTINGS)
    with open_folder(tmp_path, SETTINGS) as folder:
        assert folder.is_complete(0) and folder.is_complete(1)
    assert scene_bytes(tmp_path, 1) == scene_bytes(rendered, 1)


def test_nothing_heavy_is_imported_until_something_is_rendered():
    """Under a stand-in for the parent package, whose own import brings BasicSR."""
    code = (
        'import sys, types; parent = types.ModuleType("s3net_plugin"); parent.__path__ = ["s3net_plugin"];'
        'sys.modules["s3net_plugin"] = parent; import s3net_plugin.rendering.render;'
        'sys.exit(str({"mitsuba", "drjit", "torch", "basicsr"} & set(sys.modules)))'
    )
    ended = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert ended.stderr.strip() == 'set()'
