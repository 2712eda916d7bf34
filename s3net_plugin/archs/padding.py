"""Widths that suit tensor cores: channels of zeros beside the real ones. The function and the checkpoint stay as is."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from s3net_plugin.archs.s3net_arch import Enhancer, S3Net

TENSOR_CORE_MULTIPLE = 8


class ChannelLayout(NamedTuple):
    """Channel layout: where channels lie among the ``total`` of a tensor; those in between are zero."""

    total: int
    positions: list[int]


Layouts = Mapping[str, Sequence[ChannelLayout]]


def slots(widths: Sequence[int], multiple: int) -> ChannelLayout:
    """Channel layout of groups of ``widths`` one after the other, each padded to a multiple of ``multiple``.

    Example:
        >>> slots([3, 2], multiple=4)
        ChannelLayout(total=8, positions=[0, 1, 2, 4, 5])
    """
    total = 0
    positions: list[int] = []
    for width in widths:
        positions += range(total, total + width)
        total += width + -width % multiple
    return ChannelLayout(total, positions)


def pad_channels(network: S3Net, multiple: int = TENSOR_CORE_MULTIPLE) -> None:
    """Zero-pad the widths that are no multiples of ``multiple``, in place: those of Res2Net's groups and of the end.

    It changes nothing but speed: tensor cores take channels in multiples of 8. A network can be trained like that:
    added weights get gradients of zero and stay zero, and state dicts, on the way out and in, have the real widths.
    (An optimizer's state has the padded ones.) BatchNorm may have been folded before.

    Example:
        >>> network = S3Net(encoder='resnet10t')
        >>> pad_channels(network)
        >>> network.enhancer.conv1.out_channels, len(network.state_dict()['enhancer.conv1.weight'])
        (24, 20)
    """
    from timm.models.res2net import Bottle2neck

    for block in list(network.modules()):
        if isinstance(block, Bottle2neck) and block.convs[0].groups == 1:
            pad_res2net_block(block, multiple)
    outside = pad_enhancer(network.enhancer, multiple)
    last = network.upsamplers[3]
    if isinstance(last, nn.ConvTranspose2d):
        network.upsamplers[3] = padded(last, slots([last.in_channels], 1), outside)
    else:
        added = outside.total - len(outside.positions)
        network.upsamplers[3] = nn.Sequential(last, nn.ZeroPad3d((0, 0, 0, 0, 0, added)))
    count = network.conv_last.out_channels
    network.conv_last = padded(network.conv_last, outside, slots([count], multiple))
    network.conv_last.register_forward_hook(partial(_first_channels, count))


def is_padded(network: nn.Module) -> bool:
    """Whether ``pad_channels`` has been here: then a state dict is narrower than what it was made from."""
    state = network.state_dict()
    return any(parameter.shape != state[name].shape for name, parameter in network.named_parameters())


def pad_res2net_block(block: Any, multiple: int) -> None:
    """Pad the widths of the block's groups (26, 52 and 104 in res2net101d), in place."""
    group = slots([block.width], multiple)
    groups = slots([block.width] * block.scale, multiple)
    block.conv1 = padded(block.conv1, slots([block.conv1.in_channels], 1), groups)
    block.bn1 = padded(block.bn1, groups, groups)
    block.convs = nn.ModuleList(padded(conv, group, group) for conv in block.convs)
    block.bns = nn.ModuleList(padded(norm, group, group) for norm in block.bns)
    block.conv3 = padded(block.conv3, groups, slots([block.conv3.out_channels], 1))
    block.width = group.total


def pad_enhancer(enhancer: Enhancer, multiple: int) -> ChannelLayout:
    """Pad the widths of the enhancer in place; return how its input and output then lie."""
    outside = slots([enhancer.conv3.out_channels], multiple)
    hidden = slots([enhancer.hidden_channels], multiple)
    levels = len(enhancer.pool_convs)
    pyramid = slots([levels], multiple)
    enhancer.conv1 = padded(enhancer.conv1, outside, hidden)
    enhancer.conv2 = padded(enhancer.conv2, hidden, hidden)
    widths = [1] * (levels - 1) + [1 + pyramid.total - levels]
    enhancer.pool_convs = nn.ModuleList(
        padded(conv, hidden, ChannelLayout(width, [0])) for conv, width in zip(enhancer.pool_convs, widths, strict=True)
    )
    joined = slots([levels, enhancer.hidden_channels], multiple)
    enhancer.conv3 = padded(enhancer.conv3, joined, outside)
    return outside


def padded(module: nn.Module, inputs: ChannelLayout, outputs: ChannelLayout) -> Any:
    """Pad a convolution, transposed or not, or BatchNorm to channels that lie in slots; state dicts keep the real ones.

    Anything else is returned as it is: folding leaves activations in the place of BatchNorm.
    """
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        widths = {'num_features': outputs.total}
        layouts: Layouts = dict.fromkeys(('weight', 'bias', 'running_mean', 'running_var'), (outputs,))
    elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        widths = {'in_channels': inputs.total, 'out_channels': outputs.total}
        both = (inputs, outputs) if isinstance(module, nn.ConvTranspose2d) else (outputs, inputs)
        layouts = {'weight': both, 'bias': (outputs,)}
    else:
        return module
    copied: Any = copy.deepcopy(module)
    vars(copied).update(widths)
    for name, layout in layouts.items():
        tensor = getattr(copied, name)
        if tensor is not None:
            wide = _widen(tensor.detach(), layout)
            is_parameter = isinstance(tensor, nn.Parameter)
            setattr(copied, name, nn.Parameter(wide, tensor.requires_grad) if is_parameter else wide)
    copied.register_state_dict_post_hook(partial(_narrow_all, layouts))
    copied.register_load_state_dict_pre_hook(partial(_widen_all, layouts))
    return copied


def _places(layout: Sequence[ChannelLayout]) -> tuple[Tensor, ...]:
    """Return the index of what is real, for the first dimensions of a tensor."""
    return torch.meshgrid([torch.tensor(channels.positions) for channels in layout], indexing='ij')


def _widen(tensor: Tensor, layout: Sequence[ChannelLayout]) -> Tensor:
    wide = tensor.new_zeros(*(channels.total for channels in layout), *tensor.shape[len(layout) :])
    wide[_places(layout)] = tensor
    return wide


def _narrow_all(layouts: Layouts, module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    for name, layout in layouts.items():
        if prefix + name in state:
            state[prefix + name] = state[prefix + name][_places(layout)]


def _widen_all(layouts: Layouts, module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    for name, layout in layouts.items():
        tensor = state.get(prefix + name)
        # Any other shape is left for load_state_dict to complain about.
        if tensor is not None and tensor.shape[: len(layout)] == tuple(len(slot.positions) for slot in layout):
            state[prefix + name] = _widen(tensor, layout)


def _first_channels(count: int, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output[:, :count]
