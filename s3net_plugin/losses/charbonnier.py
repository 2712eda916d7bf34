"""Charbonnier loss: an L1 with a rounded tip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s3net_plugin.losses.checks import check_images, check_number


def charbonnier(pred: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
    """Return the scalar ``mean(sqrt((pred - target)^2 + eps^2))``, computed in fp32 or better.

    Source: Charbonnier et al., Two deterministic half-quadratic regularization algorithms, ICIP 1994.

    Args:
        pred: images (..., C, H, W).
        target: images of the same shape; receives no gradient.
        eps: half width of the rounded tip, in units of the images. Positive, or the gradient at 0 is undefined.

    Raises:
        ValueError: the shapes differ or are not (..., C, H, W); the message names both.

    Example:
        >>> charbonnier(torch.full((1, 3, 8, 8), 4e-3), torch.zeros(1, 3, 8, 8), eps=3e-3)
        tensor(0.0050)
    """
    check_images('charbonnier', pred, target)
    dtype = torch.promote_types(pred.dtype, torch.float32)
    difference = pred.to(dtype) - target.detach().to(dtype)
    # One pass over memory each way, where square, add and root take three.
    return torch.hypot(difference, difference.new_full((), eps)).mean()


class S3NetCharbonnierLoss(nn.Module):
    """:func:`charbonnier` times ``loss_weight``; fits ``pixel_opt`` of BasicSR's models.

    Raises:
        ValueError: an option is no number or out of range; the message names it.

    Example:
        >>> S3NetCharbonnierLoss(loss_weight=2, eps=0.5)(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
        tensor(1.)
    """

    def __init__(self, *, loss_weight: float = 1.0, eps: float = 1e-3) -> None:
        super().__init__()
        self.loss_weight = check_number(self, 'loss_weight', loss_weight)
        self.eps = check_number(self, 'eps', eps, low=1e-12)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the weighted scalar for images (..., C, H, W) of equal shape."""
        return self.loss_weight * charbonnier(pred, target, self.eps)
