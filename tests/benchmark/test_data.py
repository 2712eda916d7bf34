import json

from s3net_plugin.benchmark import data as data_benchmark


def test_benchmark_compares_all_readers(tmp_path, monkeypatch, run_script):
    monkeypatch.setattr(data_benchmark, 'START_METHODS', ('fork',))
    status, out, _ = run_script(
        'benchmark_data', '--size', '64', '--scenes', '2', '--samples', '3', '--json', tmp_path / 'a.json'
    )
    assert status == 0
    result = json.loads((tmp_path / 'a.json').read_text())
    assert {'disk', 'lmdb_png', 'lmdb_raw', 'lmdb_raw_crop32'} <= set(result['speedup_over_plain'])
    assert len(result['rows']) == 8 and all(row['cpu_ms'] > 0 for row in result['rows'])
    raw = next(row for row in result['rows'] if row['reader'] == 'lmdb_raw' and not row['crop'])
    plain = next(row for row in result['rows'] if row['reader'] == 'plain' and not row['crop'])
    assert result['speedup_over_plain']['lmdb_raw'] == plain['cpu_ms'] / raw['cpu_ms']
    rows = [line.split() for line in out.splitlines() if line.startswith('| ')][2:]
    assert [row[1] for row in rows] == [row['reader'] for row in result['rows']]


def test_the_yardstick_reads_the_same_samples(tmp_path):
    data_benchmark.write_photos(tmp_path / 'source', scenes=2, size=32)
    for crop in (0, 16):
        plain, ours = (data_benchmark.open_dataset(reader, tmp_path, crop) for reader in ('plain', 'disk'))
        for draw in data_benchmark.draws(len(plain), 6):
            expected, sample = plain[draw], ours[draw]
            for key in ('lq', 'gt'):
                assert expected[key].shape == sample[key].shape
                assert abs(expected[key] - sample[key]).max() < 1e-6
