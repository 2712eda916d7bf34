import io
import os
import pickle
import struct

import numpy as np
import pytest

from s3net_plugin.data.decode import decode_depth
from s3net_plugin.data.restricted_pickle import load_array_dict

DEPTH = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


def wrapped(record):
    """A 0-d object array, as numpy.save makes of a dictionary."""
    array = np.empty((), object)
    array[()] = record
    return array


@pytest.mark.parametrize('protocol', range(6))
def test_arrays_survive_every_pickle_protocol(protocol):
    content = pickle.dumps(wrapped({'normalized_depth': DEPTH, 'ref_center_dis': 3.5}), protocol=protocol)
    record = load_array_dict(content, 'a.npy')
    np.testing.assert_array_equal(record['normalized_depth'], DEPTH)
    assert record['ref_center_dis'] == 3.5


@pytest.mark.parametrize('spelling', ['numpy.core', 'numpy._core'])
def test_both_spellings_of_numpy_modules_load(spelling):
    content = pickle.dumps(wrapped({'normalized_depth': DEPTH}), protocol=2)
    for other in (b'numpy.core.', b'numpy._core.'):
        content = content.replace(other, spelling.encode() + b'.')
    assert spelling.encode() + b'.multiarray' in content
    np.testing.assert_array_equal(load_array_dict(content, 'a.npy')['normalized_depth'], DEPTH)


@pytest.mark.parametrize('dtype', ['<f4', '>f4', '<f8', '<f2', '|u1', '<i4'])
def test_number_types_and_byte_orders_survive(dtype):
    values = np.asfortranarray((DEPTH * 200).astype(dtype))
    record = load_array_dict(pickle.dumps(wrapped({'a': values}), protocol=4), 'a.npy')
    assert record['a'].dtype == np.dtype(dtype)
    np.testing.assert_array_equal(record['a'], values)


def test_python_2_strings_load():
    """What Python 2 wrote: text and bytes are both SHORT_BINSTRING or BINSTRING."""
    data = DEPTH.tobytes()
    content = (
        b'\x80\x02}U\x10normalized_depth'
        b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x03K\x04\x86'
        b'cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'
        b'\x89T' + struct.pack('<I', len(data)) + data + b'tbs.'
    )
    np.testing.assert_array_equal(pickle.loads(content, encoding='latin1')['normalized_depth'], DEPTH)
    np.testing.assert_array_equal(load_array_dict(content, 'a.npy')['normalized_depth'], DEPTH)


def test_numpy_scalars_are_dropped():
    content = pickle.dumps(wrapped({'normalized_depth': DEPTH, 'ref_center_dis': np.float32(2)}))
    assert set(load_array_dict(content, 'a.npy')) == {'normalized_depth'}


class _Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
@pytest.mark.parametrize('function', [os.system, eval, exec, np.load, getattr])
def test_foreign_functions_are_refused_and_do_not_run(tmp_path, function, protocol):
    marker = tmp_path / 'ran'
    argument = f'touch {marker}' if function is os.system else f"open({str(marker)!r}, 'w')"
    content = pickle.dumps(wrapped({'normalized_depth': _Runs(function, argument)}), protocol=protocol)
    with pytest.raises(ValueError, match=r'^evil\.npy: .*which is neither') as caught:
        load_array_dict(content, 'evil.npy')
    assert function.__name__ in str(caught.value)
    assert not marker.exists()
    assert '\n' not in str(caught.value)


def test_a_hostile_depth_map_is_refused_though_numpy_would_run_it(tmp_path):
    path, marker = tmp_path / 'evil.npy', tmp_path / 'ran'
    np.save(path, wrapped({'normalized_depth': DEPTH, 'x': _Runs(os.system, f'touch {marker}')}), allow_pickle=True)
    with pytest.raises(ValueError, match=r"^evil\.npy: .*system'"):
        decode_depth(path.read_bytes(), 'evil.npy')
    assert not marker.exists()
    np.load(path, allow_pickle=True)
    assert marker.exists()  # so the file is hostile indeed


def lying_shape():
    good = pickle.dumps({'a': DEPTH}, protocol=2)
    assert good.count(b'K\x03K\x04') == 1  # its shape: BININT1 3, BININT1 4
    return good.replace(b'K\x03K\x04', b'K\x7fK\x7f')


HUGE_MEMO = b'\x80\x02}r' + struct.pack('<I', 2**32 - 1) + b'.'  # the unpickler would make room for all of them
NOT_NUMBERS = [np.array(['ab', 'c']), np.array([b'ab']), np.zeros(2, 'V8'), np.zeros(2, [('x', 'f4')])]
MALFORMED = [b'', b'.', b'garbage', pickle.dumps({'a': DEPTH})[:-20], pickle.dumps([1])]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (lying_shape(), 'holds 12 numbers'),
        (HUGE_MEMO, 'memo number 4294967295'),
        *((pickle.dumps({'a': values}), 'not plain numbers') for values in NOT_NUMBERS),
        *((content, '') for content in MALFORMED),
    ],
)
def test_what_is_not_to_be_trusted_is_refused_in_one_line_naming_the_file(content, message):
    with pytest.raises(ValueError, match=rf'^bad\.npy: .*{message}') as caught:
        load_array_dict(content, 'bad.npy')
    assert '\n' not in str(caught.value)


def test_stand_ins_cannot_be_changed_by_a_file():
    for name in ('numpy\nndarray', 'numpy\ndtype', '_codecs\nencode', 'numpy.core.multiarray\nscalar'):
        # GLOBAL, then BUILD with (None, {'__new__': 1}): sets an attribute of what GLOBAL gave
        with pytest.raises(ValueError, match=r'^a\.npy: refused'):
            load_array_dict(f"c{name}\n(N(dS'__new__'\nI1\nstb.".encode(), 'a.npy')
    np.testing.assert_array_equal(load_array_dict(pickle.dumps({'a': DEPTH}), 'a.npy')['a'], DEPTH)


def test_random_damage_never_raises_anything_else():
    buffer = io.BytesIO()
    np.save(buffer, wrapped({'normalized_depth': DEPTH, 'ref_center_dis': 1.0}), allow_pickle=True)
    content = buffer.getvalue()[128:]
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        damaged = bytearray(content)
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        try:
            load_array_dict(bytes(damaged), 'a.npy')
        except ValueError:
            refused += 1
    assert 100 < refused < 500
