"""The frozen features of VGG19."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torchvision.models import vgg19

from s3net_plugin.losses.vgg_weights import vgg19_weights
from s3net_plugin.utils.names import did_you_mean

# BasicSR's name of every module in torchvision's ``features``, in order
LAYERS = tuple(
    name
    for block, convolutions in enumerate((2, 2, 4, 4, 4), start=1)
    for name in [
        *(f'{kind}{block}_{number}' for number in range(1, convolutions + 1) for kind in ('conv', 'relu')),
        f'pool{block}',
    ]
)


class VGG19Features(nn.Module):
    """VGG19 (Simonyan and Zisserman, ICLR 2015) up to the last layer asked for, frozen.

    Args:
        layers: names of layers in BasicSR's spelling: conv1_1, relu3_1, pool4, ...
        weights: 'imagenet', 'random' or a path; see ``vgg19_weights``.
        normalize_input: subtract ImageNet's mean from images in [0, 1] and divide by its standard deviation.

    Raises:
        FileNotFoundError: there is no such weight file, or no way to download it.
        ValueError: a layer is unknown, none is given, or the weight file does not fit.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layers: Collection[str], weights: str, *, normalize_input: bool = False) -> None:
        super().__init__()
        for name in layers:
            if name not in LAYERS:
                raise ValueError(f'VGG19 has no layer {name!r}{did_you_mean(name, LAYERS)}')
        if not layers:
            raise ValueError('no layer of VGG19 is named; give at least one, such as relu3_1')
        self.layers = frozenset(layers)
        self.normalize_input = normalize_input
        # On the meta device, since weights that are replaced anyway need no memory, time or random numbers.
        with torch.device('meta'):
            self.features = vgg19(init_weights=False).features[: max(map(LAYERS.index, layers)) + 1]
        shapes = {name: tuple(value.shape) for name, value in self.state_dict().items()}
        self.load_state_dict(vgg19_weights(weights, shapes), assign=True)
        self.requires_grad_(False).to(memory_format=torch.channels_last)
        for index, module in enumerate(self.features):
            if isinstance(module, nn.ReLU):  # in place, unless that would change an output of the convolution before
                module.inplace = LAYERS[index - 1] not in layers
        self.register_buffer('mean', torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    @property
    def minimum_side(self) -> int:
        """The smallest height or width that all poolings can halve."""
        return 2 ** sum(isinstance(module, nn.MaxPool2d) for module in self.features)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return {layer: features (N, C, h, w)} for images (N, 3, H, W)."""
        value = images.to(self.features[0].weight.dtype, memory_format=torch.channels_last)
        if self.normalize_input:
            value = (value - self.mean) / self.std
        outputs = {}
        for name, module in zip(LAYERS, self.features, strict=False):
            value = module(value)
            if name in self.layers:
                outputs[name] = value
        return outputs
