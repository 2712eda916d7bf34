"""The real command meets bad data: one line that names database, key and phase, and nothing that goes on running."""

import json
import os
import shutil
import uuid
from pathlib import Path

import lmdb
import pytest

from s3net_plugin.data import RGBDRelightPairedDataset, SampleIndex
from s3net_plugin.data.lmdb.reader import INFO_KEY
from s3net_plugin.running.cli import main
from tests.conftest import run_basicsr
from tests.data.sets import make


@pytest.fixture
def prepared(rendered, tmp_path):
    return make(rendered, tmp_path / 'set', codec='raw').target


def corrupt(root, options):
    """Damage all depth maps of a prepared set, but for what is read before a run starts."""
    first = RGBDRelightPairedDataset(options)[SampleIndex(0, 0, 0, 0)]
    spared = {Path(first[name]).name[: len('Image000')].encode() for name in ('lq_path', 'guide_path')}
    with lmdb.open(str(root / 'depth.lmdb')) as env, env.begin(write=True) as transaction:
        for key, value in list(transaction.cursor()):
            if key not in (INFO_KEY, *spared):
                transaction.put(key, value[:-50])


def use(options, phase, root):
    options['datasets'][phase] |= {'dataroot': str(root), 'io_backend': {'type': 'lmdb'}}


def with_token(token):
    """Processes that have inherited an environment with ``token``."""
    found = []
    for path in Path('/proc').glob('[0-9]*/environ'):
        try:
            if token.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:  # it has ended, or is not ours
            continue
    return found


@pytest.mark.parametrize(('phase', 'workers', 'prefetch'), [('train', 2, None), ('train', 2, 'cpu'), ('val', 0, None)])
def test_a_corrupt_record_ends_the_run_with_one_line(
    prepared, options, write_options, tmp_path, monkeypatch, phase, workers, prefetch
):
    bad = tmp_path / 'bad'
    shutil.copytree(prepared, bad)
    use(options, 'train', prepared)
    use(options, phase, bad)
    corrupt(bad, {**options['datasets'][phase], 'phase': phase})
    options['datasets']['train'] |= {'num_worker_per_gpu': workers, 'prefetch_mode': prefetch}
    token = uuid.uuid4().hex
    monkeypatch.setenv('S3NET_TEST_TOKEN', token)
    run = run_basicsr(tmp_path, 'train.py', '-opt', write_options(options), timeout=90)
    assert run.returncode == 1
    assert 'Traceback' not in run.stderr
    errors = [line for line in run.stderr.splitlines() if 'error' in line]
    assert len(errors) == 1
    assert errors[0].startswith(f"basicsr: error: {phase} dataset '{phase}': {bad}/depth.lmdb: key 'Image00")
    assert 'corrupt record' in errors[0]
    assert with_token(token) == []
    assert (tmp_path / 'experiments/tiny/models/net_g_2.pth').exists() == (phase == 'val')  # it trained until then


def break_codec(path):
    with lmdb.open(str(path)) as env, env.begin(write=True) as transaction:
        info = json.loads(transaction.get(INFO_KEY))
        transaction.put(INFO_KEY, json.dumps({**info, 'codec': 'jpeg'}).encode())


@pytest.mark.parametrize('phase', ['train', 'val'])
@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda path: os.truncate(path / 'data.mdb', 50000), 'data.mdb is truncated: 50000 bytes of'),
        (break_codec, "unknown codec 'jpeg'; known: png, raw"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_before_the_run(
    prepared, options, write_options, tmp_path, monkeypatch, capsys, phase, damage, message
):
    monkeypatch.chdir(tmp_path)
    damage(prepared / 'rgb.lmdb')
    use(options, phase, prepared)
    assert main(['train.py', '-opt', str(write_options(options))]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    for part in (f"{phase} dataset '{phase}'", f'{prepared}/rgb.lmdb', message):
        assert part in error
    assert not (tmp_path / 'experiments').exists()
