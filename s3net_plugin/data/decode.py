"""PNG images in memory: decode, check, resize, bring to float planes."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

PNG_MAGIC = b'\x89PNG\r\n\x1a\n'


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, first byte and end of every chunk of a PNG up to its end chunk; what comes after it is not looked at.

    Raises:
        ValueError: There is no end chunk.
    """
    start = len(PNG_MAGIC)
    while start + 12 <= len(content):
        name, end = content[start + 4 : start + 8], start + 12 + int.from_bytes(content[start : start + 4], 'big')
        if end > len(content):
            break
        yield name, start, end
        if name == b'IEND':
            return
        start = end
    raise ValueError(f'truncated PNG: no end chunk in its {len(content)} bytes; copy it again')


def png_size(content: bytes) -> tuple[int, int]:
    """Return height and width from the first 24 bytes of a PNG."""
    return int.from_bytes(content[20:24], 'big'), int.from_bytes(content[16:20], 'big')


def decode_png(content: bytes, name: str, flags: int) -> np.ndarray:
    """Decode a PNG with OpenCV, refusing what is cut short or corrupt.

    Some versions of OpenCV return a partly grey image for a truncated file, so the end chunk is looked for as well.

    Args:
        content: The file's bytes.
        name: What the error message calls the file.
        flags: OpenCV's ``IMREAD_*`` flags.

    Raises:
        ValueError: If the bytes are not a complete PNG.
    """
    if not content.startswith(PNG_MAGIC):
        raise ValueError(f'{name}: not a PNG file ({len(content)} bytes)')
    try:
        for _ in png_chunks(content):
            pass
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from None
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise ValueError(f'{name}: OpenCV refuses this PNG: {" ".join(str(error).split())}') from None
    if pixels is None:
        raise ValueError(f'{name}: corrupt PNG: OpenCV cannot decode it; copy it again')
    return pixels


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Decode an 8- or 16-bit PNG (RGBA, RGB, grey or palette) to RGB; alpha is dropped, not blended.

    Args:
        content: The file's bytes.
        name: What the error message calls the file.

    Returns:
        RGB of shape (H, W, 3), uint8 or uint16 as in the file.

    Raises:
        ValueError: If the bytes are not a complete PNG.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.cvtColor(decode_png(content, name, flags), cv2.COLOR_BGR2RGB)


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring (h, w) or (h, w, C) to (height, width): by area when that shrinks both sides, else linearly."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = height <= pixels.shape[0] and width <= pixels.shape[1]
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def write_planes(pixels: np.ndarray, planes: np.ndarray, *, flip: bool) -> None:
    """Write (H, W, 3) uint8 or uint16 pixels into (3, H, W) float32 ``planes`` in [0, 1], mirrored if ``flip``."""
    peak = np.float32(np.iinfo(pixels.dtype).max)
    # split first, divide after: 0.2 ms instead of 0.35 ms for 512 x 512
    for source, plane in zip(cv2.split(pixels), planes, strict=True):
        np.divide(source[:, ::-1] if flip else source, peak, out=plane, dtype=np.float32)
