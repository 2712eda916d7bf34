"""Reading photos, 8 or 16 bit, upright, with what has to survive beside the pixels."""

from __future__ import annotations

import io
import logging
import math
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from s3net_plugin.data.decode import PNG_MAGIC, png_size
from s3net_plugin.relight import exif
from s3net_plugin.relight.containers import JPEG_MAGIC, Parts, split_jpeg, split_png
from s3net_plugin.relight.profiles import cmyk_transform, fit_profile
from s3net_plugin.relight.tiff import (
    DEVELOP,
    MAGIC,
    UnsupportedPhotoError,
    read_16_bit,
    read_exif,
    read_layout,
    single_page,
)

JPEG_SUFFIXES = ('.jpg', '.jpeg', '.jpe', '.jfif')
SUFFIXES = (*JPEG_SUFFIXES, '.png', '.webp', '.tif', '.tiff', '.bmp', '.avif', '.heic', '.heif', '.hif')
RAW_SUFFIXES = ('.dng', '.nef', '.cr2', '.cr3', '.arw', '.raf', '.orf', '.rw2', '.pef', '.srw')
OTHER_SUFFIXES = (*RAW_SUFFIXES, '.gif', '.jxl', '.jp2', '.psd', '.svg', '.tga', '.ppm')  # pictures that are not read

# What photos take at most while one is read, one relit and one written: bytes a pixel, and the part of the memory
BYTES_PER_PIXEL = {8: 21, 16: 49}
MEMORY_SHARE = 0.5
_MOST_PIXELS = 2**30  # OpenCV reads no more

_TURNED = (5, 6, 7, 8)  # the EXIF orientations that exchange width and height
_MODES = ('1', 'L', 'LA', 'La', 'P', 'PA', 'RGB', 'RGBA', 'RGBa', 'RGBX', 'YCbCr', 'CMYK')
_GREY_MODES = ('1', 'L', 'LA', 'La')
_STRIP_PIXELS = 2**22
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Photo:
    """A photo, upright.

    ``pixels`` is RGB of shape (H, W, 3), uint8 or uint16, and ``alpha`` (H, W) of the same type. ``icc_profile`` is one
    for RGB. ``exif`` is a block that says that the picture is upright; it is empty if there is none.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    exif: bytes = b''


def read_photo(path: str | Path, max_pixels: float = math.inf) -> Photo:
    """Read the photo ``path`` and turn it upright.

    The format is told by the bytes, not by the name. Grey and palette images become RGB, CMYK is brought to sRGB. RGB
    values are taken as they are: their ICC profile is kept, not applied. Of several pages or frames the first in full
    size is taken. What is said beside the pixels and cannot be read is left out, which one line of the log says.

    Args:
        path: The file.
        max_pixels: A larger picture is refused by its header, before it takes memory, and so is one that takes more
            than half of the memory.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such photo, damaged or too large; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such photo')
    try:
        with path.open('rb') as file:
            head = file.read(16)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # Pillow's, of metadata of which nothing is taken from it
            stored = _reader(head)(path, max_pixels)
    except UnsupportedPhotoError as error:
        raise ValueError(f'{path}: {error}') from None
    except MemoryError:
        raise ValueError(f'{path}: the memory does not suffice for it; make it smaller') from None
    except Exception as error:  # decoders raise whatever comes of files that are cut short or lie about themselves
        raise ValueError(f'{path}: damaged photo: {" ".join(str(error).split()) or type(error).__name__}') from None
    return _finished(stored, path)


class _Stored(NamedTuple):
    """What a file holds, as it lies there."""

    pixels: np.ndarray  # (H, W, 3) or, grey, (H, W)
    alpha: np.ndarray | None
    is_grey: bool
    icc_profile: bytes
    exif: bytes
    orientation: int | None  # None: what EXIF says


def _finished(stored: _Stored, path: Path) -> Photo:
    pixels, alpha, block, profile = stored.pixels, stored.alpha, stored.exif, b''
    orientation = stored.orientation or 1
    try:
        if block and stored.orientation is None:
            orientation = exif.orientation(block)
        if block and not exif.is_readable(block):
            block = exif.rebuilt(block)
            _log.warning('%s: some of its EXIF is damaged and left out', path)
        if block:
            patched = bytearray(block)
            exif.set_upright(patched, turned=orientation in _TURNED)
            block = bytes(patched)
    except ValueError as error:
        block = b''
        _log.warning('%s: its EXIF is damaged and left out: %s', path, error)
    try:
        profile = stored.icc_profile and fit_profile(stored.icc_profile, is_grey=stored.is_grey)
    except ValueError as error:
        _log.warning('%s: %s; it is left out', path, error)
    pixels = upright(pixels, orientation)
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_GRAY2RGB)
    return Photo(pixels, None if alpha is None else upright(alpha, orientation), profile or None, block)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return (H, W, ...) turned as the EXIF ``orientation`` says; unknown values, which exist, change nothing."""
    turned = pixels.swapaxes(0, 1) if orientation in _TURNED else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return turned


def _reader(head: bytes) -> Callable[[Path, float], _Stored]:
    """Tell the format by the first 16 bytes of a file."""
    brand = head[8:12] if head[4:8] == b'ftyp' else b''
    if head.startswith(JPEG_MAGIC):
        return _read_jpeg
    if head.startswith(PNG_MAGIC):
        return _read_png
    if head.startswith(MAGIC):
        return _read_tiff
    if head[:4] == b'RIFF' and head[8:12] == b'WEBP':
        return partial(_read_other, WebPImagePlugin.WebPImageFile)
    if head.startswith(b'BM'):
        return partial(_read_other, BmpImagePlugin.BmpImageFile)
    if brand in (b'avif', b'avis'):
        return _read_avif
    if brand in (b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1'):
        return _read_heif
    if brand == b'crx ' or head.startswith((b'FUJIFILM', b'IIRO', b'IIRS', b'MMOR', b'IIU\0')):
        raise UnsupportedPhotoError(DEVELOP)
    raise UnsupportedPhotoError('not a photo: neither JPEG, PNG, WebP, TIFF, BMP, AVIF nor HEIC; save it as one')


def _read_jpeg(path: Path, max_pixels: float) -> _Stored:
    parts = split_jpeg(path.read_bytes())
    with JpegImagePlugin.JpegImageFile(io.BytesIO(parts.picture)) as image:
        return _decoded(image, parts, path, max_pixels)


def _read_png(path: Path, max_pixels: float) -> _Stored:
    content = path.read_bytes()
    height, width = png_size(content)
    depth, kind = content[24], content[25]
    check_size(width, height, 16 if depth == 16 else 8, max_pixels)
    parts = split_png(content)
    if depth != 16:
        with PngImagePlugin.PngImageFile(io.BytesIO(parts.picture)) as image:
            return _decoded(image, parts, path, max_pixels)
    del content
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    samples = cv2.imdecode(np.frombuffer(_without_transparency(parts), np.uint8), flags)
    if samples is None or samples.dtype != np.uint16 or samples.shape[:2] != (height, width):
        raise ValueError('OpenCV cannot decode it as 16-bit integers')
    alpha = np.ascontiguousarray(samples[..., -1]) if kind & 4 else None
    if kind & 2:
        pixels = cv2.cvtColor(samples, cv2.COLOR_BGRA2RGB if kind & 4 else cv2.COLOR_BGR2RGB)
    else:
        pixels = samples if samples.ndim == 2 else np.ascontiguousarray(samples[..., 0])
    if parts.transparency:
        clear = np.frombuffer(parts.transparency, '>u2')
        is_clear = pixels == clear if pixels.ndim == 2 else (pixels == clear).all(axis=-1)
        alpha = np.where(is_clear, 0, 65535).astype(np.uint16)
    return _Stored(pixels, alpha, not kind & 2, parts.icc_profile, parts.exif, _said(parts))


def _without_transparency(parts: Parts) -> bytes:
    chunk = len(parts.transparency).to_bytes(4, 'big') + b'tRNS' + parts.transparency
    at = parts.picture.find(chunk) if parts.transparency else -1
    return parts.picture if at < 0 else parts.picture[:at] + parts.picture[at + len(chunk) + 4 :]


def _said(parts: Parts) -> int | None:
    """Return the orientation if it does not stand in EXIF."""
    return None if parts.exif else parts.xmp_orientation


def _read_tiff(path: Path, max_pixels: float) -> _Stored:
    layout = read_layout(path)
    check_size(layout.width, layout.height, 16 if layout.bits == 16 else 8, max_pixels)
    try:
        block = read_exif(path)
    except ValueError:  # BigTIFF, whose directories are others
        block = b''
        _log.warning('%s: its EXIF cannot be read and is left out', path)
    said = Parts(b'', block, layout.icc_profile)
    if layout.bits == 16:
        pixels, alpha = read_16_bit(path, layout.page)
        return _Stored(pixels, alpha, pixels.ndim == 2, layout.icc_profile, block, layout.orientation)
    try:
        page, content, orientation = 0, single_page(path, layout.position), layout.orientation
    except UnsupportedPhotoError:  # BigTIFF, which Pillow turns itself
        page, content, orientation = layout.page, bytearray(path.read_bytes()), 1
    with TiffImagePlugin.TiffImageFile(io.BytesIO(content)) as image:
        image.seek(page)
        return _decoded(image, said, path, max_pixels)._replace(orientation=orientation)


def _read_avif(path: Path, max_pixels: float) -> _Stored:
    try:
        from PIL import AvifImagePlugin
    except ImportError:
        raise UnsupportedPhotoError('AVIF needs Pillow 11.3 or later: pip install --upgrade pillow') from None
    if not AvifImagePlugin.SUPPORTED:
        raise UnsupportedPhotoError('this Pillow was built without AVIF; save it as PNG or JPEG')
    return _read_other(AvifImagePlugin.AvifImageFile, path, max_pixels)


def _read_heif(path: Path, max_pixels: float) -> _Stored:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise UnsupportedPhotoError("HEIC needs the extra heif: pip install 's3net_plugin[heif]'") from None
    return _read_other(HeifImageFile, path, max_pixels)


def _read_other(plugin: Callable[[io.BytesIO], Image.Image], path: Path, max_pixels: float) -> _Stored:
    """Read what Pillow opens without a look at what is said beside the pixels."""
    with plugin(io.BytesIO(path.read_bytes())) as image:
        block = (image.info.get('exif') or b'').removeprefix(exif.PREFIX)
        said = Parts(b'', block, image.info.get('icc_profile') or b'')
        return _decoded(image, said, path, max_pixels)


def _decoded(image: Image.Image, parts: Parts, path: Path, max_pixels: float) -> _Stored:
    """Decode what Pillow has opened, to 8 bits; in strips, since Pillow takes four bytes a pixel itself."""
    check_size(*image.size, 8, max_pixels)
    if image.mode not in _MODES:
        raise UnsupportedPhotoError(f'pixels of mode {image.mode}; save it as RGB of 8 or 16 bits')
    profile, convert = parts.icc_profile, None
    if image.mode == 'CMYK':
        try:
            convert = profile and cmyk_transform(profile)
        except ValueError as error:
            _log.warning('%s: %s; it is left out', path, error)
        profile = b''
    has_alpha = 'transparency' in image.info or image.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa')
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    alpha = np.empty(pixels.shape[:2], np.uint8) if has_alpha else None
    image.load()
    rows = max(_STRIP_PIXELS // image.width, 1)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        strip = strip.convert({'La': 'LA', 'RGBa': 'RGBA'}.get(strip.mode, strip.mode))
        strip = convert.apply(strip) if convert else strip.convert('RGBA' if has_alpha else 'RGB')
        values = np.asarray(strip)
        pixels[top : top + rows] = values[..., :3]
        if alpha is not None:
            alpha[top : top + rows] = values[..., 3]
    return _Stored(pixels, alpha, image.mode in _GREY_MODES, profile, parts.exif, _said(parts))


def check_size(width: int, height: int, bits: int, max_pixels: float) -> None:
    """Refuse a picture that takes more than its part of the memory, or more than ``max_pixels``."""
    most = min(max_pixels, _MOST_PIXELS, MEMORY_SHARE * _memory() / BYTES_PER_PIXEL[bits])
    if width * height > most:
        raise UnsupportedPhotoError(f'more than {most / 1e6:.0f} megapixels; make it smaller')


def _memory() -> float:
    """Return the bytes of memory of the machine, or of what the process is confined to."""
    try:
        memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        memory = 8 * 2**30
    try:
        confined = Path('/sys/fs/cgroup/memory.max').read_text(encoding='ascii').strip()
    except OSError:
        return memory
    return min(memory, int(confined)) if confined.isdigit() else memory
