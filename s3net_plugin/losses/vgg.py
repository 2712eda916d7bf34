"""The frozen features of VGG19, and where their weights come from: torchvision's, a file, or a seed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import VGG19_Weights, vgg19

from s3net_plugin.utils.checkpoint import read_state_dict, state_dict_mismatch
from s3net_plugin.utils.download import download
from s3net_plugin.utils.names import did_you_mean

URL = VGG19_Weights.IMAGENET1K_V1.url
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
    """VGG19 features (Simonyan and Zisserman, ICLR 2015) up to the last layer asked for, frozen.

    Args:
        layers: names of layers in BasicSR's spelling: conv1_1, relu3_1, pool4, ...
        weights: 'imagenet', 'random' or a path; see ``vgg19_weights``.
        normalize_input: subtract ImageNet's mean from images in [0, 1] and divide by its standard deviation.

    Raises:
        FileNotFoundError: there is no such weight file, or no way to download it.
        ValueError: a layer is unknown, none is given, or the weight file does not fit.

    Example:
        >>> features = VGG19Features(['relu1_1', 'relu2_1'], 'random')(torch.rand(1, 3, 8, 8))
        >>> {layer: tuple(value.shape) for layer, value in features.items()}
        {'relu1_1': (1, 64, 8, 8), 'relu2_1': (1, 128, 4, 4)}
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
        self.load_state_dict(vgg19_weights(weights, self.state_dict()), assign=True)
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


def vgg19_weights(weights: str, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """VGG19 weights in float32 for the names in ``wanted`` (``features.N.weight`` and ``features.N.bias``).

    Args:
        weights: 'imagenet' (torchvision's cache, or its download), 'random' (He initialisation from a fixed seed; logs
            a warning), or the path of a torchvision VGG19 state dict, of the whole network or of its features.
        wanted: tensors of the same names and shapes; anything else in a file is ignored.

    Raises:
        FileNotFoundError: there is no such file, or no way to download it; said within 5 seconds if nothing answers.
        ValueError: the file is no state dict, or lacks a tensor or has it in another shape; the message names all.
    """
    if weights == 'random':
        logging.getLogger('basicsr').warning('weights: random: VGG19 has learnt nothing; its features mean little')
        generator = torch.Generator().manual_seed(19)
        found = {name: torch.zeros(value.shape) for name, value in wanted.items()}
        for value in found.values():
            if value.ndim > 1:
                value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        return found
    path = _imagenet_file() if weights == 'imagenet' else Path(weights).expanduser()
    if not path.is_file():
        hint = did_you_mean(weights, ('imagenet', 'random'))
        raise FileNotFoundError(f'weights: {weights!r} is no file with a VGG19 state dict{hint}')
    content = read_state_dict(path)
    spelt = {name: name if name in content else name.removeprefix('features.') for name in wanted}
    found = {name: content[spelling].float() for name, spelling in spelt.items() if spelling in content}
    misfit = state_dict_mismatch(wanted, found)
    if misfit:
        raise ValueError(f'weights: {path} is no VGG19 state dict of torchvision: {misfit}')
    return found


def _imagenet_file() -> Path:
    path = Path(torch.hub.get_dir()) / 'checkpoints' / Path(URL).name

    def fetch() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(URL, str(path), hash_prefix=path.stem.rpartition('-')[2])

    if not path.exists():
        instead = f'put it at {path} or give its path as weights, or take weights: random to try things out'
        download('weights: imagenet', 'VGG19', URL, fetch, instead)
    return path
