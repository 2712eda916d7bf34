"""What is said beside the pixels never costs the picture, and survives as the bytes it was."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from s3net_plugin.relight.photo import Photo, read_photo
from s3net_plugin.relight.photo_writing import write_photo
from tests.relight.pictures import RAMPS, SRGB, icc_gamma, icc_profile, png_chunks

SHORT, LONG, ASCII, RATIONAL, UNDEFINED = 3, 4, 2, 5, 7
EXIF_POINTER, GPS_POINTER = 0x8769, 0x8825


def directory(fields, at):
    """A TIFF directory at ``at`` of {tag: (type, count, bytes)}, little-endian, with its values after it."""
    values_at, entries, values = at + 2 + 12 * len(fields) + 4, b'', b''
    for tag, (kind, count, value) in sorted(fields.items()):
        where = value.ljust(4, b'\0') if len(value) <= 4 else struct.pack('<I', values_at + len(values))
        entries += struct.pack('<HHI', tag, kind, count) + where
        values += value if len(value) > 4 else b''
        values += b'\0' * (len(values) % 2)
    return struct.pack('<H', len(fields)) + entries + bytes(4) + values


def exif_block(main, exif_fields=None, gps=None):
    """An EXIF block written by hand: the fields are whatever a camera might write."""
    below = {pointer: fields for pointer, fields in ((EXIF_POINTER, exif_fields), (GPS_POINTER, gps)) if fields}
    main = {**main, **dict.fromkeys(below, (LONG, 1, bytes(4)))}
    at, tail = 8 + len(directory(main, 8)), b''
    for pointer, fields in below.items():
        main[pointer] = (LONG, 1, struct.pack('<I', at + len(tail)))
        tail += directory(fields, at + len(tail))
    return b'II*\0' + struct.pack('<I', 8) + directory(main, 8) + tail


def jpeg(exif=b''):
    out = io.BytesIO()
    Image.fromarray(RAMPS).save(out, 'JPEG', quality=95, exif=b'Exif\0\0' + exif if exif else b'')
    return out.getvalue()


def png_with(*chunks):
    out = io.BytesIO()
    Image.fromarray(RAMPS).save(out, 'PNG')
    content = out.getvalue()
    return content[:33] + png_chunks(*chunks) + content[33:]


def stored_exif(path):
    """The EXIF block of a written file as Pillow finds it; of TIFF the file itself."""
    return path.read_bytes() if path.suffix == '.tif' else Image.open(path).info['exif'].removeprefix(b'Exif\0\0')


def read_fields(block):
    """Every value of a block by tifffile: {tag: (type, count, raw bytes)} of the first directory and those below it."""
    with tifffile.TiffFile(io.BytesIO(block)) as file:
        pages = [file.pages.first]
        for tag in file.pages.first.tags:
            if tag.code in (EXIF_POINTER, GPS_POINTER):
                file.filehandle.seek(struct.unpack_from(f'{file.byteorder}I', block, tag.offset + 8)[0])
                pages.append(tifffile.TiffPage(file, 0))
        return {
            tag.code: (int(tag.dtype), tag.count, block[tag.valueoffset : tag.valueoffset + tag.valuebytecount])
            for page in pages
            for tag in page.tags
        }


AWKWARD = {
    'ExposureBias -2/0': exif_block({}, {0x9204: (10, 1, struct.pack('<ii', -2, 0))}),
    'GPS speed as signed negative': exif_block({}, None, {13: (10, 1, struct.pack('<ii', -5, 1))}),
    'GPS version as text': exif_block({}, None, {0: (ASCII, 8, b'2.2.0.0\0')}),
    'resolution as text': exif_block({282: (ASCII, 3, b'72\0'), 283: (ASCII, 3, b'72\0')}),
    'Make as a rational': exif_block({271: (RATIONAL, 1, struct.pack('<II', 1, 3))}),
    'GPS fields beyond the end': exif_block({GPS_POINTER: (LONG, 1, b'\xff\xff\xff\x7f')}),
    'a type that TIFF does not have': exif_block({271: (99, 1, b'\0\0\0\0')}),
    'no TIFF at all': b'garbage' * 9,
    'cut after its header': b'II*\0\x08\0\0\0\x05',
}


@pytest.mark.parametrize('target', ['.jpg', '.png', '.webp', '.tif'])
@pytest.mark.parametrize('name', AWKWARD)
def test_no_field_of_exif_costs_the_picture(tmp_path, name, target):
    (tmp_path / 'in.jpg').write_bytes(jpeg(AWKWARD[name]))
    expected = np.asarray(Image.open(io.BytesIO(jpeg())))
    photo = read_photo(tmp_path / 'in.jpg')
    np.testing.assert_array_equal(photo.pixels, expected)
    write_photo(tmp_path / f'out{target}', photo)
    with Image.open(tmp_path / f'out{target}') as written:
        assert written.size == (96, 64)
        written.load()


def test_what_is_damaged_is_said_once(tmp_path, caplog):
    (tmp_path / 'in.jpg').write_bytes(jpeg(AWKWARD['no TIFF at all']))
    read_photo(tmp_path / 'in.jpg')
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f'{tmp_path / "in.jpg"}: its EXIF is damaged and left out')


ARTIST = 'Zoë Müller 写真'.encode() + b'\0'
MAIN = {
    270: (ASCII, 9, 'Brücke\0'.encode() + b'\0'),
    271: (ASCII, 6, b'Maker\0'),
    274: (SHORT, 1, struct.pack('<H', 6)),
    315: (ASCII, len(ARTIST), ARTIST),
    33432: (ASCII, 9, '© 2026\0'.encode() + b'\0'),
}
FIELDS = {
    0x9286: (UNDEFINED, 20, b'UNICODE\0' + 'é写真 ok'.encode('utf-16-le')[:12]),
    0x927C: (UNDEFINED, 300, bytes(range(256)) + bytes(44)),
    0x829A: (RATIONAL, 1, struct.pack('<II', 10, 1250)),
    0xA002: (LONG, 1, struct.pack('<I', 96)),
    0xA003: (SHORT, 1, struct.pack('<H', 64)),
}
GPS = {1: (ASCII, 2, b'N\0')}


@pytest.mark.parametrize('target', ['.jpg', '.png', '.webp', '.tif'])
@pytest.mark.parametrize('source', ['.jpg', '.png', '.webp', '.tif'])
def test_exif_and_profile_are_the_same_bytes_whatever_the_format(tmp_path, source, target):
    block, icc = exif_block(MAIN, FIELDS, GPS), SRGB
    if source == '.tif':
        write_photo(tmp_path / 'in.tif', Photo(RAMPS, None, icc, block))
    else:
        Image.fromarray(RAMPS).save(tmp_path / f'in{source}', exif=b'Exif\0\0' + block, icc_profile=icc)
    photo = read_photo(tmp_path / f'in{source}')
    assert photo.pixels.shape == (96, 64, 3)
    write_photo(tmp_path / f'out{target}', photo)
    found = read_fields(stored_exif(tmp_path / f'out{target}'))
    sizes = {0xA002: FIELDS[0xA003], 0xA003: FIELDS[0xA002]}  # it was turned
    for tag, field in {**MAIN, **FIELDS, **GPS, **sizes, 274: (SHORT, 1, struct.pack('<H', 1))}.items():
        assert found[tag] == field, hex(tag)
    assert Image.open(tmp_path / f'out{target}').info['icc_profile'] == icc


def test_thumbnail_of_the_old_picture_is_left_out(tmp_path):
    thumbnail = jpeg()
    block = bytearray(exif_block(MAIN))
    at = len(block)
    struct.pack_into('<I', block, 8 + 2 + 12 * len(MAIN), at)
    second = {259: (SHORT, 1, b'\x06\0'), 513: (LONG, 1, struct.pack('<I', at + 42)), 514: (LONG, 1, b'\0\x02\0\0')}
    (tmp_path / 'in.jpg').write_bytes(jpeg(bytes(block) + directory(second, at) + thumbnail))
    with Image.open(tmp_path / 'in.jpg') as image:
        assert image.getexif().get_ifd(ExifTags.IFD.IFD1)
    write_photo(tmp_path / 'out.jpg', read_photo(tmp_path / 'in.jpg'))
    with Image.open(tmp_path / 'out.jpg') as image:
        assert not image.getexif().get_ifd(ExifTags.IFD.IFD1)


@pytest.mark.parametrize(
    ('size', 'left_out', 'kept'), [(70_000, 0x927C, 271), (70_000, 0x9286, None)], ids=['MakerNote', 'all']
)
def test_exif_beyond_what_jpeg_holds_is_cut_down(tmp_path, caplog, size, left_out, kept):
    block = exif_block({271: (ASCII, 6, b'Maker\0')}, {left_out: (UNDEFINED, size, bytes(size))})
    Image.fromarray(RAMPS).save(tmp_path / 'in.png', exif=b'Exif\0\0' + block)
    write_photo(tmp_path / 'out.jpg', read_photo(tmp_path / 'in.png'))
    assert len(caplog.messages) == 1
    assert 'out.jpg: JPEG holds 64 kB of EXIF' in caplog.messages[0]
    with Image.open(tmp_path / 'out.jpg') as image:
        assert list(image.getexif()) == ([kept] if kept else [])


@pytest.mark.parametrize(
    'chunk',
    [
        (b'zTXt', b'Comment\0\0' + zlib.compress(bytes(2_000_000))),
        (b'iTXt', b'XML:com.adobe.xmp\0\1\0\0\0' + zlib.compress(bytes(2_000_000))),
        (b'iCCP', b'profile\0\0' + zlib.compress(bytes(2_000_000))),
        (b'iCCP', b'profile\0\0' + b'no deflate'),
        (b'eXIf', b'no exif'),
        (b'zTXt', b'no end'),
        (b'tEXt', b'Comment\0' + bytes(10_000_000)),
    ],
    ids=lambda chunk: f'{chunk[0].decode()}{len(chunk[1])}',
)
def test_no_chunk_of_png_costs_the_picture(tmp_path, chunk):
    (tmp_path / 'in.png').write_bytes(png_with(chunk))
    photo = read_photo(tmp_path / 'in.png')
    np.testing.assert_array_equal(photo.pixels, RAMPS)
    write_photo(tmp_path / 'out.png', photo)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / 'out.png')), RAMPS)


def test_bytes_after_the_end_of_a_png_are_not_looked_at(tmp_path):
    (tmp_path / 'in.png').write_bytes(png_with() + bytes(9000))
    np.testing.assert_array_equal(read_photo(tmp_path / 'in.png').pixels, RAMPS)


def test_orientation_in_xmp_alone_counts_as_pillow_has_it(tmp_path):
    xmp = b'<rdf:Description tiff:Orientation="6"/>'
    info = PngImagePlugin.PngInfo()
    info.add_itxt('XML:com.adobe.xmp', xmp.decode())
    Image.fromarray(RAMPS).save(tmp_path / 'in.png', pnginfo=info)
    np.testing.assert_array_equal(read_photo(tmp_path / 'in.png').pixels, np.rot90(RAMPS, -1))


GREY = icc_profile(b'GRAY', {b'kTRC': icc_gamma(1.8), b'cprt': b'text\0\0\0\0none\0\0\0\0'})


@pytest.mark.parametrize('name', ['grey.jpg', 'alpha.png', 'deep.png', 'deep_alpha.png'])
def test_grey_keeps_its_tone_curve_in_a_profile_for_rgb(tmp_path, name):
    grey = RAMPS[..., 0]
    if name == 'grey.jpg':
        Image.fromarray(grey).save(tmp_path / name, icc_profile=GREY, quality=100)
    elif name == 'alpha.png':
        Image.fromarray(np.dstack([grey, grey]), 'LA').save(tmp_path / name, icc_profile=GREY)
    else:
        write_grey_16(tmp_path / name, grey.astype(np.uint16) * 257, GREY, alpha='alpha' in name)
    photo = read_photo(tmp_path / name)
    assert np.abs(photo.pixels[..., 1] / np.iinfo(photo.pixels.dtype).max - grey / 255).max() < 0.01
    assert (photo.alpha is not None) == ('alpha' in name)
    write_photo(tmp_path / 'out.tif', photo)
    written = Image.open(tmp_path / 'out.tif') if photo.pixels.dtype == np.uint8 else None
    pixels = np.asarray(written.convert('RGB')) if written else (photo.pixels // 257).astype(np.uint8)
    kept = tifffile.TiffFile(tmp_path / 'out.tif').pages.first.tags[34675].value
    srgb = ImageCms.createProfile('sRGB')
    seen = ImageCms.profileToProfile(Image.fromarray(pixels), io_profile(kept), srgb, outputMode='RGB')
    oracle = ImageCms.profileToProfile(Image.fromarray(grey), io_profile(GREY), srgb, outputMode='RGB')
    assert np.abs(np.asarray(seen).astype(int) - np.asarray(oracle)).max() <= 2
    assert np.abs(np.asarray(oracle).astype(int) - grey[..., None]).max() > 9  # so it matters


def io_profile(content):
    return ImageCms.ImageCmsProfile(io.BytesIO(content))


def write_grey_16(path, grey, icc, *, alpha):
    """A PNG of 16 bits, grey or grey and alpha, written by hand."""
    samples = np.dstack([grey, 65535 - grey]) if alpha else grey[..., None]
    rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in samples)
    header = struct.pack('>IIBBBBB', grey.shape[1], grey.shape[0], 16, 4 if alpha else 0, 0, 0, 0)
    chunks = [
        (b'IHDR', header),
        (b'iCCP', b'p\0\0' + zlib.compress(icc)),
        (b'IDAT', zlib.compress(rows)),
        (b'IEND', b''),
    ]
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + png_chunks(*chunks))


@pytest.mark.parametrize('icc', [SRGB, GREY, b'no profile' * 30], ids=['RGB', 'GRAY', 'damaged'])
def test_cmyk_with_a_profile_that_does_not_fit_is_read_as_without(tmp_path, icc, caplog):
    Image.fromarray(RAMPS).convert('CMYK').save(tmp_path / 'plain.jpg')
    Image.fromarray(RAMPS).convert('CMYK').save(tmp_path / 'in.jpg', icc_profile=icc)
    photo = read_photo(tmp_path / 'in.jpg')
    np.testing.assert_array_equal(photo.pixels, read_photo(tmp_path / 'plain.jpg').pixels)
    np.testing.assert_array_equal(photo.pixels, np.asarray(Image.open(tmp_path / 'plain.jpg').convert('RGB')))
    assert photo.icc_profile is None
    assert len(caplog.messages) == 1


def test_profile_for_grey_is_not_kept_for_colour(tmp_path, caplog):
    Image.fromarray(RAMPS).save(tmp_path / 'in.jpg', icc_profile=GREY)
    assert read_photo(tmp_path / 'in.jpg').icc_profile is None
    assert 'is one for GRAY; it is left out' in caplog.messages[0]
