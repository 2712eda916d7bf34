"""What this package adds to BasicSR's registries, as soon as BasicSR is imported, by whomever.

Importing this package imports neither PyTorch nor BasicSR, so that commands answer at once, and who wants a loss does
not wait for the rest; yet ``ARCH_REGISTRY.get('S3Net')`` works from the first moment that ``ARCH_REGISTRY`` can be had.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from s3net_plugin import compat


def register() -> None:
    """Register networks, losses, the dataset, metrics and the model with BasicSR, which can be imported by now."""
    from basicsr.utils import registry

    from s3net_plugin import archs, data, losses, metrics

    for entries, parts in (
        (registry.ARCH_REGISTRY, (archs.S3Net, archs.ShadingGuidedS3Net)),
        (
            registry.LOSS_REGISTRY,
            (losses.S3NetCharbonnierLoss, losses.S3NetWaveletSSIMLoss, losses.S3NetPerceptualLoss),
        ),
        (registry.DATASET_REGISTRY, (data.RGBDRelightPairedDataset,)),
        (registry.METRIC_REGISTRY, (metrics.calculate_lpips, metrics.calculate_mps, metrics.calculate_relight_ssim)),
    ):
        for part in parts:
            entries.register(part)
    # It is made of BasicSR's own model, and registers itself: whoever imports it first may have brought us here.
    importlib.import_module('s3net_plugin.models')


class _Registering(Loader):
    """BasicSR's own loader, with what it lacks before it and ``register`` after it."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        compat.provide_functional_tensor()
        self._loader.exec_module(module)
        register()


class _Finder(MetaPathFinder):
    """Finds BasicSR."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != 'basicsr':
            return None
        spec = compat.find_basicsr()
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader)
        return spec


def register_when_imported() -> None:
    """Call ``register`` once BasicSR has been imported; at once if it has been."""
    if 'basicsr' in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _Finder())
