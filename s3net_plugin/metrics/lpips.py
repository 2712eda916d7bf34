"""LPIPS of torchmetrics behind BasicSR's metric contract, with backbone weights from files only."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torchvision import models

from s3net_plugin.metrics.images import to_pair
from s3net_plugin.utils.checkpoint import load_weights_only
from s3net_plugin.utils.names import did_you_mean


class _Backbone(NamedTuple):
    name: str
    url: str
    smallest: int  # pixels a side; below it a pooling layer has nothing left to pool


_BACKBONES = {
    'alex': _Backbone('alexnet', models.AlexNet_Weights.IMAGENET1K_V1.url, 31),
    'vgg': _Backbone('vgg16', models.VGG16_Weights.IMAGENET1K_V1.url, 16),
    'squeeze': _Backbone('squeezenet1_1', models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url, 17),
}


def calculate_lpips(
    img: np.ndarray,
    img2: np.ndarray,
    crop_border: int,
    input_order: str = 'HWC',
    net: str = 'alex',
    weights: str | None = None,
    device: str | None = None,
    better: str = 'lower',
    data_range: float | None = None,
) -> float:
    """Return the learned perceptual distance LPIPS v0.1 (Zhang et al., CVPR 2018); 0 is equal, lower is better.

    The network sees RGB in [-1, 1] at full resolution, in float32. Its linear layers come with torchmetrics, its
    backbone from a file on disk: nothing is downloaded. It is built once per net, file and device.

    Args:
        img: BGR, (H, W, 3) or (3, H, W), in [0, ``data_range``].
        img2: the ground truth, as ``img``.
        crop_border: pixels left out at each edge before anything is computed.
        input_order: 'HWC' or 'CHW'.
        net: 'alex' (images of 31 x 31 at least), 'vgg' (16 x 16) or 'squeeze' (17 x 17).
        weights: torchvision's state dict of the backbone; None takes it from torchvision's cache.
        device: where the network runs; None is CUDA where there is a GPU, otherwise the CPU. ``prepare_metric`` fills
            in the model's.
        better: taken because BasicSR hands its option ``better`` on to the metric; only 'lower' is right. BasicSR
            itself reads a missing ``better`` as 'higher', so option files write it out.
        data_range: the largest value that an image can have; None is 255 for uint8 and 1 for floating dtypes.

    Raises:
        FileNotFoundError: there are no backbone weights; the message says which file belongs where.
        ValueError: an option is wrong, the images differ in shape, have not 3 channels or are too small for ``net``.
    """
    if better != 'lower':
        raise ValueError(f"better: a lower LPIPS is better, got {better!r}; write 'lower' or leave it out")
    network = lpips_network(net, weights, device)
    first, second = to_pair(img, img2, crop_border, input_order, data_range)
    height, width, channels = first.shape
    if channels != 3:
        raise ValueError(f'LPIPS needs images of 3 channels, got {channels}')
    smallest = _BACKBONES[net].smallest
    if min(height, width) < smallest:
        raise ValueError(
            f'LPIPS {net} needs {smallest} x {smallest} pixels at least, got {height} x {width} after cropping'
        )
    rgb = np.stack([first, second])[..., ::-1].transpose(0, 3, 1, 2) / 127.5 - 1
    batch = torch.from_numpy(rgb.astype(np.float32)).to(next(network.parameters()).device)
    with torch.no_grad():
        return float(network(batch[:1], batch[1:]))


def lpips_network(net: str = 'alex', weights: str | None = None, device: str | None = None) -> torch.nn.Module:
    """Return the LPIPS network, frozen and in eval mode: the same object for the same net, file and device.

    It maps two RGB images (N, 3, H, W) in [-1, 1] to distances (N, 1, 1, 1). Options and errors are those of
    ``calculate_lpips``. The global random state is left as it was.
    """
    if net not in _BACKBONES:
        raise ValueError(f'net: no LPIPS network is called {net!r}{did_you_mean(net, _BACKBONES)}')
    try:
        where = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    except RuntimeError:
        raise ValueError(f"device: {device!r} is no device; 'cpu' and 'cuda:0' are") from None
    if where.type == 'cuda' and where.index is None:
        where = torch.device('cuda', torch.cuda.current_device())
    return _build(net, _weights_file(net, weights), where)


def describe_lpips(net: str, weights: str | None) -> str:
    """Return the settings of ``calculate_lpips`` in words."""
    file = _weights_file(net, weights).name
    return f'LPIPS {net} v0.1 (torchmetrics {version("torchmetrics")}, backbone {file}), RGB range [-1, 1]'


def _weights_file(net: str, weights: str | None) -> Path:
    if weights is not None:
        return Path(weights).expanduser().absolute()
    return Path(torch.hub.get_dir(), 'checkpoints', Path(_BACKBONES[net].url).name).absolute()


@cache
def _build(net: str, file: Path, device: torch.device) -> torch.nn.Module:
    name, url, _ = _BACKBONES[net]
    if not file.is_file():
        raise FileNotFoundError(
            f"LPIPS {net}: no backbone weights at {file}; put torchvision's {name} there ({url}), "
            "or give a file with the metric's option weights"
        )
    content = load_weights_only(file)
    # A second and a half to import, and only LPIPS needs it.
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    # pnet_rand skips the download; the random weights are replaced below, and the run's own draws must not shift.
    with torch.random.fork_rng(devices=[]):
        network = _NoTrainLpips(net=net, pnet_rand=True)  # type: ignore[arg-type]
    # torchmetrics cuts torchvision's `features` into slices and keeps the numbers of the layers: slice2.3.weight (alex,
    # vgg) and slices.1.3.squeeze.weight (squeeze) are features.3.weight and features.3.squeeze.weight.
    backbone = {}
    for key, wanted in network.net.state_dict().items():
        source = re.sub(r'^slices?\.?\d+\.', 'features.', key)
        given = content.get(source)
        if not isinstance(given, torch.Tensor) or given.shape != wanted.shape:
            found = tuple(given.shape) if isinstance(given, torch.Tensor) else 'none'
            raise ValueError(
                f"{file}: not torchvision's {name}, {source} should have the shape {tuple(wanted.shape)}, got {found}"
            )
        backbone[key] = given
    network.net.load_state_dict(backbone)
    return network.to(device)
