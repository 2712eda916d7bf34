"""Perceptual loss: L1 distance of VGG19 features."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from s3net_plugin.losses.checks import check_images, check_number
from s3net_plugin.losses.vgg import VGG19Features

DEFAULT_LAYER_WEIGHTS: Mapping[str, float] = MappingProxyType({'relu1_1': 1 / 32, 'relu2_1': 1 / 16, 'relu3_1': 1 / 8})


def perceptual_loss(
    pred: Tensor,
    target: Tensor,
    vgg: VGG19Features,
    layer_weights: Mapping[str, float],
    *,
    chunk_size: int | None = None,
) -> Tensor:
    """Perceptual loss ``sum_k w_k mean|vgg_k(pred) - vgg_k(target)|`` over layers k of VGG19, a scalar.

    Source: Johnson et al., Perceptual losses for real-time style transfer, ECCV 2016; here with L1.
    Under autocast VGG19 runs in autocast's type; the means are accumulated in fp32 or better all the same.

    Args:
        pred: images (..., 3, H, W) in [0, 1].
        target: images of the same shape; receives no gradient.
        vgg: returns the features of every layer in ``layer_weights``.
        layer_weights: w_k by BasicSR's name of layer k.
        chunk_size: images at a time; their features are computed again in the backward pass instead of being kept.

    Raises:
        ValueError: the shapes differ, are not (..., 3, H, W), or too small for VGG19's poolings; it names both.

    Example:
        >>> vgg = VGG19Features(['relu1_1'], 'random')
        >>> perceptual_loss(torch.ones(1, 3, 8, 8), torch.ones(1, 3, 8, 8), vgg, {'relu1_1': 1.0})
        tensor(0.)
    """
    check_images('perceptual_loss', pred, target, min_side=vgg.minimum_side, channels=3)
    pred, target = (images.reshape(-1, *images.shape[-3:]) for images in (pred, target))
    if chunk_size is None or chunk_size >= len(pred):
        return _distance(pred, target, vgg, layer_weights)
    chunks = zip(pred.split(chunk_size), target.split(chunk_size), strict=True)
    terms = [
        len(few) / len(pred) * checkpoint(_distance, few, wanted, vgg, layer_weights, use_reentrant=False)
        for few, wanted in chunks
    ]
    return torch.stack(terms).sum()


def _distance(pred: Tensor, target: Tensor, vgg: VGG19Features, layer_weights: Mapping[str, float]) -> Tensor:
    with torch.no_grad():
        expected = vgg(target)
    found = vgg(pred)
    terms = []
    for name, weight in layer_weights.items():
        # Channels last, as in memory, so that the gradient is laid out like the features; a sum saves a pass over mean.
        distance = (found[name] - expected[name]).movedim(1, -1).abs()
        total = distance.sum(dtype=torch.promote_types(distance.dtype, torch.float32))
        terms.append(weight / distance.numel() * total)
    return torch.stack(terms).sum()


class S3NetPerceptualLoss(nn.Module):
    """Perceptual loss :func:`perceptual_loss` times ``loss_weight``, for ``perceptual_opt`` of BasicSR's models.

    Args:
        layer_weights: {layer: weight} with BasicSR's names of VGG19's layers.
        weights: of VGG19: 'imagenet' (torchvision's cache, or its download), 'random', or a torchvision state dict.
        normalize_input: subtract ImageNet's mean and divide by its standard deviation, as in VGG19's training. By
            default images stay as they are, as with the authors of S3Net.
        chunk_size: how many images go through VGG19 at a time, for less memory and more time; by default all.

    Raises:
        FileNotFoundError: there is no such weight file, or no way to download it.
        ValueError: an option is of the wrong kind, a layer is unknown, or the weight file does not fit.

    Example:
        >>> loss = S3NetPerceptualLoss(weights='random', layer_weights={'relu2_1': 1.0})
        >>> loss(torch.ones(1, 3, 8, 8), torch.ones(1, 3, 8, 8))
        (tensor(0.), None)
    """

    # Read by S3NetModel: VGG19 may run in the training's mixed precision, the means are float32 all the same.
    follows_autocast = True

    def __init__(
        self,
        *,
        loss_weight: float = 1.0,
        layer_weights: Mapping[str, float] = DEFAULT_LAYER_WEIGHTS,
        weights: str = 'imagenet',
        normalize_input: bool = False,
        chunk_size: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(layer_weights, Mapping):
            raise ValueError(f'S3NetPerceptualLoss: layer_weights must map layers to numbers, got {layer_weights!r}')
        if not isinstance(weights, str):
            raise ValueError(f"S3NetPerceptualLoss: weights must be 'imagenet', 'random' or a path, got {weights!r}")
        if not isinstance(normalize_input, bool):
            raise ValueError(f'S3NetPerceptualLoss: normalize_input must be true or false, got {normalize_input!r}')
        self.loss_weight = check_number(self, 'loss_weight', loss_weight)
        self.layer_weights = {
            name: check_number(self, f'layer_weights: {name}', weight) for name, weight in layer_weights.items()
        }
        self.chunk_size = None if chunk_size is None else check_number(self, 'chunk_size', chunk_size, 1, kind=int)
        self.vgg = VGG19Features(self.layer_weights, weights, normalize_input=normalize_input)

    def forward(self, pred: Tensor, target: Tensor) -> tuple[Tensor, None]:
        """Return the weighted scalar, and None for the style loss."""
        loss = perceptual_loss(pred, target, self.vgg, self.layer_weights, chunk_size=self.chunk_size)
        return self.loss_weight * loss, None
