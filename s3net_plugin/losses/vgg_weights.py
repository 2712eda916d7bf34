"""Where the weights of VGG19 come from: torchvision's, a file, or a seed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models import VGG19_Weights

from s3net_plugin.utils.checkpoint import load_weights_only
from s3net_plugin.utils.download import download
from s3net_plugin.utils.names import did_you_mean

URL = VGG19_Weights.IMAGENET1K_V1.url


def vgg19_weights(weights: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return the float32 tensors of VGG19 that ``shapes`` names (``features.N.weight`` and ``features.N.bias``).

    Args:
        weights: 'imagenet' (torchvision's cache, or its download), 'random' (He initialisation from a fixed seed; logs
            a warning), or the path of a torchvision VGG19 state dict, of the whole network or of its features.
        shapes: what is wanted; anything else in a file is ignored.

    Raises:
        FileNotFoundError: there is no such file, or no way to download it; said within 5 seconds if nothing answers.
        ValueError: the file is no state dict, or lacks a tensor or has it in another shape; the message names all.
    """
    if weights == 'random':
        logging.getLogger('basicsr').warning('weights: random: VGG19 has learnt nothing; its features mean little')
        return _random_weights(shapes)
    path = _imagenet_file() if weights == 'imagenet' else Path(weights).expanduser()
    if not path.is_file():
        hint = did_you_mean(weights, ('imagenet', 'random'))
        raise FileNotFoundError(f'weights: {weights!r} is no file with a VGG19 state dict{hint}')
    return _read_weights(path, shapes)


def _random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(19)
    found = {name: torch.zeros(shape) for name, shape in shapes.items()}
    for value in found.values():
        if value.ndim > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
    return found


def _read_weights(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    content = load_weights_only(path)
    found, wrong = {}, []
    for name, shape in shapes.items():
        value = content.get(name, content.get(name.removeprefix('features.')))
        if not isinstance(value, Tensor):
            wrong.append(f'{name} is missing')
        elif tuple(value.shape) != tuple(shape):
            wrong.append(f'{name} is {tuple(value.shape)} and should be {tuple(shape)}')
        else:
            found[name] = value.float()
    if wrong:
        raise ValueError(f'weights: {path} is no VGG19 state dict of torchvision: {", ".join(wrong)}')
    return found


def _imagenet_file() -> Path:
    path = Path(torch.hub.get_dir()) / 'checkpoints' / Path(URL).name
    if not path.exists():

        def fetch() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(URL, str(path), hash_prefix=path.stem.rpartition('-')[2])

        download(
            'weights: imagenet',
            'VGG19',
            URL,
            fetch,
            f'put it at {path} or give its path as weights, or take weights: random to try things out',
        )
    return path
