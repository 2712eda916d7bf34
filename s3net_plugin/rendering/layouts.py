"""The two other folder layouts of VIDIT, copied together from a folder of scenes (rendered or VIDIT's own)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from s3net_plugin.rendering.folder import LIGHTS, Light, depth_name, image_name

# the fixed lights of VIDIT's one-to-one track
ONE_TO_ONE_INPUT: Light = (6500, 'N')
ONE_TO_ONE_TARGET: Light = (4500, 'E')


@contextmanager
def _new_folder(output: Path, subfolders: Sequence[str]) -> Iterator[Path]:
    """A folder to fill, which appears as ``output`` when it is complete and vanishes if it cannot be."""
    if output.exists():
        raise ValueError(f'{output}: exists already; choose another folder')
    aside = output.with_name(f'.{output.name}.partial')
    shutil.rmtree(aside, ignore_errors=True)
    try:
        for name in subfolders:
            (aside / name).mkdir(parents=True)
        yield aside
        aside.rename(output)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise FileNotFoundError(f'{source}: missing; render or unpack this scene first')
    shutil.copyfile(source, target)


def write_pairs(source: Path, output: Path, *, numbers: Sequence[int], seed: int) -> None:
    """Write one any-to-any pair for each of the scenes ``numbers`` of ``source``, as in VIDIT's validation set.

    ``input/PairNNN.{png,npy}`` is scene NNN, ``guide/PairNNN.{png,npy}`` another of ``numbers`` under another light,
    ``target/PairNNN.png`` scene NNN under the light of the guide. The draws follow from ``seed`` and NNN.

    Raises ValueError if ``output`` exists or ``numbers`` are fewer than two, FileNotFoundError if a file is missing.
    """
    if len(numbers) < 2:
        raise ValueError('pairs need at least two scenes, one for the input and another for the guide')
    with _new_folder(output, ('input', 'guide', 'target')) as folder:
        for number in numbers:
            rng = np.random.default_rng([seed, number])
            guide = int(rng.choice([other for other in numbers if other != number]))
            first, second = (LIGHTS[i] for i in rng.choice(len(LIGHTS), 2, replace=False))
            pair = f'Pair{number:03d}'
            _copy(source / image_name(number, first), folder / 'input' / f'{pair}.png')
            _copy(source / depth_name(number), folder / 'input' / f'{pair}.npy')
            _copy(source / image_name(guide, second), folder / 'guide' / f'{pair}.png')
            _copy(source / depth_name(guide), folder / 'guide' / f'{pair}.npy')
            _copy(source / image_name(number, second), folder / 'target' / f'{pair}.png')


def write_one_to_one(source: Path, output: Path, *, numbers: Sequence[int]) -> None:
    """Write the scenes ``numbers`` of ``source`` as ``input/``, ``depth/`` and ``target/ImageNNN``, from 6500 K north
    to 4500 K east.

    Raises ValueError if ``output`` exists or there are no ``numbers``, FileNotFoundError if a file is missing.
    """
    if not numbers:
        raise ValueError('one_to_one needs at least one scene')
    with _new_folder(output, ('input', 'depth', 'target')) as folder:
        for number in numbers:
            image = f'Image{number:03d}.png'
            _copy(source / image_name(number, ONE_TO_ONE_INPUT), folder / 'input' / image)
            _copy(source / depth_name(number), folder / 'depth' / depth_name(number))
            _copy(source / image_name(number, ONE_TO_ONE_TARGET), folder / 'target' / image)
