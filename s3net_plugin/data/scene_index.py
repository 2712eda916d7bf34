"""What is in a data root: scans its folders once and tells which files make up sample ``index``."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

import numpy as np

from s3net_plugin.data.lmdb.folders import holds_databases
from s3net_plugin.data.options import LAYOUTS, DatasetOptions, where_from
from s3net_plugin.data.readers import Reader
from s3net_plugin.data.sampling import SampleParams, fixed_sample_params, is_held_out, pick
from s3net_plugin.utils.names import shorten

SCENE_IMAGE = re.compile(r'(.+)_(\d+_(?:N|NE|E|SE|S|SW|W|NW))\.png')
OTHER_IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm')
DEPTH_SUFFIXES = ('.npy', '.png', '.exr')
DEPTH_BESIDE_SUFFIXES = ('.npy', '.exr', '_depth.png')  # where the image itself is the .png
OTHER_FORMAT = 'images of another format than PNG, which have to be converted or moved away'

Numbers = tuple[int, int] | None  # the first and the last


class SampleFiles(NamedTuple):
    """The names of a sample's files, relative to the data root; None is a file that the layout does not have."""

    input: str
    input_depth: str
    guide: str | None
    guide_depth: str | None
    target: str | None
    label: str  # its base name is unique in the set: BasicSR names result images by it


class StoredFile(NamedTuple):
    """A file that samples are made of."""

    name: str  # relative to the data root
    stem: str  # what it is called in a database: the image's name without extension, for its depth map too
    is_depth: bool


class SceneIndex:
    """Any-to-any samples from scenes under many lights: ``ImageNNN_TTTT_D.png`` and one depth map a scene.

    An index stands for one image as the input; its target light and its guide are drawn: the target is the same scene
    under another light, the guide another scene under the target's light. Only lights that a scene has are drawn; of
    their ordered pairs all but the fraction ``holdout`` (see ``is_held_out``), or these alone if ``only_held_out``.
    ``numbers`` are the first and the last scene to use.

    Raises:
        ValueError: If the files do not make up such a set.

    Example:
        >>> names = ['A_2500_N.png', 'A_4500_E.png', 'A.npy', 'B_2500_N.png', 'B_4500_E.png', 'B.npy']
        >>> SceneIndex(names).files(0, fixed_sample_params(0)).label
        'A_2500_N__to__B_4500_E.png'
    """

    def __init__(
        self, names: Iterable[str], *, numbers: Numbers = None, holdout: float = 0, only_held_out: bool = False
    ) -> None:
        found, others = scan_scenes(names)
        _refuse(OTHER_FORMAT, other_scene_images(others, found))
        if not found:
            raise ValueError(f'it holds no image with a name like Image001_4500_NE.png; {where_from("scenes")}')
        self._scenes = _select(sorted(found), numbers)
        _refuse('scenes with fewer than two lights', [scene for scene in self._scenes if len(found[scene]) < 2])
        suffixes = _depth_suffixes('', self._scenes, others, DEPTH_SUFFIXES)
        self._depths = [scene + suffix for scene, suffix in zip(self._scenes, suffixes, strict=True)]
        if len(self._scenes) < 2:
            raise ValueError(f'it holds one scene, {self._scenes[0]}, but the guide must be another one than the input')
        self._lights = sorted({light for scene in self._scenes for light in found[scene]})
        self._present = np.array([[light in found[scene] for light in self._lights] for scene in self._scenes])
        self._scenes_of = [np.flatnonzero(column).astype(np.int32) for column in self._present.T]

        def allowed(a: str, b: str) -> bool:
            return a != b and (holdout == 0 or is_held_out(a, b, holdout) == only_held_out)

        self._allowed = np.array([[allowed(a, b) for b in self._lights] for a in self._lights])
        # a light that one scene alone has cannot be a target: no other scene could be the guide
        self._allowed &= self._present.sum(axis=0) > 1
        has_target = self._present.astype(np.float32) @ self._allowed.T.astype(np.float32) > 0
        self._inputs = np.flatnonzero(self._present & has_target).astype(np.int64)
        if not len(self._inputs):
            raise ValueError(f'no light pair is left to draw with `holdout_pairs: {holdout}`')

    def __len__(self) -> int:
        return len(self._inputs)

    def files(self, index: int, sample_params: SampleParams) -> SampleFiles:
        """Return the files of sample ``index``; ``sample_params`` decides what is left to chance."""
        scene, light = divmod(int(self._inputs[index]), len(self._lights))
        targets = np.flatnonzero(self._allowed[light] & self._present[scene])
        target = targets[pick(sample_params.target_light, len(targets))]
        candidates = self._scenes_of[target]
        own = np.searchsorted(candidates, scene)
        other = pick(sample_params.guide_scene, len(candidates) - 1)
        guide = candidates[other + (other >= own)]
        input_name = f'{self._scenes[scene]}_{self._lights[light]}'
        guide_name = f'{self._scenes[guide]}_{self._lights[target]}'
        return SampleFiles(
            input=f'{input_name}.png',
            input_depth=self._depths[scene],
            guide=f'{guide_name}.png',
            guide_depth=self._depths[guide],
            target=f'{self._scenes[scene]}_{self._lights[target]}.png',
            label=f'{input_name}__to__{guide_name}.png',
        )

    def stored(self) -> Iterator[StoredFile]:
        """Yield every file that a sample can be made of, once."""
        for scene, depth, present in zip(self._scenes, self._depths, self._present, strict=True):
            for light in np.flatnonzero(present):
                stem = f'{scene}_{self._lights[light]}'
                yield StoredFile(f'{stem}.png', stem, False)
            yield StoredFile(depth, scene, True)


class PairIndex:
    """Samples that the files fix: layout ``pairs`` (input/, guide/, target/), ``one_to_one`` (input/, depth/, target/).

    The files of a sample share their name. In ``pairs`` a depth map lies beside its image, in ``one_to_one`` in depth/.
    ``numbers`` are the first and the last in the names to use. Unless ``needs_target``, target/ may be missing as a
    whole.

    Raises:
        ValueError: If the files do not make up such a set.
    """

    def __init__(self, reader: Reader, layout: str, *, numbers: Numbers = None, needs_target: bool = False) -> None:
        self._has_guide = layout == 'pairs'
        inputs = set(reader.list('input'))
        images = paired_images(inputs)
        _refuse(OTHER_FORMAT, [f'input/{name}' for name in other_images(inputs, images)])
        if not images:
            raise ValueError(f'it holds no PNG image in input/; {where_from(layout)}')
        self._stems = _select(sorted(images), numbers)
        if self._has_guide:
            guides = set(reader.list('guide'))
            _refuse_missing('guide', self._stems, guides)
            self._depth_suffixes = _depth_suffixes('input/', self._stems, inputs, DEPTH_BESIDE_SUFFIXES)
            self._guide_suffixes = _depth_suffixes('guide/', self._stems, guides, DEPTH_BESIDE_SUFFIXES)
        else:
            self._depth_suffixes = _depth_suffixes('depth/', self._stems, set(reader.list('depth')), DEPTH_SUFFIXES)
        targets = set(reader.list('target'))
        self._has_target = bool(targets)
        if targets or needs_target:
            _refuse_missing('target', self._stems, targets)

    def __len__(self) -> int:
        return len(self._stems)

    def files(self, index: int, sample_params: SampleParams) -> SampleFiles:
        """Return the files of sample ``index``; nothing here is left to chance."""
        del sample_params
        stem = self._stems[index]
        return SampleFiles(
            input=f'input/{stem}.png',
            input_depth=f'{"input" if self._has_guide else "depth"}/{stem}{self._depth_suffixes[index]}',
            guide=f'guide/{stem}.png' if self._has_guide else None,
            guide_depth=f'guide/{stem}{self._guide_suffixes[index]}' if self._has_guide else None,
            target=f'target/{stem}.png' if self._has_target else None,
            label=f'input/{stem}.png',
        )

    def stored(self) -> Iterator[StoredFile]:
        """Yield every file that a sample can be made of, once."""
        for index, stem in enumerate(self._stems):
            files = self.files(index, fixed_sample_params(index))
            for name in (files.input, files.guide, files.target, files.input_depth, files.guide_depth):
                if name is not None:
                    is_depth = name in (files.input_depth, files.guide_depth)
                    yield StoredFile(name, f'{name.partition("/")[0]}/{stem}', is_depth)


FileIndex = SceneIndex | PairIndex


def build_index(reader: Reader, options: DatasetOptions) -> FileIndex:
    """Scan a data root.

    Raises:
        ValueError: If it does not hold a set of the layout that ``options`` name. One line.
    """
    try:
        if options.layout == 'scenes':
            names, held_out = reader.list(''), options.phase != 'train'
            return SceneIndex(names, numbers=options.scenes, holdout=options.holdout_pairs, only_held_out=held_out)
        return PairIndex(reader, options.layout, numbers=options.scenes, needs_target=options.phase != 'test')
    except ValueError as error:
        prepared = options.io_backend == 'disk' and holds_databases(Path(options.dataroot))
        advice = '; it holds databases: write `io_backend: {type: lmdb}`' if prepared else ''
        raise ValueError(
            f'{options.where}: {options.dataroot} is not usable as layout {options.layout}: {error}{advice}'
        ) from None


def index_everything(reader: Reader, layout: str) -> FileIndex:
    """Index all samples of a set, which may lack target/; a ValueError does not name the data root."""
    return SceneIndex(reader.list('')) if layout == 'scenes' else PairIndex(reader, layout)


def scan_scenes(names: Iterable[str]) -> tuple[dict[str, set[str]], set[str]]:
    """Return the lights of each scene among the ``names``, and what is no image of a scene."""
    lights: dict[str, set[str]] = {}
    others = set()
    for name in names:
        if match := SCENE_IMAGE.fullmatch(name):
            lights.setdefault(match[1], set()).add(sys.intern(match[2]))  # few lights, many images
        else:
            others.add(name)
    return lights, others


def paired_images(names: Iterable[str]) -> set[str]:
    """Return the stems of the images in a folder of pairs, in which depth maps may lie beside them."""
    return {name[:-4] for name in names if name.endswith('.png') and not name.endswith('_depth.png')}


def other_images(names: Iterable[str], images: Set[str]) -> list[str]:
    """Return the images among ``names`` that are no PNG, but for those whose stem is in ``images``."""
    others = (name for name in names if name.endswith(OTHER_IMAGE_SUFFIXES))
    return sorted(name for name in others if name.rpartition('.')[0] not in images)


def other_scene_images(names: Iterable[str], lights: Mapping[str, Collection[str]]) -> list[str]:
    """Return what among ``names`` is called like an image of a scene, is no PNG and not among the ``lights``."""
    found = ((name, SCENE_IMAGE.fullmatch(f'{name.rpartition(".")[0]}.png')) for name in other_images(names, set()))
    return [name for name, match in found if match and match[2] not in lights.get(match[1], ())]


def detect_layout(reader: Reader) -> str:
    """Tell which layout a data root has; the ValueError if it has none does not name the data root."""
    files = {folder: list(reader.list(folder)) for folder in ('', 'input', 'guide', 'depth')}
    if any(map(SCENE_IMAGE.fullmatch, files[''])) or other_scene_images(files[''], {}):
        return 'scenes'
    if files['input'] and (files['guide'] or files['depth']):
        return 'pairs' if files['guide'] else 'one_to_one'
    raise ValueError(f'it has none of the layouts of VIDIT; {"; ".join(f"{k} is {v}" for k, v in LAYOUTS.items())}')


def _select(names: list[str], numbers: Numbers) -> list[str]:
    """Keep the names whose last digits are a number within ``numbers``."""
    if numbers is None:
        return names
    first, last = numbers
    numbered = {name: int(digits[0]) for name in names if (digits := re.search(r'\d+$', name))}
    kept = [name for name, number in numbered.items() if first <= number <= last]
    if not kept:
        raise ValueError(f'`scenes: [{first}, {last}]` selects none of {names[0]} to {names[-1]}')
    if last > max(numbered.values()):
        raise ValueError(f'`scenes: [{first}, {last}]` asks for more than is there, {names[0]} to {names[-1]}')
    return kept


def find_suffix(stem: str, names: Set[str], suffixes: Sequence[str]) -> str | None:
    """Return the first of ``suffixes`` with which ``stem`` is among ``names``."""
    return next((suffix for suffix in suffixes if stem + suffix in names), None)


def _depth_suffixes(folder: str, stems: list[str], names: Set[str], suffixes: Sequence[str]) -> list[str]:
    found = {stem: find_suffix(stem, names, suffixes) for stem in stems}
    missing = [folder + stem for stem, suffix in found.items() if suffix is None]
    _refuse(f'missing depth maps ({", ".join(suffixes[:-1])} or {suffixes[-1]})', missing)
    return [suffix for suffix in found.values() if suffix is not None]


def _refuse_missing(folder: str, stems: list[str], names: set[str]) -> None:
    _refuse('missing images', [f'{folder}/{stem}.png' for stem in stems if f'{stem}.png' not in names])


def _refuse(what: str, names: list[str]) -> None:
    if names:
        raise ValueError(f'{what}: {shorten(names, limit=3)}')
