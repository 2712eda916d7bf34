"""The import shim: what BasicSR needs from outside to be imported today, and which BasicSR is imported."""

from __future__ import annotations

import sys
import types
import warnings
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

TRIED = '1.4.2'


def provide_functional_tensor() -> None:
    """Stand in for a module that torchvision 0.17 dropped; ``basicsr.data.degradations`` takes one name from it."""
    name = 'torchvision.transforms.functional_tensor'
    if name not in sys.modules and find_spec(name) is None:
        from torchvision.transforms.functional import rgb_to_grayscale

        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name])['rgb_to_grayscale'] = rgb_to_grayscale


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
