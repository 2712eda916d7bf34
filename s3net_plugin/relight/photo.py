"""Reading photos: JPEG, PNG, WebP and TIFF, 8 or 16 bit, upright, with what has to survive beside the pixels."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

MAX_PIXELS = 150_000_000  # below the 179 million at which Pillow itself refuses
SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff')

_FORMATS = ('JPEG', 'PNG', 'WEBP', 'TIFF')
_BITS_PER_SAMPLE = 258
_WIDTH, _HEIGHT = ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight
_TURNED = (5, 6, 7, 8)  # the EXIF orientations that exchange width and height
# What camera and photographer wrote. The rest of IFD 0 says how the old file is laid out: its size, strips, thumbnails.
_KEPT_TAGS = (
    *(ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software),
    *(ExifTags.Base.XResolution, ExifTags.Base.YResolution, ExifTags.Base.ResolutionUnit, ExifTags.Base.DateTime),
    *(ExifTags.Base.Artist, ExifTags.Base.HostComputer, ExifTags.Base.Copyright, ExifTags.Base.Rating),
    *(ExifTags.Base.XPTitle, ExifTags.Base.XPComment, ExifTags.Base.XPAuthor, ExifTags.Base.XPKeywords),
)


@dataclass(frozen=True)
class Photo:
    """A photo, upright.

    ``pixels`` is RGB of shape (H, W, 3), uint8 or uint16, and ``alpha`` (H, W) of the same type. ``exif`` starts with
    ``Exif`` and says that the picture is upright.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    icc_profile: bytes | None
    exif: bytes


def read_photo(path: str | Path, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read the photo ``path`` and turn it upright.

    The format is told by the bytes, not by the name. Grey and palette images become RGB, CMYK is brought to sRGB. RGB
    values are taken as they are: their ICC profile is kept, not applied. Of several pages or frames the first is taken.

    Args:
        path: The file.
        max_pixels: A larger picture is refused by its header, before it takes memory.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such photo, damaged or too large; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such photo')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)  # our own limit is said below
            image = Image.open(path, formats=_FORMATS)
        with image:
            if image.width * image.height > max_pixels:
                raise Image.DecompressionBombError
            exif = _exif_bytes(image)
            pixels, alpha, icc_profile = _decode_16_bit(path, image) if _has_16_bit(path, image) else _decode(image)
    except Image.UnidentifiedImageError:
        raise ValueError(f'{path}: not a photo: neither JPEG, PNG, WebP nor TIFF of 8 or 16 bits') from None
    except Image.DecompressionBombError:
        raise ValueError(f'{path}: more than {max_pixels / 1e6:g} megapixels; make it smaller') from None
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error, cv2.error) as error:
        # what Pillow and OpenCV raise for files that are cut short or lie about themselves
        raise ValueError(f'{path}: damaged photo: {" ".join(str(error).split()) or type(error).__name__}') from None
    return Photo(pixels, alpha, icc_profile, exif)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return (H, W, ...) turned as the EXIF ``orientation`` says; unknown values, which exist, change nothing."""
    turned = pixels.swapaxes(0, 1) if orientation in _TURNED else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return turned


def _decode(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, bytes | None]:
    ImageOps.exif_transpose(image, in_place=True)
    icc_profile = image.info.get('icc_profile')
    if image.mode == 'CMYK':
        if icc_profile:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
            image = ImageCms.profileToProfile(image, profile, ImageCms.createProfile('sRGB'), outputMode='RGB') or image
        icc_profile = None
    elif image.mode in ('1', 'L', 'LA'):
        icc_profile = None  # a profile for grey does not fit the RGB that is made of it
    elif image.mode not in ('P', 'PA', 'RGB', 'RGBA', 'YCbCr'):
        raise ValueError(f'pixels of mode {image.mode} are not supported; convert it to 8- or 16-bit RGB')
    if 'transparency' in image.info or image.mode in ('LA', 'PA', 'RGBA'):
        pixels = np.asarray(image.convert('RGBA'))
        return pixels[..., :3], pixels[..., 3], icc_profile
    return np.asarray(image if image.mode == 'RGB' else image.convert('RGB')), None, icc_profile


def _has_16_bit(path: Path, image: Image.Image) -> bool:
    """Whether Pillow, which has no mode for 16-bit RGB, would drop the lower half of every value."""
    if image.format == 'PNG':
        with path.open('rb') as file:
            return file.read(25)[24] == 16  # signature, length, IHDR, width, height, bit depth
    return image.format == 'TIFF' and bool(np.all(np.equal(image.getexif().get(_BITS_PER_SAMPLE, 1), 16)))


def _decode_16_bit(path: Path, image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, bytes | None]:
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.dtype != np.uint16 or sorted(pixels.shape[:2]) != sorted(image.size):
        raise ValueError('OpenCV cannot decode it as 16-bit integers')
    if image.format == 'PNG':  # OpenCV turns TIFF itself, whatever the flag says
        pixels = np.ascontiguousarray(upright(pixels, image.getexif().get(ExifTags.Base.Orientation, 1)))
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), None, None
    icc_profile = image.info.get('icc_profile')
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    return cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB), alpha, icc_profile


def _exif_bytes(image: Image.Image) -> bytes:
    """Return what is kept of the photo's EXIF, for an upright picture; empty if there was none."""
    exif = image.getexif()
    if not exif:
        return b''
    kept = Image.Exif()
    for tag in _KEPT_TAGS:
        if tag in exif:
            kept[tag] = exif[tag]
    for group in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        fields = {tag: value for tag, value in exif.get_ifd(group).items() if tag != ExifTags.IFD.Interop}
        if exif.get(ExifTags.Base.Orientation) in _TURNED and {_WIDTH, _HEIGHT} <= fields.keys():
            fields[_WIDTH], fields[_HEIGHT] = fields[_HEIGHT], fields[_WIDTH]
        if fields:
            kept[group] = fields
    kept[ExifTags.Base.Orientation] = 1
    return kept.tobytes()
