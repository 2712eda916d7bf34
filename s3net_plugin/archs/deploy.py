"""A trained S3Net made ready for deployment: the same function in fewer and better shaped operations."""

from __future__ import annotations

import copy

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from s3net_plugin.archs.padding import TENSOR_CORE_MULTIPLE, is_padded, pad_channels
from s3net_plugin.archs.s3net_arch import S3Net


def fast_precision(device: torch.device) -> torch.dtype:
    """Return the dtype in which ``device`` computes a network fastest: bfloat16 where its hardware multiplies that.

    Those are GPUs from NVIDIA's Ampere on and CPUs with AMX or AVX512-BF16; elsewhere bfloat16 is emulated, and slower.
    """
    if device.type == 'cuda':
        with torch.cuda.device(device):
            has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:  # PyTorch has only private names for these: any of them may be gone one day
        probes = ('_is_amx_tile_supported', '_is_avx512_bf16_supported')
        has_bfloat16 = device.type == 'cpu' and any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return torch.bfloat16 if has_bfloat16 else torch.float32


class Cast(nn.Module):
    """Convert to ``dtype``."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.to(self.dtype)


class _ConvTracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (nn.Conv2d, nn.modules.batchnorm._BatchNorm)) or super().is_leaf_module(
            m, module_qualified_name
        )


def fold_batch_norm(network: nn.Module) -> None:
    """Fold every BatchNorm that alone reads a convolution into that convolution, in place, for inference.

    timm's BatchNorm with an activation leaves the activation. The few encoders whose flow of control depends on their
    input cannot be traced, and keep their BatchNorm.

    Example:
        >>> encoder = S3Net(encoder='resnet10t').encoder.eval()
        >>> fold_batch_norm(encoder)
        >>> any(isinstance(module, nn.BatchNorm2d) for module in encoder.modules())
        False
    """
    modules = dict(network.named_modules())
    try:
        nodes = list(_ConvTracer().trace(network).nodes)
    except fx.proxy.TraceError:
        return
    for node in nodes:
        if node.op != 'call_module' or not isinstance(modules[node.target], nn.modules.batchnorm._BatchNorm):
            continue
        source = node.args[0]
        if source.op != 'call_module' or len(source.users) != 1 or not isinstance(modules[source.target], nn.Conv2d):
            continue
        norm = modules[node.target]
        network.set_submodule(source.target, fuse_conv_bn_eval(modules[source.target], norm))
        network.set_submodule(node.target, getattr(norm, 'act', nn.Identity()))


class DeployedS3Net(nn.Module):
    """What ``optimize_for_inference`` returns: (N, in_channels, H, W) -> float32 (N, out_channels, H, W) in (-1, 1)."""

    def __init__(self, network: nn.Module, memory_format: torch.memory_format) -> None:
        super().__init__()
        self.network = network
        self.memory_format = memory_format

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.network(x.to(torch.float32, memory_format=self.memory_format))
        # a copy, because the next call of a CUDA graph writes into the memory of this one's result
        return y.to(memory_format=torch.contiguous_format, copy=True)


def optimize_for_inference(
    network: S3Net,
    *,
    dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
    channel_multiple: int = TENSOR_CORE_MULTIPLE,
    compile: bool = False,
) -> DeployedS3Net:
    """Return a copy of ``network`` that computes the same, faster, and cannot be trained any more.

    BatchNorm is folded into the convolutions before it, and the encoder's and the enhancer's odd widths are padded with
    zeros. In float32 the output is that of ``network`` in eval mode to 1e-3, mostly far less. In bfloat16 it is as far
    off as under autocast: 4e-3 for the quick start's network; random weights in a deep encoder amplify rounding beyond
    2e-2, here as there.

    Args:
        network: A trained network, on the device it will run on; it is left as it is.
        dtype: What to compute in; the output is float32 all the same.
        channels_last: Compute in NHWC, which is what tensor cores read.
        channel_multiple: What to pad the widths to; 1 leaves them.
        compile: Compile with CUDA graphs, once for every input shape, at its first call.

    Example:
        >>> deployed = optimize_for_inference(S3Net(encoder='resnet10t'))
        >>> deployed(torch.rand(1, 8, 64, 64)).shape
        torch.Size([1, 3, 64, 64])
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    fold_batch_norm(network.encoder)
    if channel_multiple > 1 and not is_padded(network):
        pad_channels(network, channel_multiple)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    network.requires_grad_(False).to(dtype).to(memory_format=memory_format)
    # The photo that is added before the last tanh, and that tanh, stay float32: bfloat16 has fewer steps than 8 bits.
    network.encoder = nn.Sequential(Cast(dtype), network.encoder)
    network.set_submodule('conv_last', nn.Sequential(network.conv_last, Cast(torch.float32)))
    if compile:
        network.compile(mode='reduce-overhead', dynamic=False)
    return DeployedS3Net(network, memory_format).eval()
