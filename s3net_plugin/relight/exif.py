"""EXIF blocks as bytes: what camera and photographer wrote is moved, never decoded and encoded anew.

A block is a TIFF file without pixels (TIFF 6.0, section 2; CIPA DC-008, section 4.5): a header and directories of
entries of 12 bytes, whose values stand in the entry or elsewhere in the block. Only the tags that say how the picture
lies have to change when it is turned, and these are patched where they stand.
"""

from __future__ import annotations

import struct
from mmap import mmap
from typing import NamedTuple

from PIL.ExifTags import IFD, Base

PREFIX = b'Exif\0\0'  # of a block in JPEG

FIRST = 4  # where a block says at which byte its first directory stands
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of TIFF's types
_WHOLE_NUMBERS = {1: 'B', 3: 'H', 4: 'I'}
_SUB_DIRECTORIES = (IFD.Exif, IFD.GPSInfo)
# What camera and photographer wrote. The rest of a TIFF file's directory says how the file is laid out: its size,
# strips, thumbnails, an editor's layers.
_KEPT_TAGS = (
    *(Base.ImageDescription, Base.Make, Base.Model, Base.Orientation, Base.Software, Base.DateTime),
    *(Base.XResolution, Base.YResolution, Base.ResolutionUnit, Base.Artist, Base.HostComputer, Base.Copyright),
    *(Base.Rating, Base.RatingPercent, *range(Base.XPTitle, Base.XPSubject + 1)),
)


Buffer = bytes | bytearray | mmap


class Entry(NamedTuple):
    """An entry of a directory; ``at`` is where its four bytes of value or of the value's position stand."""

    kind: int
    amount: int
    at: int

    @property
    def size(self) -> int:
        """Bytes of the value.

        Raises:
            ValueError: TIFF has no such type.
        """
        if self.kind not in _SIZES:
            raise ValueError(f'a value of unknown type {self.kind}')
        return _SIZES[self.kind] * self.amount


class Field(NamedTuple):
    """A value, in the byte order of its block."""

    kind: int
    amount: int
    value: bytes


def byte_order(block: Buffer) -> str:
    """Return ``<`` or ``>``.

    Raises:
        ValueError: It is no TIFF file.
    """
    order = {b'II*\0': '<', b'MM\0*': '>'}.get(bytes(block[:4]))
    if order is None:
        raise ValueError('it does not begin like TIFF')
    return order


def read_directory(block: Buffer, pointer: int) -> dict[int, Entry]:
    """Return the entries, by their tags, of the directory whose position stands at ``pointer``, such as ``FIRST``.

    Raises:
        ValueError: It reaches beyond the block.
    """
    at = _unpack(block, 'I', pointer)
    size = _unpack(block, 'H', at)
    entries = [struct.unpack_from(f'{byte_order(block)}HHI', _slice(block, at + 2 + 12 * i, 12)) for i in range(size)]
    return {tag: Entry(kind, count, at + 10 + 12 * i) for i, (tag, kind, count) in enumerate(entries)}


def orientation(block: Buffer) -> int:
    """Return how the picture lies, 1 (upright) to 8; 1 too where nothing, or nothing known, is said.

    Raises:
        ValueError: The block is damaged.
    """
    entry = read_directory(block, FIRST).get(Base.Orientation)
    if entry is None or entry.kind not in _WHOLE_NUMBERS:
        return 1
    value = _unpack(block, _WHOLE_NUMBERS[entry.kind], entry.at)
    return value if 1 <= value <= 8 else 1


def set_upright(block: bytearray, *, turned: bool) -> None:
    """Make ``block`` one for the picture set upright, without the thumbnail, which shows what the picture was.

    Args:
        block: An EXIF block or a whole TIFF file.
        turned: Setting it upright exchanges width and height.

    Raises:
        ValueError: The block is damaged.
    """
    main = read_directory(block, FIRST)
    sides: list[Entry | None] = []
    if turned and IFD.Exif in main:
        fields = read_directory(block, main[IFD.Exif].at)
        sides = [fields.get(tag) for tag in (Base.ExifImageWidth, Base.ExifImageHeight)]
    lies = main.get(Base.Orientation)
    if lies is not None and lies.kind in _WHOLE_NUMBERS:
        struct.pack_into(byte_order(block) + _WHOLE_NUMBERS[lies.kind], block, lies.at, 1)
    next_at = _unpack(block, 'I', FIRST) + 2 + 12 * len(main)
    block[next_at : next_at + 4] = bytes(len(block[next_at : next_at + 4]))
    if len(sides) == 2 and sides[0] and sides[1]:
        here, there = (slice(side.at - 6, side.at + 4) for side in sides if side)  # type, count and value
        block[here], block[there] = block[there], block[here]


def read_fields(block: Buffer, pointer: int) -> dict[int, Field]:
    """Return the values of the directory whose position stands at ``pointer``; one that cannot be read is left out.

    Raises:
        ValueError: The directory itself cannot be read.
    """
    fields: dict[int, Field] = {}
    for tag, entry in read_directory(block, pointer).items():
        try:
            at = entry.at if entry.size <= 4 else _unpack(block, 'I', entry.at)
            fields[tag] = Field(entry.kind, entry.amount, _slice(block, at, entry.size))
        except ValueError:
            continue
    return fields


def is_readable(block: Buffer) -> bool:
    """Whether all directories of a block, and every value in them, lie inside it."""
    try:
        main = read_directory(block, FIRST)
        pointers = [FIRST, *(main[tag].at for tag in _SUB_DIRECTORIES if tag in main)]
        return all(len(read_fields(block, pointer)) == len(read_directory(block, pointer)) for pointer in pointers)
    except ValueError:
        return False


def rebuilt(block: Buffer, *, kept: tuple[int, ...] | None = None, maker_note: bool = True) -> bytes:
    """Return a block of every field of ``block`` that can be read.

    Args:
        block: An EXIF block or a whole TIFF file.
        kept: Of the first directory only these tags.
        maker_note: Keep the camera's own data, which can be large.

    Raises:
        ValueError: Not even its first directory can be read.
    """
    entries = read_directory(block, FIRST)
    main = {tag: field for tag, field in read_fields(block, FIRST).items() if kept is None or tag in kept}
    parts: dict[int, dict[int, Field]] = {}
    for tag in _SUB_DIRECTORIES:
        main.pop(tag, None)
        try:
            fields = read_fields(block, entries[tag].at)
        except (KeyError, ValueError):
            continue
        fields.pop(IFD.Interop, None)  # a third directory, which says which standard the names of files follow
        if not maker_note:
            fields.pop(Base.MakerNote, None)
        if fields:
            parts[tag] = fields
    return _joined(byte_order(block), main, parts)


def of_tiff(file: mmap) -> bytes:
    """Return what a TIFF file says about the picture as an EXIF block; empty if that is nothing.

    Raises:
        ValueError: Its first directory cannot be read.
    """
    block = rebuilt(file, kept=_KEPT_TAGS)
    return block if read_directory(block, FIRST).keys() - {Base.Orientation} else b''


def serialise(order: str, fields: dict[int, Field], at: int) -> bytes:
    """Return a directory that stands at ``at``, followed by the values that do not fit into it."""
    values_at = at + 2 + 12 * len(fields) + 4
    entries, values = struct.pack(f'{order}H', len(fields)), b''
    for tag, (kind, count, value) in sorted(fields.items()):
        entries += struct.pack(f'{order}HHI', tag, kind, count)
        if len(value) <= 4:
            entries += value.ljust(4, b'\0')
        else:
            entries += struct.pack(f'{order}I', values_at + len(values))
            values += value + b'\0' * (len(value) % 2)
    return entries + bytes(4) + values


def header(order: str, directory_at: int) -> bytes:
    """Return the first eight bytes of a TIFF file."""
    return struct.pack(f'{order}2sHI', b'II' if order == '<' else b'MM', 42, directory_at)


def _joined(order: str, main: dict[int, Field], parts: dict[int, dict[int, Field]]) -> bytes:
    pointers = {tag: Field(4, 1, bytes(4)) for tag in parts}
    at = 8 + len(serialise(order, {**main, **pointers}, 8))
    tail = b''
    for tag, fields in parts.items():
        pointers[tag] = Field(4, 1, struct.pack(f'{order}I', at + len(tail)))
        tail += serialise(order, fields, at + len(tail))
    return header(order, 8) + serialise(order, {**main, **pointers}, 8) + tail


def _unpack(block: Buffer, kind: str, at: int) -> int:
    return struct.unpack(byte_order(block) + kind, _slice(block, at, struct.calcsize(f'={kind}')))[0]


def _slice(block: Buffer, at: int, size: int) -> bytes:
    found = bytes(block[at : at + size])
    if len(found) < size:
        raise ValueError(f'it ends before byte {at + size}')
    return found
