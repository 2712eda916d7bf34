"""The yardstick: losses, cues and training step as one writes them first, without a thought for speed.

They compute what ``s3net_plugin.losses`` computes, in eager float32 and NCHW, with PyTorch's defaults (on a GPU these
are TF32 in convolutions) and glibc's allocator as it comes. Windows, filters and VGG19 are prepared once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s3net_plugin.archs.shading import CueSettings, bring_to_grid, light_vectors, surface_normals
from s3net_plugin.losses import S3NetPerceptualLoss
from s3net_plugin.losses.ssim import C1, C2, gaussian_taps
from s3net_plugin.losses.vgg import LAYERS

Criterion = Callable[[Tensor, Tensor], Tensor]


class PlainCharbonnier(nn.Module):
    """``mean(sqrt(d^2 + eps^2))``, eps = 1e-3."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        difference = pred - target
        return torch.sqrt(difference * difference + 1e-6).mean()


class PlainWaveletSSIM(nn.Module):
    """Two levels of Haar as strided convolutions, ratio 0.7; dense 11 x 11 windows; one call of SSIM for each band."""

    window: Tensor
    haar: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.tensor(gaussian_taps(11))
        self.register_buffer('window', torch.outer(taps, taps).repeat(3, 1, 1, 1))
        signs = [[[1, 1], [1, 1]], [[1, 1], [-1, -1]], [[1, -1], [1, -1]], [[1, -1], [-1, 1]]]  # LL, LH, HL, HH
        self.register_buffer('haar', 0.5 * torch.tensor(signs, dtype=torch.float32)[:, None])

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        target = target.detach()
        loss = -self._ssim(pred, target)
        low, ratio = 1.0, 0.7
        for _ in range(2):
            middle, high, low = low * ratio * (1 - ratio), low * (1 - ratio) ** 2, low * ratio**2
            pred, *bands = self._decompose(pred)
            target, *target_bands = self._decompose(target)
            for weight, band, target_band in zip((middle, middle, high), bands, target_bands, strict=True):
                loss = loss - weight * self._ssim(band, target_band)
        return loss - low * self._ssim(pred, target)

    def _decompose(self, images: Tensor) -> tuple[Tensor, ...]:
        batch, channels, height, width = images.shape
        bands = F.conv2d(images.reshape(batch * channels, 1, height, width), self.haar, stride=2)
        return bands.reshape(batch, channels, 4, height // 2, width // 2).unbind(2)

    def _ssim(self, x: Tensor, y: Tensor) -> Tensor:
        mean_x, mean_y = self._blur(x), self._blur(y)
        var_x = self._blur(x * x) - mean_x * mean_x
        var_y = self._blur(y * y) - mean_y * mean_y
        covariance = self._blur(x * y) - mean_x * mean_y
        numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
        return (numerator / ((mean_x * mean_x + mean_y * mean_y + C1) * (var_x + var_y + C2))).mean()

    def _blur(self, images: Tensor) -> Tensor:
        return F.conv2d(images, self.window, padding=5, groups=images.shape[1])


class PlainPerceptual(nn.Module):
    """Frozen VGG19 in float32 NCHW, on the random weights of ``S3NetPerceptualLoss``, which are always the same."""

    def __init__(self) -> None:
        super().__init__()
        loss = S3NetPerceptualLoss(weights='random')
        self.features = loss.vgg.features.to(memory_format=torch.contiguous_format)
        self.layer_weights = loss.layer_weights

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        expected = self._extract(target.detach())
        found = self._extract(pred)
        return sum(
            (weight * F.l1_loss(found[name], expected[name]) for name, weight in self.layer_weights.items()),
            start=torch.zeros((), device=pred.device),
        )

    def _extract(self, images: Tensor) -> dict[str, Tensor]:
        features = {}
        for name, module in zip(LAYERS, self.features, strict=False):
            images = module(images)
            features[name] = images
        return {name: features[name] for name in self.layer_weights}


def plain_shading_cues(depth: Tensor, settings: CueSettings) -> Tensor:
    """What ``shading_cues`` gives, by marching from every point towards every sun and looking into the depth map.

    Step k of 24 is at ``0.8 (k / 24) ** 1.5 + 0.01``, in units of the distance to the nearest point.
    """
    half = math.tan(math.radians(settings.field_of_view / 2))
    centres = (torch.arange(settings.size, device=depth.device) + 0.5) * (2 / settings.size) - 1
    v, u = torch.meshgrid(centres * half, centres * half, indexing='ij')
    distance = 1 + (settings.far_over_near - 1) * bring_to_grid(depth, settings.size)
    points = distance * torch.stack((u, v, torch.ones_like(u)))
    normals = surface_normals(points)
    cues = []
    for light in light_vectors(settings.pitch, settings.elevation).to(depth.device):
        visibility = torch.ones_like(distance)
        for k in range(1, 25):
            x, y, z = (points + light[:, None, None] * (0.8 * (k / 24) ** 1.5 + 0.01)).unbind(1)
            place = torch.stack((x / z, y / z), dim=-1) / half
            met = F.grid_sample(distance, place, padding_mode='border', align_corners=False)
            behind = z[:, None] - met
            hit = ((behind - 0.012) / 0.006 + 0.5).clamp(0, 1) * (behind < 0.4)
            inside = ((place.abs() <= 1).all(-1) & (z > 0))[:, None]
            visibility = torch.minimum(visibility, 1 - hit * inside)
        cues.append((normals * light[:, None, None]).sum(1, keepdim=True).clamp_min(0) * visibility)
    return torch.cat(cues, dim=1)


def plain_step(
    network: nn.Module, criteria: Sequence[tuple[float, Criterion]], lq: Tensor, gt: Tensor, lr: float
) -> Callable[[], Tensor]:
    """Return a training step with Adam; called, it returns the loss, which is the sum of the weighted ``criteria``.

    Args:
        lq: (N, 8, H, W).
        gt: (N, 3, H, W).
    """
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)

    def step() -> Tensor:
        optimizer.zero_grad()
        output = network(lq)
        loss = torch.stack([weight * criterion(output, gt) for weight, criterion in criteria]).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step
