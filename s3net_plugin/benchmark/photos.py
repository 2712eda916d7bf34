"""Relighting a photo from file to file: in the plain way, and in that of ``scripts/relight.py``."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from s3net_plugin.archs import ShadingGuidedS3Net
from s3net_plugin.archs.load import load_network
from s3net_plugin.benchmark.data import noise_photo
from s3net_plugin.data.decode import resize
from s3net_plugin.relight.depth import write_depth
from s3net_plugin.relight.guided_upsampling import light_gain
from s3net_plugin.relight.jobs import Job, relight_all
from s3net_plugin.relight.lights import GUIDES
from s3net_plugin.relight.relighter import InputReader, NetworkInput, Relighter, resize_center_crop

WORK_SIZE = 512


class PhotoFiles(NamedTuple):
    """A checkpoint, and what there is to do with it; all of it lives as long as ``folder``."""

    folder: tempfile.TemporaryDirectory[str]
    checkpoint: Path
    jobs: list[Job]


@functools.lru_cache(maxsize=1)
def photo_files(encoder: str, shape: tuple[int, int], count: int) -> PhotoFiles:
    """Make a JPEG of ``shape`` (H, W) as hard to compress as a photo, ``count`` jobs to relight it, and weights.

    The last layer is not zero, as it is in an untrained network.
    """
    folder = tempfile.TemporaryDirectory(prefix='benchmark_photos_')
    root, rng = Path(folder.name), np.random.default_rng(0)
    noise = noise_photo(rng, 1 << (max(shape) - 1).bit_length())[: shape[0], : shape[1]]
    Image.fromarray(noise).save(root / 'photo.jpg', quality=95)
    write_depth(root / 'depth.png', cv2.resize(rng.random((8, 8), np.float32), (shape[1] // 4, shape[0] // 4)))
    network = ShadingGuidedS3Net(encoder=encoder)
    nn.init.normal_(network.conv_last.weight, std=1e-3)
    options = {'type': 'ShadingGuidedS3Net', 'encoder': encoder}
    torch.save({'params': network.state_dict(), 'network_g': options}, root / 'net.pth')
    inputs = {'guide': GUIDES / 'E.jpg', 'photo_depth': root / 'depth.png', 'guide_depth': GUIDES / 'depth.png'}
    jobs = [Job(root / 'photo.jpg', root / f'out{number}.jpg', **inputs) for number in range(count)]
    return PhotoFiles(folder, root / 'net.pth', jobs)


def relight_plainly(network: nn.Module, job: Job, device: torch.device) -> None:
    """One step after the other: float32, NCHW, and the light brought to full size in one piece."""

    def read(path: Path | None) -> np.ndarray:
        assert path is not None
        return np.asarray(Image.open(path))

    def see(rgb: np.ndarray, depth: np.ndarray, longer: float) -> NetworkInput:
        scale = min(1, longer / max(rgb.shape[:2]))
        size = round(rgb.shape[0] * scale), round(rgb.shape[1] * scale)
        return NetworkInput(resize(rgb, *size) / np.float32(255), resize(depth / np.float32(65535), *size))

    photo = read(job.photo)
    small, depth = dataclasses.astuple(see(photo, read(job.photo_depth), WORK_SIZE))
    guide = resize_center_crop(see(read(job.guide), read(job.guide_depth), np.inf), *depth.shape)
    planes = np.dstack((small, depth, guide.rgb, guide.depth))
    x = torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)))[None].to(device)
    with torch.no_grad():
        relit = network(x)[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    maps = np.dstack((relit, light_gain(small, relit), small))
    light, gain, blurred = np.dsplit(cv2.resize(maps, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR), 3)
    full = np.clip(light + gain * (photo / np.float32(255) - blurred), 0, 1)
    Image.fromarray(np.rint(full * 255).astype(np.uint8)).save(job.output, quality=95, subsampling=0)


def plain_work(files: PhotoFiles, device: torch.device, *, cold: bool) -> Callable[[], object]:
    """Return what relights all photos of ``files`` plainly, or with ``cold`` the first, the network still to load."""
    warm = None if cold else load_network(files.checkpoint, device)

    def relight() -> None:
        network = warm or load_network(files.checkpoint, device)
        for job in files.jobs[: 1 if cold else None]:
            relight_plainly(network, job, device)

    return relight


def fast_work(files: PhotoFiles, device: torch.device, *, cold: bool, precision: str) -> Callable[[], object]:
    """Return the same in the way of ``scripts/relight.py``."""

    def open_relighter() -> Relighter:
        network = load_network(files.checkpoint, device)
        return Relighter(network, device, work_size=WORK_SIZE, precision=precision)

    warm = None if cold else open_relighter()

    def relight() -> None:
        relighter = warm or open_relighter()
        with contextlib.redirect_stderr(io.StringIO()):  # the progress
            failed = relight_all(files.jobs[: 1 if cold else None], relighter, InputReader(relighter, None), force=True)
        if failed:
            raise RuntimeError('a photo could not be relit')

    return relight
