"""Writing photos whole or not at all, in the depth of their pixels, with ICC profile and EXIF."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from s3net_plugin.relight.photo import SUFFIXES, Photo

_FORMATS = dict(zip(SUFFIXES, ('JPEG', 'JPEG', 'PNG', 'WEBP', 'TIFF', 'TIFF'), strict=True))
_OPTIONS = {'JPEG': {'quality': 95, 'subsampling': 0}, 'WEBP': {'quality': 95}, 'TIFF': {'compression': 'tiff_lzw'}}
_TIFF_STRIP_OFFSETS = 273


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a name beside ``path`` to write to; it becomes ``path`` at the end, and is removed if anything fails.

    It keeps the suffix, by which many writers choose a format.
    """
    aside = path.with_name(f'.{path.stem}.{os.getpid()}{path.suffix}')
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


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
    kind = _FORMATS[path.suffix.lower()]
    deep = photo.pixels.dtype == np.uint16 and kind in _DEEP_ENCODERS
    try:
        with written_aside(path) as aside, aside.open('wb') as file:
            if deep:
                file.write(_DEEP_ENCODERS[kind](photo))
            else:
                image = Image.fromarray(_joined(photo, alpha=kind != 'JPEG', deep=False))
                image.save(file, kind, icc_profile=photo.icc_profile, exif=photo.exif, **_OPTIONS.get(kind, {}))
    except (OSError, ValueError, cv2.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else ' '.join(str(error).split())
        raise type(error)(f'{path}: cannot be written: {reason}') from error


def _joined(photo: Photo, *, alpha: bool, deep: bool) -> np.ndarray:
    """Return (H, W, 3) or, with alpha, (H, W, 4), uint8 unless ``deep``."""
    joined = photo.pixels if photo.alpha is None or not alpha else np.dstack((photo.pixels, photo.alpha))
    # 65535 / 255 is 257: this rounds to the nearest
    return joined if deep or joined.dtype == np.uint8 else ((joined.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _encode_deep_png(photo: Photo) -> bytes:
    """PNG of 16 bits, which Pillow does not write; OpenCV's before 4.13 leave out profile and EXIF, so they go in here."""
    pixels = _joined(photo, alpha=True, deep=True)
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


def _encode_deep_tiff(photo: Photo) -> bytes:
    """TIFF of 16 bits, which Pillow does not write: an EXIF block is a TIFF file, to which the pixels are added."""
    pixels = _joined(photo, alpha=True, deep=True).astype('<u2', copy=False)
    channels = pixels.shape[2]
    tags = Image.Exif()
    if photo.exif:
        tags.load(photo.exif)
    tags.endian = '<'
    base = ExifTags.Base
    tags.update(
        {
            base.ImageWidth: pixels.shape[1],
            base.ImageLength: pixels.shape[0],
            base.BitsPerSample: (16,) * channels,
            base.Compression: 1,
            base.PhotometricInterpretation: 2,
            base.SamplesPerPixel: channels,
            base.RowsPerStrip: pixels.shape[0],
            base.StripByteCounts: pixels.nbytes,
            base.PlanarConfiguration: 1,
            _TIFF_STRIP_OFFSETS: 0,  # counted from the end of the tags
        }
    )
    if channels == 4:
        tags[base.ExtraSamples] = 2  # alpha, not premultiplied
    if photo.icc_profile:
        tags[base.InterColorProfile] = photo.icc_profile
    out = io.BytesIO(tags.tobytes().removeprefix(b'Exif\0\0'))
    out.seek(0, io.SEEK_END)
    out.write(pixels.tobytes())
    return out.getvalue()


_DEEP_ENCODERS: dict[str, Callable[[Photo], bytes]] = {'PNG': _encode_deep_png, 'TIFF': _encode_deep_tiff}
