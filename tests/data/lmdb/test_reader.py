import faulthandler
import gc
import json
import multiprocessing
import os
import signal

import lmdb
import numpy as np
import pytest

from s3net_plugin.data.lmdb.reader import INFO_KEY, open_database
from s3net_plugin.data.lmdb.records import pack_array, unpack_array
from tests.data.sets import write_database

ARRAYS = {f'f/{i}'.encode(): np.random.default_rng(i).integers(0, 256, (40, 50, 3), np.uint8) for i in range(20)}


@pytest.fixture
def path(tmp_path):
    return write_database(tmp_path / 'rgb.lmdb', {key: pack_array(array) for key, array in ARRAYS.items()})


def open_raw(path):
    return open_database(str(path), ('png', 'raw'))


def change(path, key, value):
    """Put a record into a database behind its back."""
    with lmdb.open(str(path)) as env, env.begin(write=True) as transaction:
        if value is None:
            transaction.delete(key)
        else:
            transaction.put(key, value)


def test_records_and_keys_are_what_was_written(path):
    database = open_raw(path)
    assert database.info['codec'] == 'raw' and database.info['records'] == len(ARRAYS)
    assert list(database.iter_keys()) == sorted(ARRAYS)
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(unpack_array(database.get(key), '')[0], array)
    with pytest.raises(ValueError, match=rf"^{path}: key 'f/99': no such key"):
        database.get(b'f/99')


def test_a_folder_is_told_from_one_whose_name_it_begins(tmp_path):
    keys = (b'in/1', b'input/2', b'input/3/4', b'inputs/5', b'top')
    database = open_raw(write_database(tmp_path / 'a', dict.fromkeys(keys, pack_array(ARRAYS[b'f/0']))))
    assert [list(database.stems(folder)) for folder in ('input', 'in', '', 'g')] == [['2'], ['1'], ['top'], []]


def test_a_process_opens_a_database_once_and_closes_it_when_it_is_not_needed(path):
    first = open_raw(path)
    assert open_raw(path) is first
    assert open_raw(path.parent / '..' / path.parent.name / path.name) is first
    del first
    gc.collect()
    lmdb.open(str(path), readonly=True, lock=False).close()  # refused while it is open


def test_a_replaced_database_is_not_taken_for_the_old_one(path):
    old = open_raw(path)
    aside = path.with_name('old')
    path.rename(aside)
    write_database(path, {b'new': pack_array(ARRAYS[b'f/0'])})
    assert list(open_raw(path).iter_keys()) == [b'new']
    assert list(old.iter_keys()) == sorted(ARRAYS)


def test_a_view_outlives_everything_else(path):
    database = open_raw(path)
    view = database.keep_alive(unpack_array(database.get(b'f/3'), '')[0])
    assert not view.flags.writeable
    del database
    gc.collect()
    np.testing.assert_array_equal(view[10:20, 5:30], ARRAYS[b'f/3'][10:20, 5:30])


def test_a_forked_child_opens_its_own_while_the_parent_keeps_its(path):
    database = open_raw(path)
    context = multiprocessing.get_context('fork')
    queue = context.Queue()

    def sum_in_child():
        own = open_raw(path)
        queue.put((own is database, int(unpack_array(own.get(b'f/7'), '')[0].sum())))

    child = context.Process(target=sum_in_child)
    child.start()
    assert queue.get(timeout=60) == (False, ARRAYS[b'f/7'].sum())
    child.join()
    assert child.exitcode == 0
    np.testing.assert_array_equal(unpack_array(database.get(b'f/7'), '')[0], ARRAYS[b'f/7'])


TRUNCATED = r'(data\.mdb is truncated: \d+ bytes of \d+; copy it again|LMDB cannot open it)'


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        *(
            (lambda content, share=share: content[: int(share * len(content))], TRUNCATED)
            for share in (0.999, 0.5, 0.01)
        ),
        (lambda content: b'', 'LMDB cannot open it'),
        (lambda content: b'text' * 5000, 'LMDB cannot open it'),
        (lambda content: content[:8192] + bytes(len(content) - 8192), 'LMDB cannot read it'),
    ],
)
def test_a_damaged_file_is_refused_and_kills_nobody(path, damage, message):
    file = path / 'data.mdb'
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=f'^{path}: {message}'):
        open_raw(path)


def test_what_is_cut_off_would_kill_a_reader(path):
    """The oracle of the test above: LMDB itself opens the file, and touching a missing page is a bus error."""
    os.truncate(path / 'data.mdb', 20000)

    def read_all():
        faulthandler.disable()  # no long text for what is expected
        with lmdb.open(str(path), readonly=True, lock=False) as env, env.begin() as transaction:
            list(transaction.cursor())

    child = multiprocessing.get_context('fork').Process(target=read_all)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGBUS


INFO = {'format': 1, 'codec': 'raw', 'records': len(ARRAYS)}


@pytest.mark.parametrize(
    ('info', 'message'),
    [
        ({**INFO, 'codec': 'jpeg'}, "unknown codec 'jpeg'; known: png, raw"),
        ({**INFO, 'codec': ['raw']}, r"unknown codec \['raw'\]"),
        ({**INFO, 'records': None}, 'is not finished; run scripts/prepare_vidit.py again'),
        ({**INFO, 'records': 21}, 'holds 20 records instead of 21'),
        ({**INFO, 'format': 2}, 'is of format 2, not 1'),
        ({'format': 1}, 'what it says of itself is corrupt'),
        ([], 'what it says of itself is corrupt'),
        (None, 'was not made by scripts/prepare_vidit.py'),
    ],
)
def test_an_unusable_database_says_why(path, info, message):
    change(path, INFO_KEY, None if info is None else json.dumps(info).encode())
    for _ in range(2):  # refusing it leaves it closed
        with pytest.raises(ValueError, match=f'^{path}: {message}') as caught:
            open_raw(path)
        assert '\n' not in str(caught.value)
