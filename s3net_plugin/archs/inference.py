"""A trained S3Net made ready for deployment: the same function in fewer and better shaped operations."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from timm.models.res2net import Bottle2neck
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from s3net_plugin.archs.decoder import Enhancer
from s3net_plugin.archs.s3net_arch import S3Net


class Slots(NamedTuple):
    """Where channels lie among the ``total`` channels of a tensor; those in between are zero."""

    total: int
    positions: list[int]


def slots(widths: Sequence[int], multiple: int) -> Slots:
    """Lay out groups of ``widths`` channels one after the other, each group padded to a multiple of ``multiple``."""
    total = 0
    positions: list[int] = []
    for width in widths:
        positions += range(total, total + width)
        total += width + -width % multiple
    return Slots(total, positions)


def padded_conv(conv: nn.Module, inputs: Slots, outputs: Slots) -> Any:
    """Return ``conv``, transposed or not, for inputs and outputs that lie in slots; what it adds are zeros."""
    padded: Any = copy.deepcopy(conv)
    first, second = (inputs, outputs) if isinstance(conv, nn.ConvTranspose2d) else (outputs, inputs)
    padded.in_channels, padded.out_channels = inputs.total, outputs.total
    weight = padded.weight.new_zeros(first.total, second.total, *padded.weight.shape[2:])
    weight[torch.tensor(first.positions)[:, None], torch.tensor(second.positions)] = padded.weight.detach()
    padded.weight = nn.Parameter(weight)
    if padded.bias is not None:
        bias = padded.bias.new_zeros(outputs.total)
        bias[outputs.positions] = padded.bias.detach()
        padded.bias = nn.Parameter(bias)
    return padded


class FirstChannels(nn.Module):
    """Keep the first ``count`` channels."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, : self.count]


class _ConvTracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (nn.Conv2d, nn.BatchNorm2d)) or super().is_leaf_module(m, module_qualified_name)


def fold_batch_norm(network: nn.Module) -> None:
    """Fold every BatchNorm that alone reads a convolution into that convolution, in place, for inference.

    timm's BatchNorm with an activation leaves the activation.
    """
    modules = dict(network.named_modules())
    for node in list(_ConvTracer().trace(network).nodes):
        if node.op != 'call_module' or not isinstance(modules[node.target], nn.BatchNorm2d):
            continue
        source = node.args[0]
        if source.op != 'call_module' or len(source.users) != 1 or not isinstance(modules[source.target], nn.Conv2d):
            continue
        norm = modules[node.target]
        network.set_submodule(source.target, fuse_conv_bn_eval(modules[source.target], norm))
        network.set_submodule(node.target, getattr(norm, 'act', nn.Identity()))


def pad_res2net_block(block: Any, multiple: int) -> None:
    """Pad the widths of the block's groups (26, 52 and 104 in res2net101d), in place, once its BatchNorm is folded."""
    group = slots([block.width], multiple)
    groups = slots([block.width] * block.scale, multiple)
    block.conv1 = padded_conv(block.conv1, slots([block.conv1.in_channels], 1), groups)
    block.convs = nn.ModuleList(padded_conv(conv, group, group) for conv in block.convs)
    block.conv3 = padded_conv(block.conv3, groups, slots([block.conv3.out_channels], 1))
    block.width = group.total


def pad_enhancer(enhancer: Enhancer, multiple: int) -> Slots:
    """Pad the widths of the enhancer in place; return how its input and output then lie."""
    outside = slots([enhancer.conv3.out_channels], multiple)
    hidden = slots([enhancer.hidden_channels], multiple)
    levels = len(enhancer.pool_convs)
    pyramid = slots([levels], multiple)
    enhancer.conv1 = padded_conv(enhancer.conv1, outside, hidden)
    enhancer.conv2 = padded_conv(enhancer.conv2, hidden, hidden)
    widths = [1] * (levels - 1) + [1 + pyramid.total - levels]
    enhancer.pool_convs = nn.ModuleList(
        padded_conv(conv, hidden, Slots(width, [0])) for conv, width in zip(enhancer.pool_convs, widths, strict=True)
    )
    joined = slots([levels, enhancer.hidden_channels], multiple)
    enhancer.conv3 = padded_conv(enhancer.conv3, joined, outside)
    return outside


def pad_channels(network: S3Net, multiple: int) -> None:
    """Zero-pad the widths that are no multiples of ``multiple``, in place, once BatchNorm is folded.

    It changes nothing but speed: tensor cores take channels in multiples of 8.
    """
    for block in list(network.modules()):
        if isinstance(block, Bottle2neck) and block.convs[0].groups == 1:
            pad_res2net_block(block, multiple)
    outside = pad_enhancer(network.enhancer, multiple)
    last = network.upsamplers[3]
    if isinstance(last, nn.ConvTranspose2d):
        network.upsamplers[3] = padded_conv(last, slots([last.in_channels], 1), outside)
    else:
        added = outside.total - len(outside.positions)
        network.upsamplers[3] = nn.Sequential(last, nn.ZeroPad3d((0, 0, 0, 0, 0, added)))
    count = network.conv_last.out_channels
    conv_last = padded_conv(network.conv_last, outside, slots([count], multiple))
    network.set_submodule('conv_last', nn.Sequential(conv_last, FirstChannels(count)))


class DeployedS3Net(nn.Module):
    """What ``optimize_for_inference`` returns: (N, in_channels, H, W) -> float32 (N, out_channels, H, W) in (-1, 1)."""

    def __init__(self, network: nn.Module, dtype: torch.dtype, memory_format: torch.memory_format) -> None:
        super().__init__()
        self.network = network
        self.dtype = dtype
        self.memory_format = memory_format

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.network(x.to(dtype=self.dtype, memory_format=self.memory_format))
        # a copy, because the next call of a CUDA graph writes into the memory of this one's result
        return y.to(torch.float32, memory_format=torch.contiguous_format, copy=True)


def optimize_for_inference(
    network: S3Net,
    *,
    dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
    channel_multiple: int = 8,
    compile: bool = False,
) -> DeployedS3Net:
    """Return a copy of ``network`` that computes the same, faster, and cannot be trained any more.

    BatchNorm is folded into the convolutions before it, and the encoder's and the enhancer's odd widths are padded with
    zeros. In float32 the output is that of ``network`` in eval mode to 1e-3, mostly far less. In bfloat16 it is as far
    off as bfloat16 itself puts it, 2e-2 unless the weights make activations of very different sizes.

    Args:
        network: A trained network, on the device it will run on; it is left as it is.
        dtype: What to compute in; the output is float32 all the same.
        channels_last: Compute in NHWC, which is what tensor cores read.
        channel_multiple: What to pad the widths to; 1 leaves them.
        compile: Compile with CUDA graphs, once for every input shape, at its first call.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    fold_batch_norm(network.encoder)
    if channel_multiple > 1:
        pad_channels(network, channel_multiple)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    network.requires_grad_(False).to(dtype).to(memory_format=memory_format)
    if compile:
        network.compile(mode='reduce-overhead', dynamic=False)
    return DeployedS3Net(network, dtype, memory_format)
