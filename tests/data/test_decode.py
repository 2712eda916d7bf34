import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from s3net_plugin.data.decode import decode_image, resize, write_planes

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


def png(pixels, path):
    Image.fromarray(pixels).save(path)
    return path.read_bytes()


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def test_alpha_is_dropped_not_blended(tmp_path):
    alpha = RNG.integers(0, 256, (20, 30, 1), dtype=np.uint8)
    content = png(np.concatenate([RGB, alpha], axis=2), tmp_path / 'a.png')
    np.testing.assert_array_equal(decode_image(content, 'a.png'), RGB)


def test_rgb_and_grey_match_pillow(tmp_path):
    np.testing.assert_array_equal(decode_image(png(RGB, tmp_path / 'a.png'), 'a.png'), RGB)
    grey = decode_image(png(RGB[..., 0], tmp_path / 'b.png'), 'b.png')
    np.testing.assert_array_equal(grey, np.repeat(RGB[..., :1], 3, axis=2))


def test_16_bit_keeps_its_levels():
    deep = RNG.integers(0, 65536, (8, 9, 3), dtype=np.uint16)
    content = cv2.imencode('.png', deep[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(decode_image(content, 'a.png'), deep)


@pytest.mark.parametrize('kept', [0.1, 0.5, 0.9, 0.999])
def test_truncated_png_is_an_error_naming_the_file(tmp_path, kept):
    content = png(RGB, tmp_path / 'a.png')
    with pytest.raises(ValueError, match=r'^torn\.png: truncated PNG'):
        decode_image(content[: int(kept * len(content))], 'torn.png')


def test_truncated_and_padded_with_zeros_or_an_end_is_an_error(tmp_path):
    content = png(RGB, tmp_path / 'a.png')
    for tail in (content[-12:], bytes(900) + content[-12:]):
        with pytest.raises(ValueError, match=r'^torn\.png: (corrupt|truncated) PNG'):
            decode_image(content[:900] + tail, 'torn.png')


def test_other_bytes_are_an_error_naming_the_file():
    for content in (b'', b'GIF89a...'):
        with pytest.raises(ValueError, match=r'^a\.png: not a PNG'):
            decode_image(content, 'a.png')


def test_a_header_that_claims_too_many_pixels_is_an_error():
    header = chunk(b'IHDR', struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0))
    content = b'\x89PNG\r\n\x1a\n' + header + chunk(b'IDAT', zlib.compress(b'\0')) + chunk(b'IEND', b'')
    with pytest.raises(ValueError, match=r'^bomb\.png: ') as caught:
        decode_image(content, 'bomb.png')
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


def test_bytes_after_the_end_are_not_looked_at(tmp_path):
    content = png(RGB, tmp_path / 'a.png')
    np.testing.assert_array_equal(decode_image(content + bytes(9000), 'a.png'), RGB)
