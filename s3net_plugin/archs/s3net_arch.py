"""S3Net, the single-stream network for depth-guided image relighting (Yang et al., CVPR Workshops 2021).

The encoder is any convolutional network of timm; the decoder: attention, upsampling and a multi-scale enhancer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from s3net_plugin.archs.encoder_weights import load_encoder_weights
from s3net_plugin.utils.names import did_you_mean

STRIDES = (4, 8, 16)
_PROBED_SIZE = (32, 64)  # of which networks made for one size, with windows or positions, refuse at least one
UPSAMPLING = ('pixel_shuffle', 'transposed_conv')


class SizeRequirements(NamedTuple):
    """Size requirements of a network: the least height and width of its input, in pixels."""

    minimum: int


def build_encoder(name: str, in_channels: int) -> tuple[nn.Module, list[int]]:
    """Encoder with random weights: timm's network ``name``, cut off after stride 16; and the widths of its features.

    It maps (N, in_channels, H, W) to the list of features at strides 4, 8 and 16.

    Raises:
        ValueError: timm has no such network, or it does not give such features.

    Example:
        >>> encoder, widths = build_encoder('resnet10t', in_channels=8)
        >>> widths
        [64, 128, 256]
    """
    import timm  # its zoo takes a second, which those who build no network need not wait for

    if not timm.is_model(name):
        raise ValueError(f'encoder: timm {timm.__version__} has no {name!r}{did_you_mean(name, timm.list_models())}')
    try:
        with torch.device('meta'):  # costs no memory; says which features there are
            probe: Any = timm.create_model(name, features_only=True, in_chans=in_channels)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f'encoder: {name!r} cannot be used for its features: {error}') from error
    last_of_stride = {info['reduction']: index for index, info in enumerate(probe.feature_info.info)}
    if not set(STRIDES) <= last_of_stride.keys():
        raise ValueError(f'encoder: {name!r} has strides {sorted(last_of_stride)}; 4, 8 and 16 are needed')
    if str(getattr(probe, 'output_fmt', 'NCHW')).rpartition('.')[-1] != 'NCHW':
        raise ValueError(f'encoder: {name!r} gives features as {probe.output_fmt}; a convolutional network is needed')
    try:
        with torch.device('meta'), torch.no_grad():
            probe.eval()(torch.empty(1, in_channels, *_PROBED_SIZE))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f'encoder: {name!r} does not take any size in steps of 32: {error}') from error
    indices = tuple(last_of_stride[stride] for stride in STRIDES)
    encoder: Any = timm.create_model(name, features_only=True, in_chans=in_channels, out_indices=indices)
    return encoder, encoder.feature_info.channels()


class AttentionBlock(nn.Module):
    """Channel and spatial attention after a residual layer, (N, C, H, W) -> (N, C, H, W).

    The channel attention is that of squeeze-and-excitation networks (Hu et al., CVPR 2018); the spatial one gates every
    pixel with the same two 1 x 1 convolutions, without the pooling. Both squeeze to C / 8 channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(channels // 8, 1)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.channel_attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )
        self.spatial_attention = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1), nn.ReLU(inplace=True), nn.Conv2d(squeezed, 1, 1), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        res = self.conv2(torch.relu(self.conv1(x)) + x)
        res = res * self.channel_attention(res)
        res = res * self.spatial_attention(res)
        return res + x


class Enhancer(nn.Module):
    """Pyramid pooling at strides 32, 16, 8 and 4 in full resolution, (N, C, H, W) -> (N, C, H, W) in (-1, 1).

    After Qu et al., "Enhanced Pix2pix Dehazing Network", CVPR 2019. H and W must be multiples of 32. Every stride gives
    one channel. Means and nearest-neighbour upsampling nest, so each stride is computed from the one beside it: only
    one map of four channels is brought to full resolution.
    """

    hidden_channels = 20
    strides: Sequence[int] = (32, 16, 8, 4)

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = self.hidden_channels
        self.conv1 = nn.Conv2d(channels, hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.pool_convs = nn.ModuleList(nn.Conv2d(hidden, 1, 1) for _ in self.strides)
        self.conv3 = nn.Conv2d(len(self.strides) + hidden, channels, 3, padding=1)
        self.lrelu = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.lrelu(self.conv2(self.lrelu(self.conv1(x))))
        means = [F.avg_pool2d(x, self.strides[-1])]
        for _ in self.strides[1:]:
            means.append(F.avg_pool2d(means[-1], 2))
        pyramid = self.lrelu(self.pool_convs[0](means.pop()))
        for conv in self.pool_convs[1:]:
            pyramid = F.interpolate(pyramid, scale_factor=2.0, mode='nearest')
            pyramid = torch.cat((pyramid, self.lrelu(conv(means.pop()))), dim=1)
        pyramid = F.interpolate(pyramid, scale_factor=float(self.strides[-1]), mode='nearest')
        return torch.tanh(self.conv3(torch.cat((pyramid, x), dim=1)))


class S3Net(nn.Module):
    """S3Net: relight the input as the guide is lit, (N, in_channels, H, W) -> (N, out_channels, H, W) in (-1, 1).

    Source: Yang, Chen and Kuo, S3Net: A Single Stream Structure for Depth Guided Image Relighting, CVPR Workshops 2021.

    The channels come in this order: input RGB, input depth, guide RGB, guide depth, all in [0, 1], without mean and
    standard deviation. One-to-one relighting, which has no guide, takes 4 channels. H and W are free from 32 up: the
    network extends its input by reflection to multiples of 32 and crops its output.

    An encoder gives features at strides 4, 8 and 16. The decoder upsamples the deepest by 2 in four stages, attends to
    it before the first and after the first and second, joins the encoder's features of the same size there, and ends
    with the enhancer, a 7 x 7 convolution and tanh.

    Args:
        in_channels: 8 with a guide, 4 without; weights for the encoder need 8, 4 or 3.
        encoder: A convolutional network of timm that gives features at strides 4, 8 and 16.
        encoder_weights: None for random weights, ``imagenet`` for timm's pretrained ones (looked up in the Hugging Face
            cache, then downloaded), or the path of a state dict of that network (``.safetensors``, ``.pth``).
        upsampling: ``pixel_shuffle`` (Shi et al., CVPR 2016; no weights) or ``transposed_conv`` (kernel 4, stride 2)
            for each of the four stages, the deepest first. The paper names both and not where they go; the authors'
            released network shuffles everywhere.
        residual: Add the input RGB before the last tanh; ``out_channels`` must then be 3.

    Raises:
        ValueError: An option, or the shape of the input, does not fit; the message says which and what would.
        FileNotFoundError: The encoder's weights are not there or cannot be downloaded.

    Example:
        >>> network = S3Net(encoder='resnet10t', residual=True)
        >>> network(torch.rand(1, 8, 40, 56)).shape
        torch.Size([1, 3, 40, 56])
    """

    size_requirements = SizeRequirements(minimum=32)

    def __init__(
        self,
        *,
        in_channels: int = 8,
        out_channels: int = 3,
        encoder: str = 'res2net101d',
        encoder_weights: str | None = None,
        upsampling: Sequence[str] = ('pixel_shuffle', 'pixel_shuffle', 'transposed_conv', 'transposed_conv'),
        residual: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(upsampling, str) or len(upsampling) != 4:
            raise ValueError(f'upsampling: four names are needed, each of {", ".join(UPSAMPLING)}; got {upsampling!r}')
        for kind in upsampling:
            if kind not in UPSAMPLING:
                raise ValueError(f'upsampling: unknown stage {kind!r}{did_you_mean(kind, UPSAMPLING)}')
        if residual and (out_channels != 3 or in_channels < 3):
            raise ValueError(
                f'residual: adds the input RGB, so it needs out_channels 3 and in_channels from 3 up; '
                f'got {out_channels} and {in_channels}'
            )
        self.input_channels = in_channels
        self.residual = residual

        self.encoder, (f4, f8, f16) = build_encoder(encoder, in_channels)
        stage1 = f16
        stage2 = stage1 // 4 + f8
        stage3 = stage2 // 4 + f4
        stage4 = stage3 // 4
        stages = (stage1, stage2, stage3, stage4)
        if any(channels % 4 for channels in stages):
            raise ValueError(
                f'encoder: {encoder!r} has {f4}, {f8} and {f16} channels at strides 4, 8 and 16, which makes the four '
                f'stages of the decoder {stages} channels wide; each must be a multiple of 4. Try resnet18, resnet50 '
                f'or res2net101d'
            )
        self.attentions = nn.ModuleList(AttentionBlock(c) for c in (stage1, stage1 // 4, stage2 // 4))
        self.upsamplers = nn.ModuleList(
            nn.PixelShuffle(2) if kind == 'pixel_shuffle' else nn.ConvTranspose2d(c, c // 4, 4, stride=2, padding=1)
            for kind, c in zip(upsampling, stages, strict=True)
        )
        self.enhancer = Enhancer(stage4 // 4)
        self.conv_last = nn.Conv2d(stage4 // 4, out_channels, 7, padding=3, padding_mode='reflect')
        if encoder_weights is not None:
            load_encoder_weights(self.encoder, encoder, in_channels, encoder_weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.check_input(x)
        y = self.translate(x)
        return torch.tanh(y + x[:, :3] if self.residual else y)

    def check_input(self, x: torch.Tensor) -> None:
        """Raise ValueError if ``x`` is not (N, in_channels, H, W) with H and W from 32 up."""
        name = type(self).__name__
        if x.ndim != 4 or x.shape[1] != self.input_channels:
            raise ValueError(f'{name} expects (N, {self.input_channels}, H, W), got {tuple(x.shape)}')
        minimum = self.size_requirements.minimum
        if x.shape[2] < minimum or x.shape[3] < minimum:
            raise ValueError(f'{name} needs H and W of at least {minimum}, got {tuple(x.shape)}')

    def translate(self, x: torch.Tensor) -> torch.Tensor:
        """Encoder, decoder and last convolution: what the encoder takes, (N, C, H, W) -> (N, out_channels, H, W)."""
        height, width = x.shape[-2:]
        pads = (0, -width % 32, 0, -height % 32)
        f4, f8, f16 = self.encoder(F.pad(x, pads, mode='reflect') if any(pads) else x)
        y = self.attentions[0](f16)
        y = torch.cat((self.attentions[1](self.upsamplers[0](y)), f8), dim=1)
        y = torch.cat((self.attentions[2](self.upsamplers[1](y)), f4), dim=1)
        y = self.upsamplers[3](self.upsamplers[2](y))
        return self.conv_last(self.enhancer(y))[..., :height, :width]
