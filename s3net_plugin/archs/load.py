"""The network of a checkpoint: built from the options in it, or from the option file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from s3net_plugin.archs.s3net_arch import S3Net
from s3net_plugin.archs.shading_guided_s3net_arch import ShadingGuidedS3Net
from s3net_plugin.utils.checkpoint import load_weights_only, state_dict_mismatch, without_pretraining
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.names import did_you_mean
from s3net_plugin.utils.yaml_file import read_option_file

_ARCHS: dict[str, type[nn.Module]] = {'S3Net': S3Net, 'ShadingGuidedS3Net': ShadingGuidedS3Net}


def load_network(path: str | Path, device: str | torch.device = 'cpu') -> nn.Module:
    """Load the network of a checkpoint, BasicSR's or safetensors, for inference; with averaged weights if it has any.

    Its arch and options stand in the checkpoint under ``network_g`` (in safetensors, in the metadata); where they do
    not, they are taken from the option file beside it: in the same folder or, as BasicSR keeps it, in the folder above
    ``models``.

    Raises:
        FileNotFoundError: There is no such file, or no options for it.
        ValueError: The checkpoint is torn, or does not fit its options, or is no relighting network; or no such device.

    Example:
        >>> from s3net_plugin.archs.pretrained import pretrained_path
        >>> load_network(pretrained_path()).input_channels  # the weights in the package
        8
    """
    path = Path(path)
    content = load_weights_only(path)
    weights = content.get('params_ema') or content.get('params')
    if not isinstance(weights, dict):
        raise ValueError(f'{path}: neither params nor params_ema in it, so it is no checkpoint of BasicSR')
    options = content.get('network_g') or _options_beside(path)
    network: Any = _build(options, path)
    # archs of other packages say what they take by the name that their constructor has for it, if at all
    network.input_channels = getattr(network, 'input_channels', getattr(network, 'in_channels', None))
    if network.input_channels not in (4, 8):
        raise ValueError(f'{path}: {options["type"]} does not say that its input_channels are 4 or 8')
    network.size_requirements = getattr(network, 'size_requirements', S3Net.size_requirements)
    expected = network.state_dict()
    misfit = state_dict_mismatch(expected, weights)
    if misfit:
        raise ValueError(f'{path}: the weights do not fit the options of {options["type"]}: {misfit}')
    network.load_state_dict({name: weights[name].to(expected[name].dtype) for name in expected}, assign=True)
    try:
        return network.eval().requires_grad_(False).to(device)
    except (RuntimeError, AssertionError) as error:  # PyTorch has both for a device that is not there
        raise ValueError(f'device {device}: {str(error).splitlines()[0]}') from error


def _build(options: Any, path: Path) -> nn.Module:
    kind = options.get('type') if isinstance(options, dict) else None
    arch = _ARCHS.get(str(kind))
    if arch is None:
        from basicsr.utils.registry import ARCH_REGISTRY  # it takes seconds, and is not needed for this package's own

        arch = dict(iter(ARCH_REGISTRY)).get(str(kind))
    if arch is None:
        raise ValueError(f'{path}: its network is of unknown type {kind!r}{did_you_mean(str(kind), _ARCHS)}')
    options = {key: value for key, value in without_pretraining(options).items() if key != 'type'}
    try:
        if kind in _ARCHS:  # whose weights need not be drawn, since they are replaced; others may do more than draw
            with torch.device('meta'):
                network = arch(**options)
            if {name for name, _ in network.named_buffers()} <= network.state_dict().keys():
                return network
        return arch(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{path}: its options build no {kind}: {error}') from error


def _options_beside(path: Path) -> dict[str, Any]:
    """Return ``network_g`` of the option file beside the checkpoint ``path``; files that say the same are one."""
    own = path.with_suffix('.yml')
    for files in ([own], path.parent.glob('*.yml'), path.parent.parent.glob('*.yml')):
        found: dict[Path, dict[str, Any]] = {}
        for file in sorted(files):
            try:
                options = read_option_file(file).get('network_g')
            except OptionError:  # missing, or something else
                continue
            if isinstance(options, dict) and options not in found.values():
                found[file] = options
        if len(found) > 1:
            names = ', '.join(str(file) for file in found)
            raise ValueError(f'{path}: no network options in it, and beside it differ {names}; make one {own.name}')
        if found:
            return next(iter(found.values()))
    raise FileNotFoundError(f'{path}: no network options in it; put the option file of its training beside it as {own}')
