import re
import zlib

import numpy as np
import pytest

from s3net_plugin.data.decode import decode_image
from s3net_plugin.data.lmdb.records import (
    decode_depth_record,
    decode_key,
    encode_depth,
    encode_image,
    encode_key,
    pack_array,
    record_shape,
    unpack_array,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize('stem', ['input/Pair001', 'a.b', 'a%2Eb', 'Ä ö~', 'input/x\udcff', '..', 'a+b&c', '日本/ü.v1'])
def test_keys_are_plain_and_turn_back_into_their_paths(stem):
    key = encode_key(stem)
    assert re.fullmatch(rb'[A-Za-z0-9_/%-]+', key)
    assert decode_key(key) == stem
    assert encode_key('input/Image001_2500-N') == b'input/Image001_2500-N'  # plain names keep their look


def test_a_key_too_long_for_lmdb_is_an_error():
    encode_key('a' * 511)
    with pytest.raises(ValueError, match=r'512 bytes, more than 511'):
        encode_key('a' * 512)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32, '>f4'])
@pytest.mark.parametrize('shape', [(5, 7), (5, 7, 3)])
def test_arrays_come_back_as_views_of_the_record(dtype, shape):
    array = (RNG.random(shape) * 200).astype(dtype)
    record = memoryview(pack_array(array[::-1, ::-1], low=0.25, high=0.5))
    unpacked, low, high = unpack_array(record, 'x', verify=True)
    np.testing.assert_array_equal(unpacked, array[::-1, ::-1])
    assert (low, high) == (0.25, 0.5)
    assert np.shares_memory(unpacked, np.frombuffer(record, np.uint8)) and not unpacked.flags.writeable
    assert record_shape(record) == (*shape, 1)[:3]


@pytest.mark.parametrize('codec', ['png', 'raw'])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_both_codecs_keep_every_pixel(codec, dtype):
    rgb = RNG.integers(0, np.iinfo(dtype).max, (6, 9, 3), dtype, endpoint=True)
    record = encode_image(rgb, codec)
    decoded = decode_image(record, 'x') if codec == 'png' else unpack_array(memoryview(record), 'x')[0]
    np.testing.assert_array_equal(decoded, rgb)
    assert record_shape(memoryview(record)) == (6, 9, 3)


@pytest.mark.parametrize(('low', 'high'), [(0, 1), (0.3, 0.31), (0, 1e-6), (0.9, 1)])
def test_float32_depth_is_exact_and_uint16_keeps_its_range_within_half_a_step(low, high):
    depth = np.float32(low) + RNG.random((50, 60), np.float32) * np.float32(high - low)
    decoded = decode_depth_record(memoryview(encode_depth(depth, 'uint16')), 'uint16', 'x')
    step = (float(depth.max()) - float(depth.min())) / 65535
    assert decoded.dtype == np.float32
    assert np.abs(decoded.astype(np.float64) - depth).max() <= 0.5 * step + 2**-24  # and one rounding of float32
    exact = decode_depth_record(memoryview(encode_depth(depth, 'float32')), 'float32', 'x')
    np.testing.assert_array_equal(exact, depth)
    for flat in (0.0, 0.7):
        record = encode_depth(np.full((3, 4), flat, np.float32), 'uint16')
        np.testing.assert_array_equal(decode_depth_record(memoryview(record), 'uint16', 'x'), np.float32(flat))


def test_the_largest_level_does_not_wrap_around():
    depth = np.float32([[0, 0.5, np.nextafter(np.float32(1), np.float32(0)), 1]])
    levels = unpack_array(memoryview(encode_depth(depth, 'uint16')), 'x')[0]
    np.testing.assert_array_equal(levels, [[0, 32768, 65535, 65535]])


GOOD = pack_array(np.zeros((4, 5, 3), np.uint8))


@pytest.mark.parametrize(
    'record',
    [
        b'',
        GOOD[:20],
        GOOD[:-1],
        GOOD + b'\0',
        bytes(len(GOOD)),
        GOOD[:4] + b'|O8\0' + GOOD[8:],
        GOOD[:8] + (2**31).to_bytes(4, 'little') + GOOD[12:],
        GOOD[:8] + bytes(12) + GOOD[20:32],
        pack_array(np.zeros((4, 5), np.uint16), 0, np.nan),
    ],
)
def test_a_damaged_record_names_itself(record):
    with pytest.raises(ValueError, match=r'^/db: key .* corrupt record') as caught:
        unpack_array(memoryview(record), "/db: key 'x'")
    assert '\n' not in str(caught.value)


def test_a_flipped_bit_is_found_by_the_checksum_alone():
    record = bytearray(GOOD)
    record[-1] ^= 1
    unpack_array(memoryview(record), 'x')
    with pytest.raises(ValueError, match='checksum'):
        unpack_array(memoryview(record), 'x', verify=True)
    assert zlib.crc32(GOOD[32:]) == int.from_bytes(GOOD[20:24], 'little')


def test_a_record_of_another_kind_is_no_depth():
    for record in (GOOD, encode_depth(np.zeros((4, 5), np.float32), 'float32')):
        with pytest.raises(ValueError, match='no depth map of codec uint16'):
            decode_depth_record(memoryview(record), 'uint16', 'x')
