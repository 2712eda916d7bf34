"""TIFF files: what kind of pixels they hold, 16-bit pixels in, and pixels of both depths out."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
import tifffile
from PIL.ExifTags import Base
from tifffile import EXTRASAMPLE, PHOTOMETRIC, PLANARCONFIG, SAMPLEFORMAT

from s3net_plugin.relight import exif

MAGIC = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')  # the last two are BigTIFF
DEVELOP = 'a raw file of a camera; develop it first, to JPEG, PNG or TIFF'

_REDUCED = 2  # of SubfileType, which is older than what tifffile looks at
_RAW = (PHOTOMETRIC.CFA, PHOTOMETRIC.LINEAR_RAW)
_LAB = (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB, PHOTOMETRIC.ITULAB)
_GREY_OR_RGB = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB)
_NAMES: dict[int, str] = {
    **{PHOTOMETRIC.PALETTE: 'palette', PHOTOMETRIC.SEPARATED: 'CMYK', PHOTOMETRIC.YCBCR: 'YCbCr'},
    **dict.fromkeys(_LAB, 'Lab'),
}
_VALUES: dict[int, str] = {SAMPLEFORMAT.INT: 'signed', SAMPLEFORMAT.IEEEFP: 'float'}
_MAX_BYTES = 2**32 - 1  # offsets have 32 bits
# Tags of a first directory that say how a file is laid out, which the new pixels say anew
_LAYOUT_TAGS = (
    *(254, 255, *range(256, 260), 262, *range(263, 267), 273, *range(277, 282), 284, *range(288, 294)),
    *(301, 317, 318, 319, 320, *range(321, 326), 330, 338, 339, 340, 341, 347, *range(512, 533), 34675),
)


class UnsupportedPhotoError(ValueError):
    """A file that is whole, but of a kind that is not read; the message says what to do."""


class Layout(NamedTuple):
    """What a TIFF file holds."""

    page: int  # the number of its first picture in full size
    position: int  # where its directory stands
    width: int
    height: int
    bits: int  # of a value: up to 8, which Pillow decodes, or 16
    orientation: int
    icc_profile: bytes


def read_layout(path: Path) -> Layout:
    """Find the picture in a TIFF file.

    Raises:
        UnsupportedPhotoError: There is none, or one of other pixels than unsigned integers of 8 or 16 bits.
    """
    with tifffile.TiffFile(path) as file:
        number, page = _full_page(file)
        bits, kind = page.bitspersample, page.photometric
        if kind in _LAB or (bits == 16 and kind not in _GREY_OR_RGB):
            name = _NAMES.get(kind, getattr(kind, 'name', f'photometric {kind}'))
            raise UnsupportedPhotoError(f'TIFF of {bits}-bit {name} pixels; save it as RGB of 8 or 16 bits')
        if page.sampleformat != SAMPLEFORMAT.UINT or bits not in (*range(1, 9), 16) or page.imagedepth != 1:
            name = _VALUES.get(page.sampleformat, 'other')
            raise UnsupportedPhotoError(f'TIFF of {bits}-bit {name} values; save it as RGB of 8 or 16 bits')
        tags = page.tags
        lies, profile = tags.valueof(Base.Orientation, 1), tags.valueof(Base.InterColorProfile, b'')
        return Layout(
            page=number,
            position=page.offset,
            width=page.imagewidth,
            height=page.imagelength,
            bits=bits,
            orientation=lies if lies in range(1, 9) else 1,
            icc_profile=profile if isinstance(profile, bytes) else b'damaged',
        )


def _full_page(file: tifffile.TiffFile) -> tuple[int, tifffile.TiffPage]:
    """Return the first picture that is neither a thumbnail nor a mask, and its number."""
    pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage)]
    below = [sub for page in pages for sub in page.pages or () if isinstance(sub, tifffile.TiffPage)]
    head = file.filehandle
    head.seek(8)
    is_raw = any(one.photometric in _RAW for one in pages + below)
    if is_raw or Base.DNGVersion in pages[0].tags or head.read(2) == b'CR':
        raise UnsupportedPhotoError(DEVELOP)
    for number, page in enumerate(pages):
        if not page.is_reduced and not page.is_mask and page.tags.valueof(Base.SubfileType) != _REDUCED:
            return number, page
    raise UnsupportedPhotoError('TIFF of reduced pictures and masks only; save the full picture with an editor')


def read_exif(path: Path) -> bytes:
    """Return what a TIFF file says of its picture as an EXIF block; empty if that is nothing.

    Raises:
        ValueError: It cannot be read.
    """
    with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return exif.of_tiff(content)


def read_16_bit(path: Path, number: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the pixels of page ``number``, grey or RGB of 16 bits, as stored, not set upright.

    Returns:
        (H, W) or (H, W, 3), and alpha (H, W) if there is any, all uint16.

    Raises:
        UnsupportedPhotoError: Nothing at hand decodes it.
        ValueError: It is damaged.
    """
    with tifffile.TiffFile(path) as file:
        page = file.pages[number]
        ends = [at + size for at, size in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends) > file.filehandle.size:
            raise ValueError('it ends before its pixels do')
        is_planar = page.samplesperpixel > 1 and page.planarconfig == PLANARCONFIG.SEPARATE
        try:
            samples = page.asarray()
            samples = np.moveaxis(samples, 0, -1) if samples.ndim == 3 and is_planar else samples
        except ValueError as error:  # tifffile's way to say which of its codecs is in a package that is not there
            if 'imagecodecs' not in str(error):
                raise
            samples = None if is_planar or file.is_bigtiff else _by_opencv(path, page.offset)
            if samples is None:
                raise UnsupportedPhotoError(
                    f'TIFF of 16 bits with {page.compression.name} needs imagecodecs: pip install imagecodecs; '
                    'or save it without compression'
                ) from None
        extra = tuple(page.extrasamples)
        inverted = page.photometric == PHOTOMETRIC.MINISWHITE
        colours = 3 if page.photometric == PHOTOMETRIC.RGB else 1
    if samples.ndim == 2:
        return (~samples if inverted else samples), None
    if samples.shape[2] < colours:
        raise ValueError(f'it has {samples.shape[2]} channels')
    pixels = samples[..., 0] if colours == 1 else samples[..., :3]
    pixels = ~pixels if inverted else pixels
    # some writers, OpenCV among them, do not say what a fourth channel is
    if samples.shape[2] == colours or (extra and extra[0] not in (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)):
        return pixels, None
    alpha = samples[..., colours]
    if extra and extra[0] == EXTRASAMPLE.ASSOCALPHA:  # the colours are multiplied by it
        whole = np.maximum(alpha, 1).astype(np.float32)
        whole = whole if pixels.ndim == 2 else whole[..., None]
        pixels = np.rint(np.minimum(pixels / whole, 1) * 65535).astype(np.uint16)
    return pixels, alpha


def single_page(path: Path, position: int) -> bytearray:
    """Return a TIFF file with the page alone whose directory stands at ``position``, as one that lies upright.

    Pillow and OpenCV turn what does not, each in its own way, and Pillow on the way encodes every field anew.

    Raises:
        UnsupportedPhotoError: It is BigTIFF.
    """
    content = bytearray(path.read_bytes())
    try:
        content[:8] = exif.header(exif.byte_order(content), position)
    except ValueError:
        raise UnsupportedPhotoError('BigTIFF of this kind; save it as TIFF, or without compression') from None
    exif.set_upright(content, turned=False)
    return content


def _by_opencv(path: Path, position: int) -> np.ndarray | None:
    pixels = cv2.imdecode(np.frombuffer(single_page(path, position), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        return None
    if pixels.ndim == 2:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def write_tiff(
    file: BinaryIO, pixels: np.ndarray, alpha: np.ndarray | None, block: bytes, icc_profile: bytes | None
) -> None:
    """Write (H, W, 3) uint8 or uint16 without compression.

    The EXIF block, itself a TIFF file, comes first as it is, so that whatever points into it still does; a new first
    directory and the pixels follow.

    Raises:
        ValueError: TIFF cannot hold as much.
    """
    height, width = pixels.shape[:2]
    channels = 3 if alpha is None else 4
    num_bytes = height * width * channels * pixels.itemsize
    if num_bytes + len(block) + len(icc_profile or b'') > _MAX_BYTES - 2**16:
        raise ValueError('TIFF holds 4 GB at most; choose .png')
    block = block or exif.header('<', 8)
    block += b'\0' * (len(block) % 2)
    order = exif.byte_order(block)

    def field(kind: str, *values: int) -> exif.Field:
        return exif.Field({'H': 3, 'I': 4}[kind], len(values), struct.pack(f'{order}{len(values)}{kind}', *values))

    fields: dict[int, exif.Field] = {
        Base.ImageWidth: field('I', width),
        Base.ImageLength: field('I', height),
        Base.BitsPerSample: field('H', *[8 * pixels.itemsize] * channels),
        Base.Compression: field('H', 1),
        Base.PhotometricInterpretation: field('H', PHOTOMETRIC.RGB),
        Base.StripOffsets: field('I', 0),
        Base.SamplesPerPixel: field('H', channels),
        Base.RowsPerStrip: field('I', height),
        Base.StripByteCounts: field('I', num_bytes),
        Base.PlanarConfiguration: field('H', 1),
        **({Base.ExtraSamples: field('H', EXTRASAMPLE.UNASSALPHA)} if channels == 4 else {}),
        **({Base.InterColorProfile: exif.Field(7, len(icc_profile), icc_profile)} if icc_profile else {}),
    }
    if len(block) > 8:
        kept = exif.read_fields(block, exif.FIRST)
        fields = {**{tag: value for tag, value in kept.items() if tag not in _LAYOUT_TAGS}, **fields}
    directory = exif.serialise(order, fields, len(block))
    fields[Base.StripOffsets] = field('I', len(block) + len(directory))
    file.write(exif.header(order, len(block)) + block[8:] + exif.serialise(order, fields, len(block)))
    kind = f'{order}u{pixels.itemsize}'
    for top in range(0, height, 256):
        rows = slice(top, top + 256)
        strip = pixels[rows] if alpha is None else np.dstack((pixels[rows], alpha[rows]))
        file.write(np.ascontiguousarray(strip, kind).data)
