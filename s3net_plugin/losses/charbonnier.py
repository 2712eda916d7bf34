"""Charbonnier loss: an L1 with a rounded tip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s3net_plugin.losses.checks import check_images, check_number
from s3net_plugin.utils.names import did_you_mean

REDUCTIONS = ('mean', 'sum', 'none')


def charbonnier(pred: Tensor, target: Tensor, eps: float = 1e-3, reduction: str = 'mean') -> Tensor:
    """Charbonnier loss ``mean(sqrt((pred - target)^2 + eps^2))``, a scalar, computed in fp32 or better.

    Source: Charbonnier et al., Two deterministic half-quadratic regularization algorithms, ICIP 1994.

    Args:
        pred: images (..., C, H, W).
        target: images of the same shape; receives no gradient.
        eps: half width of the rounded tip, in units of the images. Positive, or the gradient at 0 is undefined.
        reduction: ``mean``, ``sum``, or ``none``, which leaves the values (..., C, H, W).

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
    values = torch.hypot(difference, difference.new_full((), eps))
    return values if reduction == 'none' else getattr(values, reduction)()


class S3NetCharbonnierLoss(nn.Module):
    """Charbonnier loss :func:`charbonnier` times ``loss_weight``, for ``pixel_opt`` of BasicSR's models.

    Raises:
        ValueError: an option is of the wrong kind or out of range; the message names it.

    Example:
        >>> S3NetCharbonnierLoss(loss_weight=2, eps=0.5)(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
        tensor(1.)
    """

    def __init__(self, *, loss_weight: float = 1.0, reduction: str = 'mean', eps: float = 1e-3) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            hint = did_you_mean(reduction, REDUCTIONS)
            raise ValueError(f'S3NetCharbonnierLoss: reduction {reduction!r} is unknown{hint}')
        self.reduction = reduction
        self.loss_weight = check_number(self, 'loss_weight', loss_weight)
        self.eps = check_number(self, 'eps', eps, low=1e-12)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return self.loss_weight * charbonnier(pred, target, self.eps, self.reduction)
