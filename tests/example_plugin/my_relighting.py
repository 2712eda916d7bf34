"""A relighting network of one's own, for `network_g: {type: GainNet}`."""

from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn


@ARCH_REGISTRY.register()
class GainNet(nn.Module):
    """Multiply the input photo by three gains that are read off both photos: relights colour, moves no shadow."""

    def __init__(self, *, in_channels: int = 8, width: int = 16) -> None:
        super().__init__()
        self.gains = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, 3, 1),
            nn.Softplus(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, :3] * self.gains(x)).clamp(0, 1)
