"""The blocks of S3Net's decoder: attention, upsampling and the multi-scale enhancer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from s3net_plugin.utils.names import did_you_mean

UPSAMPLING = ('pixel_shuffle', 'transposed_conv')


def upsampler(kind: str, channels: int) -> nn.Module:
    """Return a stage that maps (N, channels, H, W) to (N, channels / 4, 2H, 2W).

    ``pixel_shuffle`` has no weights (Shi et al., CVPR 2016); ``transposed_conv`` has kernel 4, stride 2, padding 1.

    Raises:
        ValueError: ``kind`` is neither.
    """
    if kind == 'pixel_shuffle':
        return nn.PixelShuffle(2)
    if kind == 'transposed_conv':
        return nn.ConvTranspose2d(channels, channels // 4, 4, stride=2, padding=1)
    raise ValueError(f'upsampling: unknown stage {kind!r}{did_you_mean(str(kind), UPSAMPLING)}')


class AttentionBlock(nn.Module):
    """Residual layer, then channel and spatial attention, (N, C, H, W) -> (N, C, H, W).

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
