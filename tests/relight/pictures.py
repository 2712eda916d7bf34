"""Pictures for tests, and parts of files written by hand."""

import struct
import zlib

import cv2
import numpy as np
from PIL import ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()


def smooth_noise(shape, seed=0):
    """Photo-like RGB, uint8, (height, width, 3)."""
    noise = np.random.default_rng(seed).random((shape[0] // 8 + 2, shape[1] // 8 + 2, 3), dtype=np.float32)
    return np.rint(cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR) * 255).astype(np.uint8)


_y, _x = np.mgrid[:64, :96]
RAMPS = np.dstack([_x * 2, _y * 4, 255 - _x * 2]).astype(np.uint8)  # (64, 96, 3); no symmetry, every level known


def png_chunks(*chunks):
    return b''.join(struct.pack('>I', len(d)) + n + d + struct.pack('>I', zlib.crc32(n + d)) for n, d in chunks)


def icc_xyz(*xyz):
    return b'XYZ \0\0\0\0' + struct.pack('>3i', *xyz)


def icc_gamma(gamma):
    return b'curv\0\0\0\0' + struct.pack('>IHH', 1, round(gamma * 256), 0)


def icc_profile(space, tags):
    """An ICC profile for ``space``, four bytes, of ``tags``, a white point and a name."""
    white = (63190, 65536, 54061)
    tags = {b'wtpt': icc_xyz(*white), b'desc': b'desc\0\0\0\0' + struct.pack('>I', 5) + b'name\0' + bytes(79), **tags}
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack('>I', len(tags)), b''
    for tag, value in tags.items():
        value += bytes(-len(value) % 4)
        table += struct.pack('>4sII', tag, at + len(body), len(value))
        body += value
    head = struct.pack('>I4sI', at + len(body), b'lcms', 0x02100000) + b'mntr' + space + b'XYZ ' + bytes(12)
    head += b'acsp' + bytes(28) + struct.pack('>3i', *white)
    return head.ljust(128, b'\0') + table + body
