"""What every loss asks of its images and options, with one wording for each complaint."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from s3net_plugin.utils.schema import number_as_text


def check_images(owner: str, pred: Tensor, target: Tensor, *, min_side: int = 1, channels: int | None = None) -> None:
    """Check that ``pred`` and ``target`` are images (..., C, H, W), alike and not too small.

    Raises:
        ValueError: they are not; the message names both shapes.
    """
    shapes = f'pred {tuple(pred.shape)} and target {tuple(target.shape)}'
    if pred.ndim < 3 or target.ndim < 3:
        raise ValueError(f'{owner}: expected images of shape (..., C, H, W), got {shapes}')
    if pred.shape != target.shape:
        raise ValueError(f'{owner}: the two shapes must be equal, got {shapes}')
    if pred.numel() == 0 or min(pred.shape[-2:]) < min_side:
        raise ValueError(f'{owner}: height and width must be at least {min_side} and nothing empty, got {shapes}')
    if channels is not None and pred.shape[-3] != channels:
        raise ValueError(f'{owner}: expected {channels} channels, got {shapes}')
    if not (pred.is_floating_point() and target.is_floating_point()):
        raise ValueError(f'{owner}: expected floating point, got {shapes} of {pred.dtype} and {target.dtype}')


def check_number(
    owner: object, option: str, value: Any, low: float = 0, high: float = math.inf, *, kind: type[float] = float
) -> Any:
    """Return ``value``, a finite number in [low, high]; a whole one where ``kind`` is int.

    Raises:
        ValueError: it is none; the message names the class of ``owner`` and ``option``.
    """
    place = f'{type(owner).__name__}: {option}'
    if isinstance(value, str):
        raise ValueError(f'{place} is {"; ".join(number_as_text(value))}')
    if isinstance(value, bool) or not isinstance(value, (int, kind)) or not low <= value <= high or value == math.inf:
        bounds = f'from {low:g} up' if high == math.inf else f'in [{low:g}, {high:g}]'
        raise ValueError(f'{place} must be a {"whole" if kind is int else "finite"} number {bounds}, got {value!r}')
    return kind(value)
