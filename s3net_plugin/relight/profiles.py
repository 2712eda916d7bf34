"""ICC colour profiles: which fit a picture, and sRGB for what is made to be looked at (ICC.1:2022)."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageCms

_HEADER = 128
_RGB, _GREY = b'RGB ', b'GRAY'


def fit_profile(profile: bytes, *, is_grey: bool) -> bytes:
    """Return the profile that RGB pixels have whose file says ``profile``.

    A grey picture becomes RGB of three equal channels, and its profile an RGB profile with the same tone curve.

    Raises:
        ValueError: The profile is damaged or one for other pixels.
    """
    _opened(profile)
    space = profile[16:20]
    if space != _RGB and not (space == _GREY and is_grey):
        raise ValueError(f'its colour profile is one for {space.decode("ascii", "replace").strip()}')
    fitting = profile if space == _RGB else _rgb_of_grey(profile)
    try:
        _transform_to_srgb(fitting, 'RGB')
    except ImageCms.PyCMSError:
        raise ValueError('its colour profile is damaged') from None
    return fitting


def to_srgb(pixels: np.ndarray, profile: bytes | None) -> np.ndarray:
    """Bring (h, w, 3) uint8 from the colours of ``profile`` to sRGB, which is what screens and players take."""
    if profile is None:
        return pixels
    return np.asarray(_transform_to_srgb(profile, 'RGB').apply(Image.fromarray(pixels)))


def cmyk_transform(profile: bytes) -> ImageCms.ImageCmsTransform:
    """Return what brings CMYK of ``profile`` to sRGB.

    Raises:
        ValueError: The profile is damaged or one for other pixels.
    """
    try:
        return _transform_to_srgb(profile, 'CMYK')
    except ImageCms.PyCMSError:
        space = profile[16:20].decode('ascii', 'replace').strip()
        raise ValueError(f'its colour profile is one for {space}') from None


def _transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(_opened(profile), ImageCms.createProfile('sRGB'), mode, 'RGB')


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    # LittleCMS takes profiles that are longer than they say, or shorter; what reads the result may not
    if len(profile) < _HEADER or struct.unpack_from('>I', profile)[0] != len(profile):
        raise ValueError('its colour profile is damaged')
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, ImageCms.PyCMSError):
        raise ValueError('its colour profile is damaged') from None


def _rgb_of_grey(profile: bytes) -> bytes:
    """Return sRGB's profile with the tone curve, name and copyright of the grey ``profile``."""
    grey = _tags(profile)
    if b'kTRC' not in grey:
        raise ValueError('its colour profile has no tone curve')
    tags = _tags(ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes())
    tags.update(dict.fromkeys((b'rTRC', b'gTRC', b'bTRC'), grey[b'kTRC']))
    tags.update({tag: grey[tag] for tag in (b'desc', b'cprt') if tag in grey})
    tags.pop(b'dmnd', None)
    tags.pop(b'dmdd', None)
    table, values, placed = struct.pack('>I', len(tags)), b'', {}
    for tag, value in tags.items():
        if value not in placed:  # curves are shared
            placed[value] = _HEADER + 4 + 12 * len(tags) + len(values)
            values += value + bytes(-len(value) % 4)
        table += struct.pack('>4sII', tag, placed[value], len(value))
    size = struct.pack('>I', _HEADER + len(table) + len(values))
    # class, colour space, space of connection; 84 to 100 is the MD5 of the profile that was
    head = size + profile[4:12] + b'mntrRGB XYZ ' + profile[24:84] + bytes(16) + profile[100:_HEADER]
    return head + table + values


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = struct.unpack_from('>I', profile, _HEADER)[0]
    entries = [struct.unpack_from('>4sII', profile, _HEADER + 4 + 12 * i) for i in range(count)]
    return {tag: profile[at : at + size] for tag, at, size in entries}
