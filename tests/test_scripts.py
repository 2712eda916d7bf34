"""What all scripts have in common, each run as a process of its own in which importing the package never ends well."""

import argparse
import os
import signal
import subprocess
import sys
import time

import pytest

from s3net_plugin.commands import arguments as shared
from s3net_plugin.data import options
from s3net_plugin.data.lmdb import records
from s3net_plugin.relight import depth, lights
from s3net_plugin.rendering import light, tracer
from tests.conftest import ROOT

# The arguments that each needs; what it writes goes to a folder that is not there.
SCRIPTS = {
    'benchmark': ['--json', 'made/x.json'],
    'benchmark_data': ['--json', 'made/x.json'],
    'check_dataset': ['data', '--json', 'made/x.json'],
    'compare_runs': ['a', 'b', '--output', 'made/x.png'],
    'export': ['--checkpoint', 'net.pth', '--output', 'made/x.pt2', 'made/x.onnx'],
    'import_released_weights': ['authors.pth', 'made/x.pth'],
    'pack_weights': ['--checkpoint', 'net.pth', '--output', 'made/x.safetensors', '--training', 't', '--scores', 's'],
    'plot_log': ['run', '--output', 'made/x.png'],
    'prepare_depth': ['photos', 'depth'],
    'prepare_vidit': ['--source', 'data', '--target', 'set'],
    'relight': ['--checkpoint', 'net.pth', '--input', 'photo.jpg', '--output', 'out.jpg'],
    'render_relighting_set': ['--output', 'set'],
}


@pytest.fixture
def run(tmp_path):
    """Run a script in the folder ``work``, with packages whose import does what ``on_import`` says."""

    def run(script, *arguments, on_import):
        for package in ('basicsr', 'numpy', 'torch'):
            (tmp_path / f'{package}.py').write_text(on_import)
        (tmp_path / 'work').mkdir()
        command = [sys.executable, str(ROOT / 'scripts' / f'{script}.py'), *arguments]
        environment = {**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'}
        return subprocess.run(
            command, cwd=tmp_path / 'work', env=environment, capture_output=True, text=True, timeout=60
        )

    return run


def test_every_script_is_tested_here():
    assert set(SCRIPTS) == {path.stem for path in (ROOT / 'scripts').glob('*.py')} - {'install_basicsr'}


@pytest.mark.parametrize('script', SCRIPTS)
def test_help_imports_nothing_that_takes_long(run, script):
    result = run(script, '--help', on_import='raise RuntimeError("imported")')
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f'usage: {script}.py')


@pytest.mark.parametrize('script', SCRIPTS)
def test_ctrl_c_ends_in_one_line_and_outputs_have_a_folder_by_then(run, script, tmp_path):
    result = run(script, *SCRIPTS[script], on_import='import os, signal\nos.kill(os.getpid(), signal.SIGINT)')
    assert (result.returncode, result.stdout) == (130, '')
    assert result.stderr in ('stopped\n', 'stopped; run the same command to go on\n')
    expected = ['made'] if any(argument.startswith('made/') for argument in SCRIPTS[script]) else []
    assert [str(path.relative_to(tmp_path / 'work')) for path in (tmp_path / 'work').rglob('*')] == expected


def test_ctrl_c_amid_the_work_leaves_nothing(tmp_path):
    command = [sys.executable, str(ROOT / 'scripts/benchmark_data.py'), '--folder', str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob('*.png')) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ('', 'stopped\n')
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_what_stands_in_for_the_package_is_the_same():
    assert tuple(options.LAYOUTS) == shared.LAYOUTS
    assert shared.IMAGE_CODECS == records.IMAGE_CODECS
    assert shared.DEPTH_CODECS == records.DEPTH_CODECS
    assert shared.VARIANTS == tracer.VARIANTS
    assert shared.DIRECTIONS == light.DIRECTIONS
    assert shared.DEFAULT_TEMPERATURE == lights.DEFAULT_TEMPERATURE
    assert shared.DEPTH_MODEL == depth.DEFAULT_MODEL
    assert shared.FAR_OVER_NEAR == depth.FAR_OVER_NEAR


def test_what_cannot_be_a_file_is_refused_by_its_name(tmp_path):
    (tmp_path / 'file').write_text('precious')
    with pytest.raises(argparse.ArgumentTypeError, match=f'^{tmp_path}: is a folder; name a file$'):
        shared.output_file(str(tmp_path))
    with pytest.raises(argparse.ArgumentTypeError, match=f'^{tmp_path}/file: cannot be made a folder: File exists$'):
        shared.output_file(str(tmp_path / 'file/x.png'))
