import errno
import io

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from s3net_plugin.relight.photo import Photo, read_photo, upright
from s3net_plugin.relight.photo_writing import write_photo
from tests.relight.pictures import SRGB, png_chunks

SUFFIXES = ('.jpg', '.png', '.webp', '.tif')


def camera_exif(orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.ExifImageWidth: 24,
        ExifTags.Base.ExifImageHeight: 16,
    }
    return exif.tobytes()


def gradient(mode='RGB', size=(24, 16)):
    """A smooth picture, which lossy formats keep, without any symmetry."""
    x, y = np.meshgrid(np.linspace(20, 200, size[0]), np.linspace(0, 50, size[1]))
    planes = np.stack([x, x / 2 + y, 220 - x, 255 - 2 * y], axis=-1).astype(np.uint8)
    return Image.fromarray(planes, 'RGBA').convert(mode)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', SUFFIXES)
def test_orientation_is_applied_and_set_to_upright(tmp_path, suffix, orientation):
    source = tmp_path / f'in{suffix}'
    gradient().save(source, exif=camera_exif(orientation))
    photo = read_photo(source)
    plain = Image.Exif()
    plain[ExifTags.Base.Orientation] = orientation
    gradient().save(tmp_path / 'oracle.png', exif=plain.tobytes())
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / 'oracle.png'))).astype(int)
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels - expected).mean() < 4
    write_photo(tmp_path / f'out{suffix}', photo)
    exif = Image.open(tmp_path / f'out{suffix}').getexif()
    assert exif[ExifTags.Base.Orientation] == 1
    fields = exif.get_ifd(ExifTags.IFD.Exif)
    size = fields[ExifTags.Base.ExifImageWidth], fields[ExifTags.Base.ExifImageHeight]
    assert size == expected.shape[1::-1]


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('channels', [1, 3, 4])
@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_16_bit_keeps_every_value(tmp_path, suffix, channels, orientation):
    stored = np.random.default_rng(0).integers(0, 65536, (16, 24, channels), dtype=np.uint16).squeeze()
    bgr = stored if channels == 1 else cv2.cvtColor(stored, cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_RGBA2BGRA)
    cv2.imwrite(str(tmp_path / f'plain{suffix}'), bgr)
    photo = read_photo(tmp_path / f'plain{suffix}')
    rgb = np.dstack([stored] * 3) if channels == 1 else stored
    np.testing.assert_array_equal(photo.pixels, rgb[..., :3])
    turned = Photo(photo.pixels, photo.alpha, SRGB, camera_exif(orientation).removeprefix(b'Exif\0\0'))
    write_photo(tmp_path / f'out{suffix}', turned)
    again = read_photo(tmp_path / f'out{suffix}')
    np.testing.assert_array_equal(again.pixels, upright(photo.pixels, orientation))
    assert again.icc_profile == SRGB
    assert (again.alpha is None) == (channels != 4)
    if again.alpha is not None:
        np.testing.assert_array_equal(again.alpha, upright(rgb[..., 3], orientation))


@pytest.mark.parametrize('suffix', ['.jpg', '.webp'])
def test_16_bit_is_rounded_to_8_where_the_format_has_no_more(tmp_path, suffix):
    pixels = np.asarray(gradient()).astype(np.uint16) * 257
    write_photo(tmp_path / f'out{suffix}', Photo(pixels))
    again = read_photo(tmp_path / f'out{suffix}').pixels
    assert again.dtype == np.uint8
    assert np.abs(again.astype(int) - np.asarray(gradient())).mean() < 3


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA'])
def test_modes_become_rgb(tmp_path, mode):
    image = gradient().quantize(16) if mode == 'P' else gradient(mode)
    image.save(tmp_path / 'in.png')
    photo = read_photo(tmp_path / 'in.png')
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert('RGB')))
    assert (photo.alpha is not None) == (mode in ('LA', 'RGBA'))


def test_alpha_is_kept_where_the_format_has_it(tmp_path):
    gradient('RGBA').save(tmp_path / 'in.png')
    photo = read_photo(tmp_path / 'in.png')
    for suffix in ('.png', '.webp', '.tif'):
        write_photo(tmp_path / f'out{suffix}', photo)
        np.testing.assert_array_equal(read_photo(tmp_path / f'out{suffix}').alpha, photo.alpha)
    write_photo(tmp_path / 'out.jpg', photo)
    assert read_photo(tmp_path / 'out.jpg').alpha is None


def test_cmyk_is_brought_to_rgb_through_its_profile(tmp_path):
    gradient('CMYK').save(tmp_path / 'in.jpg', quality=100)
    plain = read_photo(tmp_path / 'in.jpg')
    assert np.abs(plain.pixels.astype(int) - np.asarray(gradient())).mean() < 6
    assert plain.icc_profile is None


def test_second_picture_of_a_phone_is_left_out(tmp_path):
    gradient().save(tmp_path / 'in.jpg', format='MPO', save_all=True, append_images=[gradient(size=(8, 8))])
    assert read_photo(tmp_path / 'in.jpg').pixels.shape == (16, 24, 3)


def encoded(kind):
    out = io.BytesIO()
    gradient(size=(200, 160)).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('empty.jpg', b''),
        ('text.png', b'not a picture at all'),
        ('cut.jpg', encoded('JPEG')[:-900]),
        ('cut.png', encoded('PNG')[:-300]),
        ('cut.webp', encoded('WEBP')[:-300]),
        ('cut.tif', encoded('TIFF')[:-300]),
        ('gif.png', encoded('GIF')),
        ('deep.png', cv2.imencode('.png', np.zeros((60, 60, 3), np.uint16))[1].tobytes()[:-40]),
        ('float.tif', cv2.imencode('.tif', np.ones((4, 4), np.float32))[1].tobytes()),
    ],
)
def test_bad_photo_is_named_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name) as caught:
        read_photo(tmp_path / name)
    assert '\n' not in str(caught.value)


def test_missing_photo_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.jpg: no such photo'):
        read_photo(tmp_path / 'none.jpg')


def test_bomb_is_refused_by_its_header(tmp_path):
    """A PNG of 4 gigapixels that holds no pixels: only its header can be the reason."""
    small = encoded('PNG')
    header = np.array([65500, 65500], '>u4').tobytes() + small[24:29]
    (tmp_path / 'bomb.png').write_bytes(small[:8] + png_chunks((b'IHDR', header)) + small[33:])
    with pytest.raises(ValueError, match=r'bomb\.png: more than \d+ megapixels'):
        read_photo(tmp_path / 'bomb.png')
    gradient().save(tmp_path / 'small.png')
    with pytest.raises(ValueError, match='megapixels'):
        read_photo(tmp_path / 'small.png', max_pixels=24 * 16 - 1)


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    gradient().save(tmp_path / 'out.webp')
    before = (tmp_path / 'out.webp').read_bytes()

    def disk_is_full(image, file, *args, **options):
        file.write(b'half of it')
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(Image.Image, 'save', disk_is_full)
    with pytest.raises(OSError, match=r'out\.webp: cannot be written: No space left on device$'):
        write_photo(tmp_path / 'out.webp', Photo(np.zeros((4, 4, 3), np.uint8)))
    assert [path.name for path in tmp_path.iterdir()] == ['out.webp']
    assert (tmp_path / 'out.webp').read_bytes() == before


def test_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'out\.bmp.*\.png'):
        write_photo(tmp_path / 'out.bmp', Photo(np.zeros((4, 4, 3), np.uint8)))
