"""Keys and records of a prepared database: PNG images, and arrays whose crops can be read on their own."""

from __future__ import annotations

import math
import os
import struct
import zlib
from urllib.parse import quote, unquote_to_bytes

import cv2
import numpy as np

from s3net_plugin.data.decode import PNG_MAGIC, png_size

IMAGE_CODECS = ('png', 'raw')
DEPTH_CODECS = ('float32', 'uint16')
PNG_COMPRESSION = 1  # OpenCV's default level, for meta_info.txt

_MAX_KEY = 511  # LMDB's limit, in bytes
_ARRAY_MAGIC = b'S3A1'
# magic, dtype, height, width, channels, CRC-32 of the pixels, depth at level 0 and at the highest level
_HEADER = struct.Struct('<4s4sIIIIff')
_DTYPES = {'|u1', '<u2', '<f4'}


def encode_key(stem: str) -> bytes:
    """Return the key for a relative path without extension: percent-encoded outside ``[A-Za-z0-9_/-]``.

    BasicSR's tools cut keys at the first dot and encode them as ASCII; such keys survive both.

    Raises:
        ValueError: If the key is longer than LMDB allows.

    Example:
        >>> encode_key('input/Pair 1.v2')
        b'input/Pair%201%2Ev2'
    """
    # quote never touches the dot and the tilde
    key = quote(os.fsencode(stem), safe='/').replace('.', '%2E').replace('~', '%7E').encode()
    if len(key) > _MAX_KEY:
        raise ValueError(f'{stem}: its key in LMDB would have {len(key)} bytes, more than {_MAX_KEY}; shorten the name')
    return key


def decode_key(key: bytes) -> str:
    """Return the path that ``encode_key`` made ``key`` of.

    Example:
        >>> decode_key(b'input/Pair%201%2Ev2')
        'input/Pair 1.v2'
    """
    return os.fsdecode(unquote_to_bytes(key) if b'%' in key else key)


def encode_image(rgb: np.ndarray, codec: str) -> bytes:
    """Encode RGB of shape (H, W, 3), uint8 or uint16, as a record of one of ``IMAGE_CODECS``."""
    if codec == 'raw':
        return pack_array(rgb)
    # OpenCV's defaults (level 1, runs only, one filter) decode up to a third faster than any level asked for
    return cv2.imencode('.png', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


def encode_depth(depth: np.ndarray, codec: str) -> bytes:
    """Encode depth of shape (H, W), float32, as a record of one of ``DEPTH_CODECS``.

    ``float32`` is exact. ``uint16`` rounds to 65536 levels between the map's own minimum and maximum, which the record
    keeps: the error is half a level at most.
    """
    if codec == 'float32':
        return pack_array(depth)
    low, high = float(depth.min()), float(depth.max())
    scale = 65535 / (high - low) if high > low else 0.0
    return pack_array(np.rint((depth.astype(np.float64) - low) * scale).astype(np.uint16), low, high)


def decode_depth_record(record: memoryview, codec: str, name: str, *, verify: bool = False) -> np.ndarray:
    """Decode what ``encode_depth`` made, to (H, W) float32; ``float32`` is a view of ``record``.

    Raises:
        ValueError: If the record is corrupt. The message starts with ``name``.
    """
    array, low, high = unpack_array(record, name, verify=verify)
    if array.ndim != 2 or array.dtype != codec:
        raise ValueError(f'{name}: corrupt record: {array.shape} {array.dtype} is no depth map of codec {codec}')
    return array if codec == 'float32' else array * np.float32((high - low) / 65535) + np.float32(low)


def pack_array(array: np.ndarray, low: float = 0.0, high: float = 1.0) -> bytes:
    """Return a record with (H, W) or (H, W, C) of uint8, uint16 or float32: a header, then the numbers row by row."""
    array = np.ascontiguousarray(array, array.dtype.newbyteorder('<'))
    height, width, channels = (*array.shape, 1)[:3]
    content = array.data.cast('B')
    code, checksum = array.dtype.str.encode(), zlib.crc32(content)
    return b''.join((_HEADER.pack(_ARRAY_MAGIC, code, height, width, channels, checksum, low, high), content))


def unpack_array(record: memoryview, name: str, *, verify: bool = False) -> tuple[np.ndarray, float, float]:
    """Return a view of what ``pack_array`` packed, (H, W) or (H, W, C), with ``low`` and ``high``.

    ``verify`` compares the checksum too, which reads all of the record.

    Raises:
        ValueError: If the record is corrupt. The message starts with ``name``.

    Example:
        >>> record = memoryview(pack_array(np.uint8([[1, 2]])))
        >>> unpack_array(record, 'key', verify=True)
        (array([[1, 2]], dtype=uint8), 0.0, 1.0)
    """
    if len(record) < _HEADER.size:
        raise ValueError(f'{name}: corrupt record of {len(record)} bytes')
    magic, code, height, width, channels, checksum, low, high = _HEADER.unpack_from(record)
    dtype = code.rstrip(b'\0').decode('latin1')
    if magic != _ARRAY_MAGIC or dtype not in _DTYPES or not math.isfinite(high - low):
        raise ValueError(f'{name}: corrupt record: it does not start as an array does')
    expected = np.dtype(dtype).itemsize * height * width * channels
    if expected != len(record) - _HEADER.size or expected == 0:
        raise ValueError(
            f'{name}: corrupt record: {height} x {width} x {channels} {dtype} are {expected} bytes, '
            f'but it holds {len(record) - _HEADER.size}'
        )
    if verify and zlib.crc32(record[_HEADER.size :]) != checksum:
        raise ValueError(f'{name}: corrupt record: its checksum does not match')
    shape = (height, width) if channels == 1 else (height, width, channels)
    array = np.frombuffer(record, dtype, offset=_HEADER.size).reshape(shape)
    return (array if array.flags.aligned else array.copy()), low, high  # LMDB aligns all but the smallest records


def record_shape(record: memoryview) -> tuple[int, int, int]:
    """Return (H, W, C) of an intact record, from its first bytes."""
    if record[: len(PNG_MAGIC)] == PNG_MAGIC:
        return *png_size(record), 3
    _, _, height, width, channels, *_ = _HEADER.unpack_from(record)
    return height, width, channels
