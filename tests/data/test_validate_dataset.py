import json
import os
import shutil
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest
import torch

from s3net_plugin.data.decode import count_wrap_arounds
from s3net_plugin.data.lmdb.records import encode_image, pack_array
from s3net_plugin.data.validate_dataset import KINDS, validate_dataset
from tests.data.sets import assert_same_samples, dataset, make


def check(root, **options):
    return validate_dataset(root, show_progress=False, workers=2, **options)


def found(report):
    return {(problem.kind, problem.name) for problem in report.problems}


@pytest.mark.parametrize('layout', ['scenes', 'pairs', 'no_target', 'one_to_one'])
@pytest.mark.parametrize('codec', [None, 'png', 'raw'])
def test_a_good_set_has_no_problems(layouts, tmp_path, layout, codec):
    root = layouts[layout]
    if codec:
        root = make(root, tmp_path / 'set', codec=codec, depth='uint16').target
    report = check(root)
    assert report.problems == []
    assert report.layout == ('pairs' if layout == 'no_target' else layout)
    assert report.backend == ('lmdb' if codec else 'disk')
    assert (report.images, report.depth_maps) == {
        'scenes': (120, 3), 'pairs': (9, 6), 'no_target': (6, 6), 'one_to_one': (6, 3),
    }[layout]  # fmt: skip


def test_everything_wrong_with_scenes_is_found_at_once(copied):
    root = copied('scenes')
    (root / 'Image000_2500_E.png').unlink()
    (root / 'Image000_6500_N.png').unlink()
    (root / 'Image001.npy').unlink()
    (root / 'Image001_3500_S.png').write_bytes((root / 'Image001_4500_S.png').read_bytes()[:-300])
    cv2.imwrite(str(root / 'Image002_2500_E.png'), np.zeros((16, 32, 4), np.uint8))
    np.save(root / 'Image002.npy', np.full((32, 32), np.nan, np.float32))
    np.save(root / 'Image009.npy', np.zeros((32, 32), np.float32))
    shutil.copy(root / 'Image002_2500_N.png', root / 'Image002_2500_NNE.png')
    (root / 'notes.json').write_text('{}')
    (root / '._Image000.npy').write_text('left by macOS')
    report = check(root)
    assert found(report) == {
        ('missing_light', 'Image000_2500_E.png'),
        ('missing_light', 'Image000_6500_N.png'),
        ('missing_depth', 'Image001.npy'),
        ('undecodable', 'Image001_3500_S.png'),
        ('size_differs', 'Image002_2500_E.png'),
        ('bad_depth', 'Image002.npy'),
        ('unpaired_name', 'Image009.npy'),
        ('unpaired_name', 'Image002_2500_NNE.png'),
    }
    assert report.counts()['missing_light'] == 2
    details = {problem.name: problem.detail for problem in report.problems}
    assert details['Image002_2500_E.png'] == 'has 32 x 16 pixels, most images have 32 x 32'
    assert details['Image002.npy'].startswith('depth has NaN')
    assert json.loads(json.dumps(report.as_json()))['problems'][0].keys() == {'kind', 'name', 'detail'}
    assert set(report.counts()) <= set(KINDS)


def test_everything_wrong_with_pairs_is_found_at_once(copied):
    root = copied('pairs')
    (root / 'guide' / 'Pair000.png').unlink()
    (root / 'target' / 'Pair001.png').unlink()
    (root / 'input' / 'Pair001.npy').rename(root / 'input' / 'Pair01.npy')
    np.save(root / 'guide' / 'Pair002.npy', np.zeros((16, 16), np.float32))
    (root / 'input' / 'Pair002.npy').write_bytes(b'')
    assert found(check(root)) == {
        ('unpaired_name', 'guide/Pair000.png'),
        ('unpaired_name', 'guide/Pair000.npy'),
        ('unpaired_name', 'target/Pair001.png'),
        ('missing_depth', 'input/Pair001.npy'),
        ('unpaired_name', 'input/Pair01.npy'),
        ('size_differs', 'guide/Pair002.npy'),
        ('flat_depth', 'guide/Pair002.npy'),
        ('undecodable', 'input/Pair002.npy'),
    }


def test_targets_elsewhere_are_looked_at(layouts, tmp_path):
    shutil.copytree(layouts['targets'], tmp_path / 'targets')
    (tmp_path / 'targets' / 'Pair002.png').write_bytes(b'text')
    report = check(layouts['no_target'], target_images=tmp_path / 'targets')
    assert report.images == 9 and found(report) == {('undecodable', 'target/Pair002.png')}


def test_a_missing_depth_map_of_one_to_one_is_found(copied):
    root = copied('one_to_one')
    (root / 'depth' / 'Image001.npy').unlink()
    (root / 'input' / 'Image002.png').unlink()
    unpaired = {('unpaired_name', 'input/Image002.png'), ('unpaired_name', 'depth/Image002.npy')}
    assert found(check(root, layout='one_to_one')) == {('missing_depth', 'depth/Image001.npy'), *unpaired}


@pytest.mark.parametrize('codec', ['png', 'raw'])
def test_damaged_records_are_found(layouts, tmp_path, codec):
    root = tmp_path / 'set'
    make(layouts['scenes'], root, codec=codec)
    with lmdb.open(str(root / 'rgb.lmdb')) as env, env.begin(write=True) as transaction:
        record = bytearray(transaction.get(b'Image001_2500_N'))
        record[len(record) // 2] ^= 1
        transaction.put(b'Image001_2500_N', bytes(record))
        transaction.put(b'Image001_2500_E', bytes(record[:-20]))
        transaction.put(b'Image002_2500_E', encode_image(np.zeros((16, 32, 3), np.uint8), codec))
    with lmdb.open(str(root / 'depth.lmdb')) as env, env.begin(write=True) as transaction:
        transaction.put(b'Image000', pack_array(np.full((32, 32), np.nan, np.float32)))
        transaction.put(b'Image002', pack_array(np.zeros((16, 32), np.float32)))
    lines = (root / 'rgb.lmdb' / 'meta_info.txt').read_text().splitlines(keepends=True)
    (root / 'rgb.lmdb' / 'meta_info.txt').write_text(''.join(lines[1:]))
    assert found(check(root)) == {
        ('undecodable', 'Image001_2500_N.png'),
        ('undecodable', 'Image001_2500_E.png'),
        ('size_differs', 'Image002_2500_E.png'),
        ('bad_depth', 'Image000.npy'),
        ('size_differs', 'Image002.npy'),
        ('flat_depth', 'Image002.npy'),
        ('unpaired_name', 'rgb.lmdb/Image000_2500_E'),
    }


def test_databases_that_cannot_be_used_are_reported_both(layouts, tmp_path):
    root = tmp_path / 'set'
    make(layouts['pairs'], root)
    os.truncate(root / 'rgb.lmdb' / 'data.mdb', 30000)
    shutil.rmtree(root / 'depth.lmdb')
    report = check(root)
    assert found(report) == {('database', 'rgb.lmdb'), ('database', 'depth.lmdb')}
    assert 'truncated' in report.problems[0].detail


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_depth_that_overflowed_is_suspected(copied, dtype):
    peak = np.iinfo(dtype).max
    slope = np.add.outer(np.linspace(0, 0.9, 64), np.linspace(0, 0.4, 64))
    wrapped = (slope * peak).astype(np.int64).astype(dtype)
    good = np.clip(slope * peak, 0, peak).astype(dtype)
    root = copied('one_to_one')
    for path in (root / 'depth').iterdir():
        path.unlink()
    for name, levels in (('Image000', wrapped), ('Image001', good), ('Image002', good)):
        cv2.imwrite(str(root / 'depth' / f'{name}.png'), levels[::2, ::2])
    assert found(check(root)) == {('depth_wrap_around', 'depth/Image000.png')}


def test_specks_of_overflow_are_suspected_but_invalid_pixels_are_not():
    wall = np.full((40, 40), 0.99, np.float32)
    wall[30:] = np.linspace(0.98, 0, 10, dtype=np.float32)[:, None]  # the ground in front of it
    assert count_wrap_arounds(wall) == 0
    invalid = wall.copy()
    invalid[5:9, 5:9] = 0
    assert count_wrap_arounds(invalid) == 0
    specks = invalid.copy()
    specks[15, 15], specks[20, 20:23] = 0.0001, 0.001
    assert count_wrap_arounds(specks) == 2


def test_a_folder_of_nothing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=f'^{tmp_path}: it has none of the layouts'):
        check(tmp_path)
    (tmp_path / 'Image001_2500_N.png').write_bytes(b'')
    with pytest.raises(ValueError, match=f'^{tmp_path}: it holds no image of layout pairs'):
        check(tmp_path, layout='pairs')
    with pytest.raises(ValueError, match='nowhere: no such folder'):
        check(tmp_path / 'nowhere')


@pytest.mark.parametrize('layout', ['scenes', 'pairs', 'one_to_one'])
def test_extensions_in_capitals_are_taken(copied, layouts, tmp_path, layout):
    """The samples, the databases and the report are those of the same set in lower case."""
    root = copied(layout)
    for path in root.rglob('*.*'):
        path.rename(path.with_suffix(path.suffix.upper()))
    report, plain = check(root), check(layouts[layout])
    assert (report.problems, report.images, report.depth_maps) == ([], plain.images, plain.depth_maps)
    assert make(root, tmp_path / 'lmdb', layout=layout)[2:4] == (plain.images, plain.depth_maps)
    assert_same_samples(dataset(layouts[layout], layout), dataset(tmp_path / 'lmdb', layout, 'lmdb'))
    first, second = dataset(layouts[layout], layout, phase='val')[0], dataset(root, layout, phase='val')[0]
    assert torch.equal(first['lq'], second['lq']) and torch.equal(first['gt'], second['gt'])
    assert Path(first['lq_path']).stem == Path(second['lq_path']).stem


@pytest.mark.parametrize(
    ('layout', 'pattern', 'suffix'),
    [('scenes', '*_E.png', '.jpg'), ('pairs', 'input/*[0-9].png', '.jpg'), ('one_to_one', 'input/*.png', '.JPEG')],
)
@pytest.mark.parametrize('beside', [False, True])
def test_images_that_are_no_png_are_named_unless_there_as_png(copied, tmp_path, layout, pattern, suffix, beside):
    root = copied(layout)
    image = next(root.glob(pattern))
    other = image.with_suffix(suffix)
    shutil.copy(image, other)
    shown = other.relative_to(root).with_suffix(other.suffix.lower()).as_posix()
    if beside:
        assert check(root).problems == []
        dataset(root, layout)
        return
    image.unlink()
    assert ('other_format', shown) in {problem[:2] for problem in check(root).problems}
    for use in (lambda: dataset(root, layout), lambda: make(root, tmp_path / 'lmdb', layout=layout)):
        with pytest.raises(ValueError, match=f'which have to be converted or moved away: {shown}'):
            use()


def test_files_that_differ_in_a_letters_case_are_named(copied, tmp_path):
    root = copied('pairs')
    image = next((tmp_path / 'set/input').glob('*[0-9].png'))
    try:
        image.with_suffix('.PNG').touch(exist_ok=False)
    except FileExistsError:
        pytest.skip('this file system takes the two for one')
    with pytest.raises(ValueError, match=rf'{image.stem}\.(png|PNG) and {image.stem}\.(png|PNG) differ'):
        check(root)
