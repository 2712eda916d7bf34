import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from s3net_plugin.data.decode import PNG_MAGIC, decode_depth, decode_image, resize, write_planes

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
DEPTH = np.random.default_rng(0).random((6, 9)).astype(np.float32)


def png(pixels, path):
    Image.fromarray(pixels).save(path)
    return path.read_bytes()


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


@pytest.mark.parametrize('tail', [b'', bytes(9000)])  # bytes after the end are not looked at
@pytest.mark.parametrize('channels', [1, 3, 4])
def test_pixels_match_pillow_and_alpha_is_dropped_not_blended(tmp_path, channels, tail):
    pixels = RNG.integers(0, 256, (20, 30, channels), dtype=np.uint8)
    content = png(pixels.squeeze(), tmp_path / 'a.png') + tail
    expected = np.repeat(pixels, 3, axis=2) if channels == 1 else pixels[..., :3]
    np.testing.assert_array_equal(decode_image(content, 'a.png'), expected)


def test_16_bit_keeps_its_levels():
    deep = RNG.integers(0, 65536, (8, 9, 3), dtype=np.uint16)
    content = cv2.imencode('.png', deep[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(decode_image(content, 'a.png'), deep)


def bomb():
    """A header that claims too many pixels."""
    header = chunk(b'IHDR', struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0))
    return PNG_MAGIC + header + chunk(b'IDAT', zlib.compress(b'\0')) + chunk(b'IEND', b'')


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        *((lambda png, kept=kept: png[: int(kept * len(png))], 'truncated PNG') for kept in (0.1, 0.5, 0.9, 0.999)),
        (lambda png: png[:900] + png[-12:], '(corrupt|truncated) PNG'),
        (lambda png: png[:900] + bytes(900) + png[-12:], '(corrupt|truncated) PNG'),
        (lambda png: b'', 'not a PNG'),
        (lambda png: b'GIF89a...', 'not a PNG'),
        (lambda png: bomb(), ''),
    ],
)
def test_what_is_no_whole_png_is_an_error_of_one_line_naming_the_file(tmp_path, damage, message):
    with pytest.raises(ValueError, match=rf'^torn\.png: {message}') as caught:
        decode_image(damage(png(RGB, tmp_path / 'a.png')), 'torn.png')
    assert '\n' not in str(caught.value)


def test_area_resize_is_the_mean_of_the_area():
    pixels = RNG.random((12, 12, 3)).astype(np.float32)
    expected = pixels.reshape(4, 3, 4, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(pixels, 4, 4), expected, atol=1e-6)
    assert resize(pixels, 12, 12) is pixels


def test_enlarging_is_linear():
    ramp = np.repeat(np.linspace(0, 1, 8, dtype=np.float32)[None], 8, axis=0)
    inner = resize(ramp, 16, 16)[:, 2:-2]
    np.testing.assert_allclose(np.diff(inner, axis=1), 1 / 14, atol=1e-5)


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_planes_are_the_pixels_divided_by_the_peak(dtype, flip):
    pixels = RNG.integers(0, np.iinfo(dtype).max, (10, 12, 3), endpoint=True, dtype=dtype)[2:9, 3:10]
    pixels[0, 0], pixels[0, 1] = 0, np.iinfo(dtype).max
    planes = np.empty((3, 7, 7), np.float32)
    write_planes(pixels, planes, flip=flip)
    expected = (pixels / np.iinfo(dtype).max).transpose(2, 0, 1)
    np.testing.assert_allclose(planes, expected[..., ::-1] if flip else expected, atol=1e-7)
    assert planes.min() == 0 and planes.max() == 1


def npy(value, **options):
    buffer = io.BytesIO()
    np.save(buffer, value, **options)
    return buffer.getvalue()


def exr(depth):
    """A scan-line OpenEXR file with one 32-bit float channel, uncompressed (from the format's description)."""

    def attribute(name, kind, data):
        return name + b'\0' + kind + b'\0' + struct.pack('<I', len(data)) + data

    height, width = depth.shape
    box = struct.pack('<4i', 0, 0, width - 1, height - 1)
    header = b'v/1\x01' + struct.pack('<I', 2)
    header += attribute(b'channels', b'chlist', b'Y\0' + struct.pack('<iB3xii', 2, 0, 1, 1) + b'\0')
    header += attribute(b'compression', b'compression', b'\0')
    header += attribute(b'dataWindow', b'box2i', box) + attribute(b'displayWindow', b'box2i', box)
    header += attribute(b'lineOrder', b'lineOrder', b'\0')
    header += attribute(b'pixelAspectRatio', b'float', struct.pack('<f', 1))
    header += attribute(b'screenWindowCenter', b'v2f', struct.pack('<2f', 0, 0))
    header += attribute(b'screenWindowWidth', b'float', struct.pack('<f', 1)) + b'\0'
    lines = [struct.pack('<ii', y, 4 * width) + depth[y].astype('<f4').tobytes() for y in range(height)]
    first = len(header) + 8 * height
    return header + b''.join(struct.pack('<Q', first + y * len(lines[0])) for y in range(height)) + b''.join(lines)


def test_vidit_dictionary_is_read_exactly():
    content = npy({'normalized_depth': DEPTH, 'ref_center_dis': 12.5})
    assert np.load(io.BytesIO(content), allow_pickle=True).item()['ref_center_dis'] == 12.5
    depth = decode_depth(content, 'Image001.npy')
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, DEPTH)


@pytest.mark.parametrize('dtype', ['<f2', '<f4', '>f4', '<f8'])
@pytest.mark.parametrize('order', ['C', 'F'])
def test_plain_npy_of_any_float_type_is_read(dtype, order):
    values = np.asarray(DEPTH, dtype=dtype, order=order)
    depth = decode_depth(npy(values), 'a.npy')
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, values.astype(np.float32))


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_png_levels_are_divided_by_their_own_peak(dtype):
    levels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (5, 7), endpoint=True, dtype=dtype)
    levels[0, 0] = np.iinfo(dtype).max
    depth = decode_depth(cv2.imencode('.png', levels)[1].tobytes(), 'a.png')
    np.testing.assert_allclose(depth, levels / np.iinfo(dtype).max, atol=1e-7)
    assert depth.dtype == np.float32 and depth.max() == 1


def test_exr_is_read_or_the_error_says_what_to_do():
    content = exr(DEPTH)
    try:
        readable = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) is not None
    except cv2.error:
        readable = False
    if readable:
        np.testing.assert_array_equal(decode_depth(content, 'a.exr'), DEPTH)
    else:
        with pytest.raises(ValueError, match=r'^a\.exr: .*OPENCV_IO_ENABLE_OPENEXR.*16-bit PNG'):
            decode_depth(content, 'a.exr')


def test_slightly_beyond_the_range_is_clipped():
    depth = decode_depth(npy(np.float32([[-0.01, 0.5, 1.05]])), 'a.npy')
    np.testing.assert_array_equal(depth, np.float32([[0, 0.5, 1]]))


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (np.float32([[0.1, np.nan]]), 'NaN or infinite'),
        (np.float32([[0.1, np.inf]]), 'NaN or infinite'),
        (np.zeros((0, 4), np.float32), 'not empty'),
        (np.zeros((4, 4, 3), np.float32), r'this one is \(4, 4, 3\)'),
        (cv2.imencode('.png', np.zeros((4, 4, 3), np.uint8))[1].tobytes(), r'this one is \(4, 4, 3\)'),
        (np.float32([[0, 37.5]]), r'from 0 to 37\.5.*d\.min'),
        (np.uint8([[0, 255]]), r'depth is uint8.*d\.min'),
        (np.zeros((2, 2), [('x', 'f4')]), 'not of numbers'),
        ({'depth': DEPTH}, r"no array `normalized_depth`, only \['depth'\]"),
        ({'normalized_depth': [1, 2]}, 'no array `normalized_depth`'),
        ({'normalized_depth': DEPTH * np.nan}, 'NaN or infinite'),
        ([1, 'a', None], 'holds no dictionary'),
    ],
)
def test_unusable_values_name_the_file(value, message):
    content = value if isinstance(value, bytes) else npy(np.array(value, object) if isinstance(value, list) else value)
    with pytest.raises(ValueError, match=rf'^bad\.npy: .*{message}') as caught:
        decode_depth(content, 'bad.npy')
    assert '\n' not in str(caught.value)


def header(text, version=(1, 0), length=None):
    length = len(text) if length is None else length
    return b'\x93NUMPY' + bytes(version) + length.to_bytes(2 if version == (1, 0) else 4, 'little') + text


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'text',
        npy(DEPTH)[:-5],
        npy(DEPTH)[:40],
        npy({'normalized_depth': DEPTH})[:-30],
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000000000000)}\n"),
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b'1,' * 50000 + b')}\n', (2, 0)),
        header(b"{'descr': '<f4'", (2, 0), 2**32 - 1),
        header(b'(' * 5000 + b')' * 5000, (2, 0)),
        header(b"__import__('os').system('true')\n"),
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)}\n", (3, 0)) + bytes(4),
        header(b"{'descr': '|V0', 'fortran_order': False, 'shape': (1, 1)}\n"),
    ],
)
def test_malformed_files_name_the_file(content):
    with pytest.raises(ValueError, match=r'^bad\.npy: ') as caught:
        decode_depth(content, 'bad.npy')
    assert '\n' not in str(caught.value)
