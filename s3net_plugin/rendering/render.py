"""Render a whole set: the loop over scenes, with a progress bar, that goes on where an earlier run stopped."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from s3net_plugin.rendering.folder import LIGHTS, Light, Settings, open_folder
from s3net_plugin.rendering.light import BRIGHT_LEVEL, DIRECTIONS, TEMPERATURES, encode_srgb, exposure, temperature_rgb
from s3net_plugin.rendering.scene import STYLE_NAMES, make_scene
from s3net_plugin.rendering.stage import Scene
from s3net_plugin.rendering.tracer import Passes, Tracer, choose_variant

MAX_SCENES = 1000  # three digits in VIDIT's names
MIN_SIZE = 32


def develop(passes: Passes, ambient: float, level: float = BRIGHT_LEVEL) -> dict[Light, np.ndarray]:
    """The 40 uint8 RGB images (H, W, 3) of a scene from its linear passes under white light.

    Light is linear, so a direction is traced once and multiplied by the colour of each temperature. ``ambient`` is
    the radiance of the sky, which takes the colour of the sun; ``level`` is that of ``exposure``.
    """
    white = passes.sun + ambient * passes.sky
    white += passes.background
    white *= exposure(white, level)
    return {
        (temperature, direction): encode_srgb(white[index] * temperature_rgb(temperature))
        for temperature in TEMPERATURES
        for index, direction in enumerate(DIRECTIONS)
    }


def check_request(first: int, count: int, settings: Settings) -> None:
    """Raise ValueError, naming the option, if a set with these scene numbers and settings cannot be rendered."""
    if count < 1 or first < 0 or first + count > MAX_SCENES:
        raise ValueError(f'{count} scenes from {first}: need at least one, numbered from 0 to {MAX_SCENES - 1}')
    if settings.size < MIN_SIZE:
        raise ValueError(f'size {settings.size}: need at least {MIN_SIZE} pixels')
    if settings.seed < 0:
        raise ValueError(f'seed {settings.seed}: must not be negative')
    if settings.style not in STYLE_NAMES:
        raise ValueError(f'style {settings.style}: must be one of {", ".join(STYLE_NAMES)}')
    root = math.isqrt(max(settings.spp, 0))
    if settings.spp < 1 or root**2 != settings.spp:
        near = f'{max(root, 1) ** 2} or {(root + 1) ** 2}'
        raise ValueError(f'spp {settings.spp}: must be a square number, as the sampler is stratified, such as {near}')


def _scenes(settings: Settings, numbers: Sequence[int]) -> Iterator[tuple[int, Scene]]:
    """The scenes with their numbers, each made in a thread while the one before is traced, which needs no GIL."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(make_scene, settings.seed, numbers[0], settings.style)
        for index, number in enumerate(numbers):
            scene = following.result()
            if index + 1 < len(numbers):
                following = pool.submit(make_scene, settings.seed, numbers[index + 1], settings.style)
            yield number, scene


def render_set(
    output: Path,
    *,
    first: int,
    count: int,
    settings: Settings,
    variant: str = 'scalar',
    shard: tuple[int, int] | None = None,
) -> int:
    """Render scenes ``first`` to ``first + count - 1`` into the folder ``output``; finished ones are left alone.

    ``variant`` is ``scalar``, ``llvm`` or ``auto``; the two give the same pictures up to their noise. The noise of a
    scene follows from the seed and its number, so a set may be rendered in any order and in any number of runs.
    ``shard`` (i, n) takes the scenes whose number is i modulo n, beside the runs that take the others, on this machine
    or elsewhere. Returns how many scenes that is.

    Raises ValueError for a bad request or a folder of another set, and ImportError without Mitsuba.
    """
    check_request(first, count, settings)
    mitsuba_variant = choose_variant(variant, settings.size)
    index, shards = shard or (0, 1)
    numbers = [number for number in range(first, first + count) if number % shards == index]
    with open_folder(output, settings, shared=shard is not None) as folder:
        missing = [number for number in numbers if not folder.is_complete(number)]
        if not missing:
            return len(numbers)
        tracer = Tracer(mitsuba_variant)
        with tqdm(
            total=len(numbers) * len(LIGHTS),
            initial=(len(numbers) - len(missing)) * len(LIGHTS),
            desc='rendering',
            unit='image',
            mininterval=0.5 if sys.stderr.isatty() else 15,
        ) as bar:
            for number, scene in _scenes(settings, missing):
                noise_seed = int(np.random.SeedSequence([settings.seed, number]).generate_state(1)[0] >> 1)
                passes = tracer.trace(
                    scene,
                    size=settings.size,
                    spp=settings.spp,
                    seed=noise_seed,
                    tick=lambda: bar.update(len(TEMPERATURES)),
                )
                folder.write(number, develop(passes, scene.ambient, scene.level), passes.depth)
    return len(numbers)
