"""The import shim: what BasicSR needs from outside to be imported today, and which BasicSR is imported."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

TRIED = '1.4.2'


class _FunctionalTensor(MetaPathFinder, Loader):
    """``basicsr.data.degradations`` imports a module that torchvision 0.17 dropped; hand it the one name it takes."""

    name = 'torchvision.transforms.functional_tensor'

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == self.name else None

    def exec_module(self, module: types.ModuleType) -> None:
        from torchvision.transforms.functional import rgb_to_grayscale

        module.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]


def provide_functional_tensor() -> None:
    """Provide the module where it is missing, once somebody asks for it."""
    if not any(isinstance(finder, _FunctionalTensor) for finder in sys.meta_path):
        sys.meta_path.append(_FunctionalTensor())  # the last to be asked, so that torchvision's own comes first


def find_basicsr() -> ModuleSpec | None:
    """Find the BasicSR to import: where Python finds it, but for a clone that merely lies in the working directory.

    ``python -m`` looks there first. A clone is no installation: it lacks ``basicsr/version.py``, which is generated.
    """
    spec = PathFinder.find_spec('basicsr')
    try:
        installed = distribution('basicsr')
    except PackageNotFoundError:
        return spec
    if installed.version != TRIED:
        warnings.warn(f'BasicSR {installed.version} is installed; s3net_plugin was tried with {TRIED}', stacklevel=2)
    folder = Path(str(installed.locate_file('basicsr'))).resolve()
    found = Path(spec.origin).resolve().parent if spec is not None and spec.origin else folder
    if found == folder or found.parent != Path.cwd() or not folder.is_dir():
        return spec
    print(f'basicsr: {found}, a folder of the working directory, is not used; {folder} is', file=sys.stderr)
    return PathFinder.find_spec('basicsr', [str(folder.parent)])
