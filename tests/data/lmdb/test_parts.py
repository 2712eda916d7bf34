"""Sets in parts, as the tasks of a job array write them."""

import pickle
import shutil

import lmdb
import pytest

from s3net_plugin.data.lmdb.folders import part_of
from s3net_plugin.data.lmdb.records import encode_key
from s3net_plugin.data.validate_dataset import validate_dataset
from s3net_plugin.rendering.folder import LIGHTS
from tests.data.sets import assert_same_samples, dataset, make, records


@pytest.fixture
def parts(layouts, tmp_path):
    """The name of a set of three scenes in three parts, written last to first."""
    for index in (2, 1, 0):
        make(layouts['scenes'], tmp_path / 'train', codec='raw', shard=(index, 3))
    return tmp_path / 'train'


@pytest.mark.parametrize(('layout', 'shards'), [('scenes', 2), ('pairs', 5), ('one_to_one', 1)])
def test_parts_give_the_samples_of_one_database_bit_for_bit(layouts, tmp_path, layout, shards):
    whole = make(layouts[layout], tmp_path / 'whole')
    done = [make(layouts[layout], tmp_path / 'parts', shard=(index, shards)) for index in range(shards)]
    for kind, count in (('rgb.lmdb', whole.images), ('depth.lmdb', whole.depth_maps)):
        written = [records(part.target)[kind] for part in done]
        assert {key: record for part in written for key, record in part.items()} == records(whole.target)[kind]
        assert sum(map(len, written)) == count
    first, second = (
        dataset(tmp_path / name, layout, 'lmdb', gt_size=20, use_hflip=True) for name in ('whole', 'parts')
    )
    assert_same_samples(first, pickle.loads(pickle.dumps(second)))  # as a loader's workers get it


def test_a_scene_is_whole_in_a_part_and_parts_of_vidit_are_even():
    for parts in (2, 7, 8, 300, 400):
        counts = [0] * parts
        for number in range(300):
            part = part_of(f'Image{number:03d}'.encode(), parts)
            assert {part_of(f'Image{number:03d}_{t}_{d}'.encode(), parts) for t, d in LIGHTS} == {part}
            counts[part] += 1
        assert max(counts) - min(counts) <= 1
    spread = {part_of(encode_key(f'input/kitchen {letter}'), 4) for letter in 'abcdefghijklmnop'}
    assert spread == {0, 1, 2, 3}


def test_missing_parts_are_named_in_one_line(parts, tmp_path):
    parts.with_name('train.1-of-3').rename(tmp_path / '.train.1-of-3.partial')  # as a run that was stopped leaves it
    message = (
        f'{parts}: of its 3 parts these are missing or not finished: 1; run scripts/prepare_vidit.py with --shard 1/3'
    )
    with pytest.raises(ValueError, match=f"^train dataset 'Tiny'.*{message}") as caught:
        dataset(parts, backend='lmdb')
    assert '\n' not in str(caught.value)
    with pytest.raises(ValueError, match=f'^{message}'):
        validate_dataset(parts)


def test_what_is_no_set_of_parts_is_refused_in_one_line(parts, layouts, tmp_path):
    with pytest.raises(ValueError, match=r'no folder .*/train; its parts need `io_backend: {type: lmdb}`'):
        dataset(parts)
    first, second = (parts.with_name(f'train.{index}-of-3') for index in (0, 1))
    first.rename(tmp_path / 'aside')
    shutil.copytree(second, first)
    with pytest.raises(
        ValueError, match=rf'{first}/rgb.lmdb: is no part of this set: .* shard 1/3, not 0/3; prepare it'
    ):
        dataset(parts, backend='lmdb')
    shutil.rmtree(first)
    make(layouts['scenes'], parts, codec='png', shard=(0, 3))
    with pytest.raises(ValueError, match=r'train.1-of-3/rgb.lmdb: is no part .* codec raw, not png'):
        dataset(parts, backend='lmdb')
    make(layouts['scenes'], parts, codec='raw', shard=(3, 4))
    with pytest.raises(ValueError, match='train: there are parts of 3 and of 4; keep one set'):
        dataset(parts, backend='lmdb')


def test_a_whole_database_is_read_in_place_of_parts_and_hides_no_new_ones(parts, layouts):
    make(layouts['scenes'], parts, codec='png')
    shutil.rmtree(parts.with_name('train.0-of-3'))
    assert len(dataset(parts, backend='lmdb')) == 120
    with pytest.raises(ValueError, match='train: is a prepared set, read in place of any parts of it'):
        make(layouts['scenes'], parts, codec='raw', shard=(0, 3))


def test_check_looks_at_every_part(parts):
    report = validate_dataset(parts, show_progress=False)
    assert (report.problems, report.images, report.depth_maps, report.layout) == ([], 120, 3, 'scenes')
    with lmdb.open(str(parts.with_name('train.1-of-3') / 'rgb.lmdb')) as env, env.begin(write=True) as transaction:
        transaction.put(b'Image001_2500_N', transaction.get(b'Image001_2500_N')[:-9])
    (parts.with_name('train.2-of-3') / 'rgb.lmdb' / 'meta_info.txt').write_text('')
    kinds = [problem[:2] for problem in validate_dataset(parts, show_progress=False).problems]
    assert ('undecodable', 'Image001_2500_N.png') in kinds and len(kinds) == 41
    assert ('unpaired_name', 'train.2-of-3/rgb.lmdb/Image002_2500_N') in kinds
    assert validate_dataset(parts.with_name('train.0-of-3'), show_progress=False).problems == []  # one part alone
    shutil.rmtree(parts.with_name('train.0-of-3') / 'depth.lmdb')
    assert [p[:2] for p in validate_dataset(parts).problems if p.kind == 'database'] == [
        ('database', 'train.0-of-3/depth.lmdb')
    ]
