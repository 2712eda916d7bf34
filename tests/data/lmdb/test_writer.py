import lmdb
import numpy as np
import pytest
from basicsr.data.single_image_dataset import SingleImageDataset

from s3net_plugin.data.lmdb import writer as lmdb_writer
from s3net_plugin.data.lmdb.reader import open_database
from s3net_plugin.data.lmdb.records import encode_image, encode_key, pack_array
from s3net_plugin.data.lmdb.writer import LmdbWriter
from tests.data.sets import write_database

RNG = np.random.default_rng(0)


def records(count, size=3000):
    return {f'k{i:03d}'.encode(): pack_array(RNG.integers(0, 256, (1, size), np.uint8)) for i in range(count)}


def read(path):
    database = open_database(str(path), ('raw',))
    return {key: bytes(database.get(key)) for key in database.iter_keys()}


@pytest.mark.parametrize(('count', 'size'), [(200, 30_000), (1, 5_000_000)])
def test_the_map_of_a_megabyte_grows_when_it_is_full_and_loses_nothing(tmp_path, monkeypatch, count, size):
    monkeypatch.setattr(lmdb_writer, '_BATCH_BYTES', 300_000)
    content = records(count, size)
    write_database(tmp_path / 'a', content)
    assert read(tmp_path / 'a') == content
    with lmdb.open(str(tmp_path / 'a'), readonly=True) as env:
        assert env.info()['map_size'] < 24e6


def test_an_unfinished_database_keeps_whole_batches_and_does_not_pass_for_complete(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_writer, '_BATCH_BYTES', 10_000)
    content = records(10)
    write_database(tmp_path / 'a', content, finish=False)
    with pytest.raises(ValueError, match='is not finished'):
        read(tmp_path / 'a')
    with LmdbWriter(tmp_path / 'a', expected_bytes=0, settings={'codec': 'raw'}) as writer:
        assert writer.keys() == set(sorted(content)[:8])  # two batches of four; two records were in no batch
        for key in sorted(content)[8:]:
            writer.put(key, content[key])
        writer.finish()
    assert read(tmp_path / 'a') == content


def test_going_on_with_other_settings_is_refused(tmp_path):
    write_database(tmp_path / 'a', records(1), finish=False, size=512)
    for _ in range(2):
        with pytest.raises(ValueError, match=rf'^{tmp_path}/a: it was prepared with size 512, not 256; .*delete'):
            write_database(tmp_path / 'a', records(1), size=256)


def test_basicsrs_own_dataset_reads_the_png_codec(tmp_path):
    images = {stem: RNG.integers(0, 256, (6, 9, 3), np.uint8) for stem in ('input/Pair001', 'guide/Pair001', 'a.b c')}
    encoded = {encode_key(stem): encode_image(rgb, 'png') for stem, rgb in images.items()}
    path = write_database(tmp_path / 'rgb.lmdb', encoded, codec='png')
    keys = {encode_key(stem).decode(): rgb for stem, rgb in images.items()}
    assert (path / 'meta_info.txt').read_text().splitlines() == [f'{key}.png (6,9,3) 1' for key in sorted(keys)]
    assert sorted(file.name for file in path.iterdir()) == ['data.mdb', 'lock.mdb', 'meta_info.txt']
    dataset = SingleImageDataset({'dataroot_lq': str(path), 'io_backend': {'type': 'lmdb'}})
    assert len(dataset) == len(images)
    for sample in dataset:
        expected = keys[sample['lq_path']].transpose(2, 0, 1) / np.float32(255)
        np.testing.assert_array_equal(sample['lq'], expected)
