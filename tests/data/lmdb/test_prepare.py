import multiprocessing
import pickle
import re
import shutil
import time
import traceback
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from s3net_plugin.data.lmdb import prepare, writer
from s3net_plugin.data.lmdb.folders import CODECS
from s3net_plugin.data.lmdb.reader import open_database
from s3net_plugin.utils.errors import DataError
from tests.data.sets import assert_same_samples, dataset, make, records, records_of


@pytest.fixture
def encoded(monkeypatch):
    """A list that gets the codec of every image that is encoded."""
    codecs, original = [], prepare.encode_image

    def encode_image(rgb, codec):
        codecs.append(codec)
        return original(rgb, codec)

    monkeypatch.setattr(prepare, 'encode_image', encode_image)
    return codecs


@pytest.mark.parametrize(('codec', 'depth'), [('png', 'float32'), ('raw', 'uint16')])
@pytest.mark.parametrize('layout', ['scenes', 'pairs', 'one_to_one'])
def test_every_layout_and_codec_gives_the_samples_of_the_files(layouts, tmp_path, layout, codec, depth):
    done = make(layouts[layout], tmp_path / 'set', codec=codec, depth=depth, workers=2)
    assert done.layout == layout
    crop = {'gt_size': 20, 'use_hflip': True}
    files, databases = dataset(layouts[layout], layout, **crop), dataset(tmp_path / 'set', layout, 'lmdb', **crop)
    step = 0 if depth == 'float32' else 1 / 65535
    assert_same_samples(files, databases, step)
    assert_same_samples(dataset(layouts[layout], layout), dataset(tmp_path / 'set', layout, 'lmdb'), step)


def test_resizing_beforehand_gives_the_samples_of_resizing_on_the_fly(layouts, tmp_path):
    make(layouts['scenes'], tmp_path / 'set', size=24, codec='raw')
    assert_same_samples(dataset(layouts['scenes'], resize=24), dataset(tmp_path / 'set', backend='lmdb'))
    # and a prepared set can be resized like any other
    make(layouts['pairs'], tmp_path / 'whole', codec='raw')
    whole = dataset(tmp_path / 'whole', 'pairs', 'lmdb', resize=24)
    assert_same_samples(dataset(layouts['pairs'], 'pairs', resize=24), whole)


def test_targets_may_lie_in_a_folder_of_their_own(layouts, tmp_path):
    make(layouts['no_target'], tmp_path / 'set', target_images=layouts['targets'])
    assert_same_samples(dataset(layouts['pairs'], 'pairs'), dataset(tmp_path / 'set', 'pairs', 'lmdb'))
    make(layouts['no_target'], tmp_path / 'test')
    sample = dataset(tmp_path / 'test', 'pairs', 'lmdb', phase='test')[0]
    assert 'gt' not in sample and sample['lq'].shape == (8, 32, 32)
    with pytest.raises(ValueError, match=r'has a folder target/ itself'):
        make(layouts['pairs'], tmp_path / 'x', target_images=layouts['targets'])


def test_depth_maps_of_all_kinds_and_odd_names_are_taken(tmp_path):
    rng = np.random.default_rng(0)
    for folder in ('input', 'guide', 'target'):
        (tmp_path / 'source' / folder).mkdir(parents=True)
        for name in ('Päir 1.v2', 'Pair2'):
            cv2.imwrite(str(tmp_path / 'source' / folder / f'{name}.png'), rng.integers(0, 256, (9, 7, 4), np.uint8))
            depth = rng.integers(0, 65536, (9, 7), np.uint16)
            if folder == 'input':
                cv2.imwrite(str(tmp_path / 'source' / folder / f'{name}_depth.png'), depth)
            elif folder == 'guide':
                np.save(tmp_path / 'source' / folder / f'{name}.npy', (depth / 65535).astype(np.float16))
    (tmp_path / 'source' / 'input' / 'notes.json').write_text('{}')
    done = make(tmp_path / 'source', tmp_path / 'set', codec='raw')
    assert (done.images, done.depth_maps) == (6, 4)
    assert_same_samples(dataset(tmp_path / 'source', 'pairs'), dataset(tmp_path / 'set', 'pairs', 'lmdb'))


def test_the_result_holds_no_pickle_and_no_alpha(layouts, tmp_path):
    make(layouts['scenes'], tmp_path / 'set', codec='png')
    for record in records(tmp_path / 'set')['rgb.lmdb'].values():
        assert cv2.imdecode(np.frombuffer(record, np.uint8), cv2.IMREAD_UNCHANGED).shape == (32, 32, 3)
    content = b''.join(file.read_bytes() for file in (tmp_path / 'set').rglob('*') if file.is_file())
    assert b'numpy' not in content and b'normalized_depth' not in content


@pytest.mark.parametrize(('name', 'shard'), [('set', None), ('set.0-of-1', (0, 1))])
def test_a_run_that_failed_goes_on_when_the_file_is_mended(layouts, tmp_path, monkeypatch, encoded, name, shard):
    monkeypatch.setattr(writer, '_BATCH_BYTES', 1)
    source, bad = tmp_path / 'source', tmp_path / 'source' / 'target' / 'Image001.png'
    shutil.copytree(layouts['one_to_one'], source)
    good = bad.read_bytes()
    bad.write_bytes(good[:-200])
    with pytest.raises(ValueError, match=f'^{bad}: truncated PNG'):
        make(source, tmp_path / 'set', shard=shard)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f'.{name}.partial', 'source']
    bad.write_bytes(good)
    (tmp_path / name).mkdir()  # an empty folder is no obstacle
    make(source, tmp_path / 'set', shard=shard)
    assert encoded.count('png') < 2 * 6  # the images before the bad one were not made again
    make(layouts['one_to_one'], tmp_path / 'whole')
    assert records(tmp_path / name) == records(tmp_path / 'whole')


@pytest.mark.parametrize(('batch', 'left'), [(2**26, ['source']), (1, ['.set.partial', 'source'])])
def test_a_run_that_is_interrupted_leaves_what_it_can_go_on_with_and_nothing_else(
    layouts, tmp_path, monkeypatch, encoded, batch, left
):
    encode_image = prepare.encode_image

    def interrupt_the_fourth(*image):
        if len(encoded) == 3:
            raise KeyboardInterrupt
        return encode_image(*image)

    monkeypatch.setattr(writer, '_BATCH_BYTES', batch)
    monkeypatch.setattr(prepare, 'encode_image', interrupt_the_fourth)
    (tmp_path / 'source').symlink_to(layouts['one_to_one'])
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / 'source', tmp_path / 'set')
    assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_a_run_killed_at_any_moment_is_gone_on_with(layouts, tmp_path, monkeypatch, encoded):
    make(layouts['scenes'], tmp_path / 'whole')
    total, encode_image = len(encoded), prepare.encode_image
    monkeypatch.setattr(writer, '_BATCH_BYTES', 20_000)
    monkeypatch.setattr(prepare, 'encode_image', lambda *image: time.sleep(0.002) or encode_image(*image))
    target = tmp_path / 'set'
    kills = 0
    while not target.exists() and kills < 40:
        encoded.clear()
        child = multiprocessing.get_context('fork').Process(target=make, args=(layouts['scenes'], target))
        child.start()
        time.sleep(0.01 + 0.01 * kills)
        child.kill()
        child.join()
        kills += child.exitcode != 0
        if not target.exists():
            for name, codecs in CODECS.items():  # none passes for complete unless it is
                path = tmp_path / '.set.partial' / name
                try:
                    open_database(str(path), codecs)
                    assert records_of(path) == records_of(tmp_path / 'whole' / name)
                except ValueError as error:
                    assert re.search('is not finished|no LMDB database|was not made by|LMDB cannot open it', str(error))
    encoded.clear()
    make(layouts['scenes'], target)
    assert kills >= 3 and len(encoded) < total
    assert records(target) == records(tmp_path / 'whole')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['set', 'whole']


def test_an_empty_target_is_no_obstacle_where_no_folder_is_renamed_to_a_name_that_is_taken(
    layouts, tmp_path, monkeypatch
):
    original = Path.rename

    def rename(path, target):
        if target.exists():
            raise FileExistsError(target)
        return original(path, target)

    monkeypatch.setattr(Path, 'rename', rename)
    (tmp_path / 'set').mkdir()
    make(layouts['pairs'], tmp_path / 'set')
    assert sorted(path.name for path in (tmp_path / 'set').iterdir()) == ['depth.lmdb', 'rgb.lmdb']


def test_a_complete_set_is_left_alone(layouts, tmp_path, encoded):
    first = make(layouts['pairs'], tmp_path / 'set')
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / 'set').rglob('*')}
    encoded.clear()
    assert make(layouts['pairs'], tmp_path / 'set') == first
    assert not encoded and before == {file: file.stat().st_mtime_ns for file in (tmp_path / 'set').rglob('*')}


def test_an_occupied_target_is_refused(layouts, tmp_path):
    make(layouts['pairs'], tmp_path / 'set')
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'notes.txt').write_text('mine')
    for target, options, message in (
        ('set', {'codec': 'raw'}, 'is not what was asked for; .*prepared with codec png, not raw'),
        ('set', {'size': 16}, 'prepared with size None, not 16'),
        ('full', {}, 'is there already and is no database that prepare_vidit.py made; choose another --target$'),
        ('full/notes.txt', {}, 'is there already and is no database'),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            make(layouts['pairs'], tmp_path / target, **options)
        assert str(caught.value).startswith(f'{tmp_path}/{target}: ') and '\n' not in str(caught.value)
        assert 'delete' not in str(caught.value)
    assert (tmp_path / 'full' / 'notes.txt').read_text() == 'mine'


def test_a_source_that_is_incomplete_or_missing_is_refused(layouts, tmp_path):
    shutil.copytree(layouts['scenes'], tmp_path / 'source')
    (tmp_path / 'source' / 'Image001.npy').unlink()
    (tmp_path / 'empty').mkdir()
    for source, target, message in (
        ('source', 'set', r'source: missing depth maps .*: Image001$'),
        ('nowhere', 'set', 'nowhere: no such folder; VIDIT comes from'),
        ('empty', 'set', 'empty: it has none of the layouts of VIDIT; scenes is'),
        ('source', 'source/set', 'is inside the source'),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            make(tmp_path / source, tmp_path / target)
        assert '\n' not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['empty', 'source']


def test_two_runs_at_once_are_refused(layouts, tmp_path):
    with prepare._folder_beside(tmp_path / 'set'), pytest.raises(ValueError, match='another run is preparing it'):
        make(layouts['pairs'], tmp_path / 'set')


def test_a_missing_or_half_set_is_an_option_error_of_one_line(layouts, tmp_path):
    make(layouts['pairs'], tmp_path / 'set')
    with pytest.raises(ValueError, match=r"^train dataset 'Tiny': .*holds databases: write `io_backend: {type: lmdb}`"):
        dataset(tmp_path / 'set', 'pairs')
    shutil.rmtree(tmp_path / 'set' / 'depth.lmdb')
    for root in (tmp_path / 'set', layouts['pairs']):
        with pytest.raises(ValueError, match=rf"^train dataset 'Tiny': .*{root}/(rgb|depth)\.lmdb: no LMDB database"):
            dataset(root, 'pairs', 'lmdb')


@pytest.mark.parametrize('workers', [0, 2])
def test_a_record_that_vanishes_is_an_error_naming_database_key_and_set(layouts, tmp_path, workers):
    make(layouts['pairs'], tmp_path / 'set')
    data = pickle.loads(pickle.dumps(dataset(tmp_path / 'set', 'pairs', 'lmdb')))
    shutil.rmtree(tmp_path / 'set')
    shutil.copytree(layouts['pairs'], tmp_path / 'fewer')
    for file in (tmp_path / 'fewer').rglob('Pair002*'):
        file.unlink()
    make(tmp_path / 'fewer', tmp_path / 'set')
    missing = rf"train dataset 'Tiny': {tmp_path}/set/rgb\.lmdb: key 'input/Pair002': no such key"
    with pytest.raises(DataError, match=missing) as caught:
        list(DataLoader(data, num_workers=workers))
    traceback.clear_frames(caught.tb)  # they hold the loader in a cycle, and its workers for 5 s each
