"""Backbones with seeded random weights in files of torchvision's layout: nothing is downloaded."""

import numpy as np
import pytest
import torch
from torchvision import models

CONSTRUCTORS = {'alex': models.alexnet, 'vgg': models.vgg16, 'squeeze': models.squeezenet1_1}


def random_state_dict(net, prefix=''):
    with torch.device('meta'):
        shapes = {name: value.shape for name, value in CONSTRUCTORS[net]().state_dict().items()}
    generator = torch.Generator().manual_seed(7)
    return {
        name: torch.randn(shape, generator=generator) * (2 / max(shape[1:].numel(), 1)) ** 0.5
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }


@pytest.fixture(scope='session')
def backbone(tmp_path_factory):
    """A function that returns the path of a state dict of a backbone's convolutions."""
    folder = tmp_path_factory.mktemp('backbones')

    def path(net):
        file = folder / f'{net}.pth'
        if not file.is_file():
            torch.save(random_state_dict(net, 'features.'), file)
        return str(file)

    return path


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """Torchvision's cache, as an empty folder of this test."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    folder = tmp_path / 'hub' / 'checkpoints'
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def images():
    """A uint8 BGR image and a noisy copy of it."""
    generator = np.random.default_rng(3)
    img = generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    noisy = np.clip(img + generator.normal(0, 40, img.shape), 0, 255).astype(np.uint8)
    return img, noisy
