"""JPEG and PNG files taken apart: the picture alone, which is all that a decoder gets to see, and what is said of it.

So no comment, thumbnail or profile, however large or broken, can cost the picture.
"""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

from s3net_plugin.data.decode import png_chunks
from s3net_plugin.relight import exif

JPEG_MAGIC = b'\xff\xd8\xff'
_START_OF_SCAN = 0xDA
_COMMENT = 0xFE
_APP0, _APP1, _APP2, _ADOBE, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_ICC = b'ICC_PROFILE\0'
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_MAX_PROFILE = 8_000_000  # bytes; what libpng admits


class Parts(NamedTuple):
    """A file taken apart; what it does not have is empty."""

    picture: bytes  # of the same format, with nothing but the pixels
    exif: bytes = b''  # without the prefix that JPEG gives it
    icc_profile: bytes = b''
    xmp_orientation: int = 1  # for where EXIF says nothing
    transparency: bytes = b''  # of PNG, also in ``picture``


def split_jpeg(content: bytes) -> Parts:
    """Take a JPEG file apart. What is no JPEG is left to the decoder to refuse."""
    picture, block, profile, xmp = [content[:2]], b'', {}, b''
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != _START_OF_SCAN:
        if content[at + 1] == 0xFF:  # fill byte
            at += 1
            continue
        marker, end = content[at + 1], at + 2 + int.from_bytes(content[at + 2 : at + 4], 'big')
        body = content[at + 4 : end]
        if marker == _APP1 and body.startswith(exif.PREFIX):
            block += body.removeprefix(exif.PREFIX)  # too long for one segment, it goes on in the next
        elif marker == _APP1:
            xmp += body
        elif marker == _APP2 and body.startswith(_ICC) and len(body) > len(_ICC) + 2:
            profile[body[len(_ICC)]] = body[len(_ICC) + 2 :]
        is_said = _APP0 < marker <= _APP15 and marker != _ADOBE  # that one says how colours are stored
        if not is_said and marker != _COMMENT:
            picture.append(content[at:end])
        at = end
    picture.append(content[at:])
    return Parts(b''.join(picture), block, b''.join(profile[i] for i in sorted(profile)), _orientation(xmp))


def split_png(content: bytes) -> Parts:
    """Take a PNG file apart.

    Raises:
        ValueError: It is cut short or corrupt.
    """
    picture, block, profile, text, transparency = [content[:8]], b'', b'', b'', b''
    for name, start, end in png_chunks(content):
        body = content[start + 8 : end - 4]
        if name in (b'IHDR', b'PLTE', b'tRNS', b'IDAT', b'IEND'):
            if zlib.crc32(name + body) != int.from_bytes(content[end - 4 : end], 'big'):
                raise ValueError(f'checksum of {name.decode()} is wrong')
            picture.append(content[start:end])
        if name == b'tRNS':
            transparency = body
        elif name == b'eXIf':
            block = body.removeprefix(exif.PREFIX)
        elif name == b'iCCP':
            profile = _inflated(body.partition(b'\0')[2][1:])
        elif name == b'iTXt':
            text = body if body.startswith(b'XML:com.adobe.xmp') else text
        elif name in (b'tEXt', b'zTXt') and body.startswith((b'Raw profile type exif', b'Raw profile type APP1')):
            block = block or _from_hexadecimal(body.partition(b'\0')[2], compressed=name == b'zTXt')
    return Parts(b''.join(picture), block, profile, _orientation(text), transparency)


def _orientation(xmp: bytes) -> int:
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


def _inflated(compressed: bytes) -> bytes:
    """Inflate a profile; one that is damaged or too large is nothing that ``read_profile`` takes."""
    try:
        return zlib.decompressobj().decompress(compressed, _MAX_PROFILE)
    except zlib.error:
        return b'damaged'


def _from_hexadecimal(text: bytes, *, compressed: bool) -> bytes:
    """Return the EXIF block in the way ImageMagick writes it: its name, its size and its bytes in hexadecimal."""
    try:
        words = (_inflated(text[1:]) if compressed else text).split()
        return bytes.fromhex(b''.join(words[2:]).decode('ascii')).removeprefix(exif.PREFIX)
    except ValueError:
        return b''
