"""Writing photos whole or not at all, in the depth of their pixels, with ICC profile and EXIF."""

from __future__ import annotations

import logging
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from s3net_plugin.relight import exif
from s3net_plugin.relight.photo import JPEG_SUFFIXES, Photo
from s3net_plugin.relight.tiff import write_tiff
from s3net_plugin.utils.files import atomic_write

WRITTEN_SUFFIXES = (*JPEG_SUFFIXES, '.png', '.webp', '.tif', '.tiff')

_MOST_IN_JPEG = 2**16 - 1 - 2 - len(exif.PREFIX)  # bytes of EXIF: a segment's length has 16 bits and counts itself
_LONGEST_SIDE = {**dict.fromkeys(JPEG_SUFFIXES, ('JPEG', 65500)), '.webp': ('WebP', 16383)}
_STRIP_ROWS = 256
_log = logging.getLogger(__name__)


def check_suffix(path: Path) -> None:
    """Raise ValueError if ``path`` does not end as a photo that can be written."""
    if path.suffix.lower() not in WRITTEN_SUFFIXES:
        raise ValueError(f'{path}: cannot be written; its name must end in one of {", ".join(WRITTEN_SUFFIXES)}')


def check_sides(path: Path, photo: Photo) -> None:
    """Raise ValueError if ``photo`` is longer or wider than the format holds that the suffix of ``path`` names."""
    side = max(photo.pixels.shape[:2])
    name, longest = _LONGEST_SIDE.get(path.suffix.lower(), ('', side))
    if side > longest:
        raise ValueError(
            f'{path}: cannot be written: {name} holds {longest} pixels a side, this has {side}; choose .png or .tif'
        )


def write_photo(path: str | Path, photo: Photo) -> None:
    """Write ``photo`` in the format that the suffix of ``path`` names.

    16-bit pixels stay 16 bit in PNG and TIFF and become 8 bit in JPEG and WebP, which have no more. JPEG drops alpha,
    and of EXIF beyond 64 kB what the camera wrote for itself, then all, which one line of the log says.

    Raises:
        OSError: It cannot be written; the message names the file, and what was there before is still there.
        ValueError: The suffix names no format, or the picture is too large for it.
    """
    path = Path(path)
    check_suffix(path)
    check_sides(path, photo)
    try:
        with atomic_write(path) as aside, aside.open('wb') as file:
            _encode(photo, path, file)
    except (OSError, ValueError, cv2.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else ' '.join(str(error).split())
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(f'{path}: cannot be written: {reason}') from error


def _encode(photo: Photo, path: Path, file: BinaryIO) -> None:
    suffix = path.suffix.lower()
    if suffix in ('.tif', '.tiff'):
        write_tiff(file, photo.pixels, photo.alpha, photo.exif, photo.icc_profile)
    elif suffix == '.png':
        _write_png(file, photo)
    elif suffix in JPEG_SUFFIXES:
        block = _exif_for_jpeg(photo.exif, path)
        picture = Image.fromarray(_to_8_bit(photo.pixels))
        picture.save(file, 'JPEG', icc_profile=photo.icc_profile, exif=block, quality=95, subsampling=0)
    else:
        picture = Image.fromarray(_to_8_bit(_joined(photo)))
        picture.save(file, 'WEBP', icc_profile=photo.icc_profile, exif=photo.exif, quality=95)


def _exif_for_jpeg(block: bytes, path: Path) -> bytes:
    if len(block) > _MOST_IN_JPEG:
        smaller = exif.rebuilt(block, maker_note=False)
        fits = len(smaller) <= _MOST_IN_JPEG
        _log.warning('%s: JPEG holds 64 kB of EXIF; %s is left out', path, 'MakerNote' if fits else 'it')
        block = smaller if fits else b''
    return block and exif.PREFIX + block


def _joined(photo: Photo) -> np.ndarray:
    """Return (H, W, 3) or, with alpha, (H, W, 4)."""
    return photo.pixels if photo.alpha is None else np.dstack((photo.pixels, photo.alpha))


def _to_8_bit(pixels: np.ndarray) -> np.ndarray:
    """Round (H, W, C) of 16 bits to 8; 257 is 65535 / 255."""
    if pixels.dtype == np.uint8:
        return pixels
    result = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), _STRIP_ROWS):
        result[top : top + _STRIP_ROWS] = (pixels[top : top + _STRIP_ROWS].astype(np.uint32) + 128) // 257
    return result


def _write_png(file: BinaryIO, photo: Photo) -> None:
    """PNG by OpenCV: Pillow writes no 16 bits and takes ten times as long; profile and EXIF go in here."""
    order = cv2.COLOR_RGB2BGR if photo.alpha is None else cv2.COLOR_RGBA2BGRA
    content = cv2.imencode('.png', cv2.cvtColor(_joined(photo), order))[1].data
    after_header = 8 + 25  # the signature and IHDR
    file.write(content[:after_header])
    if photo.icc_profile:
        file.write(_png_chunk(b'iCCP', b'ICC profile\0\0' + zlib.compress(photo.icc_profile)))
    if photo.exif:
        file.write(_png_chunk(b'eXIf', photo.exif))
    file.write(content[after_header:])


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
