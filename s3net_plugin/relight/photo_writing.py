"""Writing photos whole or not at all, in the depth of their pixels, with ICC profile and EXIF."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from s3net_plugin.relight.photo import SUFFIXES, Photo
from s3net_plugin.utils.files import written_aside

_TIFF_STRIP_OFFSETS = 273


def check_suffix(path: Path) -> None:
    """Raise ValueError if ``path`` does not end as a photo that can be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f'{path}: cannot be written; its name must end in one of {", ".join(SUFFIXES)}')


def write_photo(path: str | Path, photo: Photo) -> None:
    """Write ``photo`` in the format that the suffix of ``path`` names.

    16-bit pixels stay 16 bit in PNG and TIFF and become 8 bit in JPEG and WebP, which have no more. JPEG drops alpha.

    Raises:
        OSError: It cannot be written; the message names the file, and what was there before is still there.
        ValueError: The suffix names no format, or the picture is too large for it.
    """
    path = Path(path)
    check_suffix(path)
    try:
        with written_aside(path) as aside:
            aside.write_bytes(encode_photo(photo, path.suffix.lower()))
    except (OSError, ValueError, cv2.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else ' '.join(str(error).split())
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(f'{path}: cannot be written: {reason}') from error


def encode_photo(photo: Photo, suffix: str) -> bytes:
    """Encode ``photo`` in the format of ``suffix``, one of ``SUFFIXES``."""
    if suffix in ('.tif', '.tiff'):
        return _encode_tiff(photo)
    if suffix == '.png' and photo.pixels.dtype == np.uint16:
        return _encode_deep_png(photo)
    pixels = photo.pixels if suffix in ('.jpg', '.jpeg') else _joined(photo)
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 257 = 65535 / 255; to the nearest
    options = {'.png': {}, '.webp': {'quality': 95}}.get(suffix, {'quality': 95, 'subsampling': 0})
    out = io.BytesIO()
    kind = {'.png': 'PNG', '.webp': 'WEBP'}.get(suffix, 'JPEG')
    Image.fromarray(pixels).save(out, kind, icc_profile=photo.icc_profile, exif=photo.exif, **options)
    return out.getvalue()


def _joined(photo: Photo) -> np.ndarray:
    """Return (H, W, 3) or, with alpha, (H, W, 4)."""
    return photo.pixels if photo.alpha is None else np.dstack((photo.pixels, photo.alpha))


def _encode_deep_png(photo: Photo) -> bytes:
    """PNG of 16 bits, which Pillow does not write; OpenCV's leaves out profile and EXIF, so they go in here."""
    pixels = _joined(photo)
    order = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    content = cv2.imencode('.png', cv2.cvtColor(pixels, order))[1].tobytes()
    after_header = 8 + 25  # the signature and IHDR
    chunks = b''
    if photo.icc_profile:
        chunks += _png_chunk(b'iCCP', b'ICC profile\0\0' + zlib.compress(photo.icc_profile))
    if photo.exif:
        chunks += _png_chunk(b'eXIf', photo.exif.removeprefix(b'Exif\0\0'))
    return content[:after_header] + chunks + content[after_header:]


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def _encode_tiff(photo: Photo) -> bytes:
    """Uncompressed TIFF: an EXIF block is a TIFF file, to which the pixels are added.

    Pillow writes no 16-bit RGB, and with compression no EXIF.
    """
    pixels = _joined(photo)
    height, width, channels = pixels.shape
    base = ExifTags.Base
    tags = Image.Exif()
    if photo.exif:
        tags.load(photo.exif)
    if photo.icc_profile:
        tags[base.InterColorProfile] = photo.icc_profile
    if channels == 4:
        tags[base.ExtraSamples] = 2  # alpha, not premultiplied
    tags[base.ImageWidth], tags[base.ImageLength], tags[base.RowsPerStrip] = width, height, height
    tags[base.BitsPerSample], tags[base.SamplesPerPixel] = (8 * pixels.itemsize,) * channels, channels
    tags[base.Compression], tags[base.PhotometricInterpretation], tags[base.PlanarConfiguration] = 1, 2, 1
    tags[_TIFF_STRIP_OFFSETS], tags[base.StripByteCounts] = 0, pixels.nbytes  # 0 bytes after the tags
    head = tags.tobytes().removeprefix(b'Exif\0\0')
    order = '<' if head.startswith(b'II') else '>'
    return head + pixels.astype(f'{order}u{pixels.itemsize}', copy=False).tobytes()
