"""The options of a network, in an option file and in a checkpoint, and whether the two belong together."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn

from s3net_plugin.archs.checkpoint import describe_misfit, shorten
from s3net_plugin.utils.errors import OptionError


def without_pretraining(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a network whose weights are about to be set, so that no file is asked for twice."""
    plain_options = dict(deepcopy(options))
    if 'encoder_weights' in plain_options:
        plain_options['encoder_weights'] = None
    return plain_options


def plain(value: Any) -> Any:
    """Dicts, lists, numbers and text only, which is what a ``weights_only`` reader admits."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, 'item') else value


def check_fit(
    net: nn.Module,
    name: str,
    options: Mapping[str, Any],
    content: Mapping[str, Any],
    params: Mapping[str, Any],
    where: str,
) -> None:
    """Check that a checkpoint belongs to a network.

    Options that leave all shapes as they are can change what the network computes. Of this package's archs all do; of
    others, where some do not, only what does not fit is refused.

    Args:
        net: the network, with any weights.
        name: of its section, such as ``network_g``.
        options: that section.
        content: the checkpoint, of which ``params`` are the weights to load.
        where: begins the message: the file.

    Raises:
        OptionError: it does not; the message says which options differ, if it can be known, or which tensors do.
    """
    difference = describe_difference(content.get(name), options)
    weights = {str(key).removeprefix('module.'): value for key, value in params.items()}
    strange = [key for key, value in weights.items() if not isinstance(value, Tensor)]
    misfit = f'{shorten(strange)} are no weights' if strange else describe_misfit(net.state_dict(), weights)
    if difference and (misfit or type(net).__module__.startswith('s3net_plugin.')):
        raise OptionError(f'{where} was trained with another {name}: {difference}; make them equal')
    if misfit:
        raise OptionError(f'{where} does not fit {name}: {misfit}')


def describe_difference(stored: Any, wanted: Mapping[str, Any]) -> str:
    """Say which options differ between a checkpoint and an option file; empty if none does or none are stored.

    What either leaves out has the arch's default. Where weights came from first makes no difference.
    """
    if not isinstance(stored, Mapping) or 'type' not in stored:
        return ''
    if stored['type'] != wanted['type']:
        return f'type is {stored["type"]} there and {wanted["type"]} here'
    there, here = _effective(stored), _effective(wanted)
    different = [
        f'{name} is {_yaml(there.get(name))} there and {_yaml(here.get(name))} here'
        for name in sorted({*there, *here} - {'encoder_weights'})
        if there.get(name) != here.get(name)
    ]
    return ', '.join(different)


def _effective(options: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(ARCH_REGISTRY.get(options['type'])).parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    return plain({**defaults, **without_pretraining(options)})


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
