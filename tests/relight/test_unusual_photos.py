"""Unusual pictures are right or refused by name, never silently wrong."""

import importlib.util

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, features

from s3net_plugin.relight import photo as photo_module
from s3net_plugin.relight.photo import Photo, read_photo
from s3net_plugin.relight.photo_writing import write_photo
from tests.relight.pictures import RAMPS, png_chunks

DEEP = RAMPS.astype(np.uint16) * 257
ALPHA = np.linspace(20000, 65535, 64 * 96).astype(np.uint16).reshape(64, 96)
ORIENTATION = 274


def planes(pixels):
    return np.moveaxis(pixels, -1, 0)


@pytest.mark.parametrize('orientation', [1, 6])
@pytest.mark.parametrize('options', [{}, {'compression': 'zlib'}, {'compression': 'zlib', 'predictor': True}])
@pytest.mark.parametrize('pixels', [DEEP, RAMPS], ids=['16 bit', '8 bit'])
@pytest.mark.parametrize('bigtiff', [False, True])
def test_planar_tiff_is_the_array_that_was_written(tmp_path, pixels, options, orientation, bigtiff):
    tifffile.imwrite(
        tmp_path / 'in.tif',
        planes(pixels),
        photometric='rgb',
        planarconfig='separate',
        extratags=[(ORIENTATION, 3, 1, orientation, True)],
        bigtiff=bigtiff,
        **options,
    )
    expected = pixels if orientation == 1 else np.rot90(pixels, -1)
    np.testing.assert_array_equal(read_photo(tmp_path / 'in.tif').pixels, expected)


def lzw(data):
    """LZW of TIFF by hand: literals alone, the table cleared before a code needs a tenth bit."""
    codes = [code for at in range(0, len(data), 200) for code in (256, *data[at : at + 200])] + [257]
    bits = ''.join(f'{code:09b}' for code in codes)
    size = -(-len(bits) // 8)
    return int(bits.ljust(8 * size, '0'), 2).to_bytes(size, 'big')


@pytest.mark.parametrize('options', [{'planarconfig': 'separate'}, {'bigtiff': True}], ids=['planar', 'BigTIFF'])
def test_16_bit_tiff_is_read_by_what_is_installed_or_the_package_is_named(tmp_path, options):
    stored = planes(DEEP) if 'planarconfig' in options else DEEP
    strips = [plane.tobytes() for plane in stored] if 'planarconfig' in options else [DEEP.tobytes()]
    written = {'shape': stored.shape, 'dtype': DEEP.dtype, 'photometric': 'rgb', 'rowsperstrip': 64, **options}
    tifffile.imwrite(tmp_path / 'lzma.tif', stored, photometric='rgb', compression='lzma', **options)
    np.testing.assert_array_equal(read_photo(tmp_path / 'lzma.tif').pixels, DEEP)
    tifffile.imwrite(tmp_path / 'lzw.tif', iter(map(lzw, strips)), compression='zlib', **written)
    with tifffile.TiffFile(tmp_path / 'lzw.tif', mode='r+') as file:
        file.pages.first.tags[259].overwrite(5)
    if importlib.util.find_spec('imagecodecs'):
        np.testing.assert_array_equal(read_photo(tmp_path / 'lzw.tif').pixels, DEEP)
    else:
        with pytest.raises(ValueError, match=r'lzw\.tif: TIFF of 16 bits with LZW needs .*: pip install imagecodecs;'):
            read_photo(tmp_path / 'lzw.tif')


@pytest.mark.parametrize('byteorder', ['<', '>'])
@pytest.mark.parametrize('tile', [None, (32, 32)])
def test_tiff_of_either_byte_order_and_in_tiles(tmp_path, byteorder, tile):
    tifffile.imwrite(tmp_path / 'in.tif', DEEP, photometric='rgb', byteorder=byteorder, tile=tile)
    np.testing.assert_array_equal(read_photo(tmp_path / 'in.tif').pixels, DEEP)


@pytest.mark.parametrize('kind', ['minisblack', 'miniswhite'])
@pytest.mark.parametrize('pixels', [DEEP[..., 0], RAMPS[..., 0]], ids=['16 bit', '8 bit'])
def test_grey_tiff_has_the_zero_that_it_says(tmp_path, pixels, kind):
    tifffile.imwrite(tmp_path / 'in.tif', pixels, photometric=kind)
    expected = pixels if kind == 'minisblack' else np.iinfo(pixels.dtype).max - pixels
    np.testing.assert_array_equal(read_photo(tmp_path / 'in.tif').pixels, np.dstack([expected] * 3))


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', [0, 1])
def test_compressed_grey_tiff_has_the_zero_and_the_side_that_it_says(tmp_path, kind, orientation):
    grey = DEEP[..., 0] // 2
    Image.fromarray(grey).save(tmp_path / 'in.tif', compression='tiff_lzw', tiffinfo={ORIENTATION: orientation})
    with tifffile.TiffFile(tmp_path / 'in.tif', mode='r+') as file:
        assert file.pages.first.compression == 5
        file.pages.first.tags[262].overwrite(kind)
    expected = grey if kind == 1 else 65535 - grey
    found = read_photo(tmp_path / 'in.tif').pixels[..., 0]
    np.testing.assert_array_equal(found, photo_module.upright(expected, orientation))


@pytest.mark.parametrize(('bits', 'peak'), [(8, 255), (16, 65535)])
@pytest.mark.parametrize('kind', ['unassalpha', 'assocalpha', 'unspecified'])
def test_alpha_of_tiff_is_what_its_tag_says(tmp_path, bits, peak, kind):
    pixels, alpha = (RAMPS, (ALPHA >> 8).astype(np.uint8)) if bits == 8 else (DEEP, ALPHA)
    stored = np.rint(pixels * (alpha / peak)[..., None]).astype(pixels.dtype) if kind == 'assocalpha' else pixels
    tifffile.imwrite(tmp_path / 'in.tif', np.dstack([stored, alpha]), photometric='rgb', extrasamples=[kind])
    photo = read_photo(tmp_path / 'in.tif')
    if kind == 'unspecified':
        assert photo.alpha is None
    else:
        np.testing.assert_array_equal(photo.alpha, alpha)
    # premultiplied values are rounded, at a third of their size
    assert np.abs(photo.pixels.astype(int) - pixels).max() <= (4 if kind == 'assocalpha' else 0)


@pytest.mark.parametrize(
    ('name', 'pixels', 'options'),
    [
        ('float', RAMPS.astype(np.float32) / 255, {'photometric': 'rgb'}),
        ('signed', RAMPS[..., 0].astype(np.int32), {'photometric': 'minisblack'}),
        ('signed', RAMPS[..., 0].astype(np.int16), {'photometric': 'minisblack'}),
        ('32-bit', RAMPS.astype(np.uint32), {'photometric': 'rgb'}),
        ('Lab', RAMPS, {'photometric': 'cielab'}),
        ('Lab', DEEP, {'photometric': 'cielab'}),
        ('CMYK', np.dstack([DEEP, ALPHA]), {'photometric': 'separated'}),
        ('raw file', DEEP[..., 0], {'photometric': 'cfa', 'extratags': [(50706, 1, 4, b'\1\4\0\0', True)]}),
    ],
)
def test_other_tiff_is_refused_by_name(tmp_path, name, pixels, options):
    tifffile.imwrite(tmp_path / 'in.tif', pixels, **options)
    with pytest.raises(ValueError, match=rf'in\.tif: .*{name}') as caught:
        read_photo(tmp_path / 'in.tif')
    assert 'damaged' not in str(caught.value)


def test_full_picture_is_taken_where_the_first_is_a_thumbnail(tmp_path):
    for name, pixels in (('8.tif', RAMPS), ('16.tif', DEEP)):
        with tifffile.TiffWriter(tmp_path / name) as file:
            file.write(pixels[::4, ::4], photometric='rgb', subfiletype=1)
            file.write(pixels, photometric='rgb')
        np.testing.assert_array_equal(read_photo(tmp_path / name).pixels, pixels)


@pytest.mark.parametrize('tags', [[], [(50706, 1, 4, b'\1\4\0\0', True)]], ids=['as NEF', 'as DNG'])
def test_raw_file_is_no_thumbnail(tmp_path, tags):
    with tifffile.TiffWriter(tmp_path / 'in.tif') as file:
        file.write(RAMPS[::4, ::4], photometric='rgb', subfiletype=1, subifds=1, extratags=tags)
        file.write(DEEP[..., 0], photometric='cfa', subfiletype=0)
    with pytest.raises(ValueError, match=r'in\.tif: a raw file of a camera; develop it first'):
        read_photo(tmp_path / 'in.tif')


def test_thumbnail_alone_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / 'in.tif', RAMPS, photometric='rgb', subfiletype=1)
    with pytest.raises(ValueError, match=r'in\.tif: TIFF of reduced pictures'):
        read_photo(tmp_path / 'in.tif')


def test_16_bit_png_keeps_its_transparent_colour(tmp_path):
    for name, pixels, clear in (('rgb', DEEP, DEEP[3, 5]), ('grey', DEEP[..., 0], DEEP[3, 5, :1])):
        order = pixels[..., ::-1] if pixels.ndim == 3 else pixels
        content = cv2.imencode('.png', np.ascontiguousarray(order))[1].tobytes()
        chunk = png_chunks((b'tRNS', clear.astype('>u2').tobytes()))
        (tmp_path / f'{name}.png').write_bytes(content[:33] + chunk + content[33:])
        photo = read_photo(tmp_path / f'{name}.png')
        is_clear = (np.dstack([pixels]) == clear).all(axis=-1)
        assert 0 < is_clear.sum() < is_clear.size
        np.testing.assert_array_equal(photo.alpha, np.where(is_clear, 0, 65535))
        np.testing.assert_array_equal(photo.pixels[..., 0], DEEP[..., 0])


@pytest.mark.parametrize('suffix', ['.jpe', '.jfif', '.bmp', '.avif'])
def test_further_formats_are_read(tmp_path, suffix):
    if suffix == '.avif' and not features.check('avif'):
        pytest.skip('this Pillow has no AVIF')
    options = {'quality': 100} if suffix != '.bmp' else {}
    Image.fromarray(RAMPS).save(tmp_path / f'in{suffix}', **options)
    assert np.abs(read_photo(tmp_path / f'in{suffix}').pixels.astype(int) - RAMPS).mean() < 4


def test_heic_is_read_or_the_extra_is_named(tmp_path):
    try:
        import pillow_heif
    except ImportError:
        (tmp_path / 'in.heic').write_bytes(b'\0\0\0\x18ftypheic\0\0\0\0mif1heic')
        with pytest.raises(ValueError, match=r'in\.heic: HEIC needs the extra heif: pip install'):
            read_photo(tmp_path / 'in.heic')
    else:
        pillow_heif.from_pillow(Image.fromarray(RAMPS)).save(tmp_path / 'in.heic', quality=100)
        assert np.abs(read_photo(tmp_path / 'in.heic').pixels.astype(int) - RAMPS).mean() < 4


@pytest.mark.parametrize(
    ('name', 'head', 'message'),
    [
        ('in.cr3', b'\0\0\0\x18ftypcrx \0\0\0\1', 'raw file of a camera; develop it first'),
        ('in.raf', b'FUJIFILMCCD-RAW 0201', 'raw file of a camera; develop it first'),
        ('in.orf', b'IIRO\x08\0\0\0' + bytes(9), 'raw file of a camera; develop it first'),
        ('in.gif', b'GIF89a' + bytes(20), 'neither JPEG, PNG, .* save it as one'),
    ],
)
def test_what_is_not_read_says_what_to_do(tmp_path, name, head, message):
    (tmp_path / name).write_bytes(head)
    with pytest.raises(ValueError, match=message):
        read_photo(tmp_path / name)


def test_limit_is_half_of_the_memory(tmp_path, monkeypatch):
    """8 bits take 21 bytes a pixel, 16 bits 49: of 42 bytes for each pixel of RAMPS one fits, the other does not."""
    monkeypatch.setattr(photo_module, '_memory', lambda: 2 * 21 * RAMPS[..., 0].size)
    write_photo(tmp_path / '8.png', Photo(RAMPS))
    write_photo(tmp_path / '16.png', Photo(DEEP))
    write_photo(tmp_path / '16.tif', Photo(DEEP))
    assert read_photo(tmp_path / '8.png').pixels.shape == RAMPS.shape
    for name in ('16.png', '16.tif'):
        with pytest.raises(ValueError, match=rf'{name}: more than 0 megapixels; make it smaller'):
            read_photo(tmp_path / name)


def test_longest_name_that_a_file_can_have_is_written(tmp_path):
    path = tmp_path / ('n' * 251 + '.png')
    write_photo(path, Photo(RAMPS))
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(('suffix', 'longest'), [('.jpg', 65500), ('.webp', 16383)])
def test_side_that_a_format_does_not_hold_is_named(tmp_path, suffix, longest):
    pixels = np.tile(RAMPS[:1], (1, 700, 1))  # 67,200 pixels wide
    with pytest.raises(
        ValueError, match=rf'out\{suffix}: cannot be written: .* holds {longest} pixels a side, this has'
    ):
        write_photo(tmp_path / f'out{suffix}', Photo(pixels))
    write_photo(tmp_path / f'out{suffix}', Photo(pixels[:, :longest]))
    assert Image.open(tmp_path / f'out{suffix}').size == (longest, 1)


def test_what_pillow_takes_for_a_bomb_is_read_in_strips(tmp_path, monkeypatch):
    """Pillow refuses twice as many pixels as this, whole or cut out; the picture is wide, so few rows are many."""
    pixels = np.tile(RAMPS[:32], (1, 5000, 1))
    cv2.imwrite(str(tmp_path / 'in.png'), pixels[..., ::-1])
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 2**22)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / 'in.png')
    np.testing.assert_array_equal(read_photo(tmp_path / 'in.png').pixels, pixels)


def test_wide_tiff_is_whole(tmp_path):
    """More rows than are written at a time."""
    pixels = np.tile(DEEP, (9, 1, 1))
    alpha = np.tile(ALPHA, (9, 1))
    write_photo(tmp_path / 'out.tif', Photo(pixels, alpha))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / 'out.tif'), np.dstack([pixels, alpha]))
