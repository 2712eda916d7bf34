"""What a training run leaves, in forms that can be compared bit by bit."""

import json
import shutil
from pathlib import Path

import torch

from s3net_plugin.data import RGBDRelightPairedDataset, SampleIndex
from s3net_plugin.utils.checkpoint import load_weights_only


def steps(folder, rank=0):
    """Return [(iteration, hash of the network, *samples)] of every step that was taken, repeated ones included."""
    path = folder / f'record_{rank}.txt'
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(line.split()[0]), *line.split()[1:]) for line in lines if line.count(' ') > 1]


def states(folder):
    """Return the iterations of which there is a training state."""
    return sorted(int(path.stem) for path in folder.glob('experiments/*/training_states/[0-9]*.state'))


def result(folder):
    """Return everything that the run saved last: latest network, training state, best network and best results."""
    experiment = folder / 'experiments/tiny'
    latest, best = (load_weights_only(experiment / f'models/net_g_{name}.pth') for name in ('latest', 'best'))
    state = load_weights_only(experiment / f'training_states/{states(folder)[-1]}.state')
    return latest, state, best, json.loads((experiment / 'validation.json').read_text())


def equal(a, b):
    """Whether two checkpoints hold the same, tensors bit by bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if torch.is_tensor(a) else a == b


def damaged(rendered, folder):
    """Copy a rendered set and damage the images of its second scene, but for what is read before a run starts."""
    shutil.copytree(rendered, folder)
    common = {'phase': 'train', 'layout': 'scenes', 'dataroot': str(folder), 'scenes': [0, 1]}
    first = RGBDRelightPairedDataset({**common, 'name': 'x', 'type': 'x'})[SampleIndex(0, 0, 0, 0)]
    for image in set(folder.glob('Image001_*.png')) - {Path(first['guide_path'])}:
        image.write_bytes(image.read_bytes()[:60])
    return folder
