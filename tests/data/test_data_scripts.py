"""The commands for preparing, checking and timing data, as a user types them."""

import importlib.util
import json

import pytest

from s3net_plugin.benchmark import data as data_benchmark


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a script's ``main``; returns its exit status, output and errors."""

    def run(script, *arguments):
        module = importlib.import_module(f's3net_plugin.commands.{script}')
        monkeypatch.setattr('sys.argv', [f'{script}.py', *map(str, arguments)])
        status = 0
        try:
            module.main()
        except SystemExit as ended:
            status = ended.code
        return status, *capsys.readouterr()

    return run


def test_prepare_then_check(layouts, tmp_path, run):
    status, out, _ = run('prepare_vidit', '--source', layouts['scenes'], '--target', tmp_path / 'set', '--codec', 'raw')
    assert status == 0
    assert f'{tmp_path}/set: 120 images, 3 depth maps' in out and 'io_backend: {type: lmdb}' in out
    assert sorted(path.name for path in (tmp_path / 'set').iterdir()) == ['depth.lmdb', 'rgb.lmdb']
    for root in (layouts['scenes'], tmp_path / 'set'):
        status, out, _ = run('check_dataset', root, '--json', tmp_path / 'report.json')
        assert status == 0 and '120 images, 3 depth maps, 0 problems' in out
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['problems'] == [] and report['backend'] == 'lmdb' and report['layout'] == 'scenes'


def test_prepare_says_in_one_line_what_it_cannot_do(tmp_path, run):
    status, _, _ = run('prepare_vidit', '--source', tmp_path / 'nowhere', '--target', tmp_path / 'set')
    assert status.startswith(f'error: {tmp_path}/nowhere: no such folder') and '\n' not in status
    for size in ('0', '1000000'):
        status, _, error = run('prepare_vidit', '--source', tmp_path, '--target', tmp_path / 'set', '--size', size)
        assert status == 2 and error.endswith('error: --size must be from 1 to 8192\n')
    assert list(tmp_path.iterdir()) == []


def test_check_ends_with_a_status_and_lists_all(layouts, tmp_path, run):
    for name in ('Pair001', 'Pair002'):
        path = tmp_path / 'set' / 'input' / f'{name}.npy'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'text')
        (path.parent / f'{name}.png').write_bytes((layouts['pairs'] / 'input' / f'{name}.png').read_bytes())
    status, out, _ = run('check_dataset', tmp_path / 'set', '--layout', 'pairs', '--json', tmp_path / 'new/report.json')
    assert status == 1
    for line in ('undecodable: input/Pair001.npy: not a depth map', 'unpaired_name: guide/Pair002.png: is missing'):
        assert line in out
    assert json.loads((tmp_path / 'new/report.json').read_text())['counts'] == {'undecodable': 2, 'unpaired_name': 2}
    status, _, error = run('check_dataset', tmp_path / 'set', '--layout', 'pairs', '--json', tmp_path)
    assert status == 2 and error.endswith(f'error: argument --json: {tmp_path}: is a folder; name a file\n')
    status, _, error = run('check_dataset', tmp_path / 'nowhere')
    assert status == 2 and error == f'error: {tmp_path}/nowhere: no such folder\n'


def test_benchmark_compares_all_readers(tmp_path, monkeypatch, run):
    monkeypatch.setattr(data_benchmark, 'START_METHODS', ('fork',))
    status, out, _ = run(
        'benchmark_data', '--size', '64', '--scenes', '2', '--samples', '3', '--json', tmp_path / 'a.json'
    )
    assert status == 0
    result = json.loads((tmp_path / 'a.json').read_text())
    assert {'disk', 'lmdb_png', 'lmdb_raw', 'lmdb_raw_crop32'} <= set(result['speedup_over_plain'])
    assert len(result['rows']) == 8 and all(row['cpu_ms'] > 0 for row in result['rows'])
    raw = next(row for row in result['rows'] if row['reader'] == 'lmdb_raw' and not row['crop'])
    plain = next(row for row in result['rows'] if row['reader'] == 'plain' and not row['crop'])
    assert result['speedup_over_plain']['lmdb_raw'] == plain['cpu_ms'] / raw['cpu_ms']
    assert out.count('\n| ') == 8


def test_the_yardstick_reads_the_same_samples(tmp_path):
    data_benchmark.write_photos(tmp_path / 'source', scenes=2, size=32)
    for crop in (0, 16):
        plain, ours = (data_benchmark.open_dataset(reader, tmp_path, crop) for reader in ('plain', 'disk'))
        for draw in data_benchmark.draws(len(plain), 6):
            expected, sample = plain[draw], ours[draw]
            for key in ('lq', 'gt'):
                assert expected[key].shape == sample[key].shape
                assert abs(expected[key] - sample[key]).max() < 1e-6
