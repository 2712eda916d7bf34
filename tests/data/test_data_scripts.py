"""The commands for preparing and checking data, as a user types them."""

import json


def test_prepare_then_check(layouts, tmp_path, run_script):
    status, out, _ = run_script(
        'prepare_vidit', '--source', layouts['scenes'], '--target', tmp_path / 'set', '--codec', 'raw'
    )
    assert status == 0
    assert f'{tmp_path}/set: 120 images, 3 depth maps' in out and 'io_backend: {type: lmdb}' in out
    assert sorted(path.name for path in (tmp_path / 'set').iterdir()) == ['depth.lmdb', 'rgb.lmdb']
    for root in (layouts['scenes'], tmp_path / 'set'):
        status, out, _ = run_script('check_dataset', root, '--json', tmp_path / 'report.json')
        assert status == 0 and '120 images, 3 depth maps, 0 problems' in out
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['problems'] == [] and report['backend'] == 'lmdb' and report['layout'] == 'scenes'


def test_prepare_in_shards_then_check(layouts, tmp_path, run_script):
    for shard in ('0/2', '1/2'):
        status, out, _ = run_script(
            'prepare_vidit', '--source', layouts['pairs'], '--target', tmp_path / 'val', '--shard', shard
        )
        assert status == 0 and f'in the option file, when all parts are there: `dataroot: {tmp_path}/val`' in out
    status, out, _ = run_script('check_dataset', tmp_path / 'val')
    assert status == 0 and '9 images, 6 depth maps, 0 problems' in out


def test_prepare_says_in_one_line_what_it_cannot_do(tmp_path, run_script):
    status, _, _ = run_script('prepare_vidit', '--source', tmp_path / 'nowhere', '--target', tmp_path / 'set')
    assert status.startswith(f'error: {tmp_path}/nowhere: no such folder') and '\n' not in status
    for size in ('0', '1000000'):
        status, _, error = run_script(
            'prepare_vidit', '--source', tmp_path, '--target', tmp_path / 'set', '--size', size
        )
        assert status == 2 and error.endswith('error: --size must be from 1 to 8192\n')
    assert list(tmp_path.iterdir()) == []


def test_check_ends_with_a_status_and_lists_all(layouts, tmp_path, run_script):
    for name in ('Pair001', 'Pair002'):
        path = tmp_path / 'set' / 'input' / f'{name}.npy'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'text')
        (path.parent / f'{name}.png').write_bytes((layouts['pairs'] / 'input' / f'{name}.png').read_bytes())
    status, out, _ = run_script(
        'check_dataset', tmp_path / 'set', '--layout', 'pairs', '--json', tmp_path / 'new/report.json'
    )
    assert status == 1
    for line in ('undecodable: input/Pair001.npy: not a depth map', 'unpaired_name: guide/Pair002.png: is missing'):
        assert line in out
    assert json.loads((tmp_path / 'new/report.json').read_text())['counts'] == {'undecodable': 2, 'unpaired_name': 2}
    status, _, error = run_script('check_dataset', tmp_path / 'set', '--layout', 'pairs', '--json', tmp_path)
    assert status == 2 and error.endswith(f'error: argument --json: {tmp_path}: is a folder; name a file\n')
    status, _, error = run_script('check_dataset', tmp_path / 'nowhere')
    assert status == 2 and error == f'error: {tmp_path}/nowhere: no such folder\n'
