"""S3Net, depth-guided image relighting, for BasicSR: with this package imported, BasicSR knows all that it holds."""

from __future__ import annotations

import importlib
from types import ModuleType

from s3net_plugin import registration

__version__ = '0.1.0'
__all__ = ['archs', 'data', 'losses', 'metrics', 'models']

registration.register_when_imported()


def __getattr__(name: str) -> ModuleType:
    """Import a room when it is asked for."""
    if name in __all__:
        return importlib.import_module(f's3net_plugin.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
