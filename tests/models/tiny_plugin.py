"""A BasicSR plugin for tests: a network of milliseconds, a model that writes down what it does, parts that fail."""

import functools
import hashlib
import os
import resource
import signal
import time
from pathlib import Path

import torch
from basicsr.utils.registry import ARCH_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY
from torch import nn

from s3net_plugin.models import S3NetModel


@ARCH_REGISTRY.register()
class TinyNet(nn.Module):
    """Two convolutions with what makes a run hard to repeat between them: BatchNorm and dropout."""

    def __init__(self, *, channels=8, batch_norm=True, dropout=0.0):
        super().__init__()
        self.conv1 = nn.Conv2d(8, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels) if batch_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x):
        return x[:, :3] + self.conv2(self.dropout(torch.relu(self.norm(self.conv1(x)))))


def digest(state_dict):
    """Return a hash of every bit of some tensors."""
    content = hashlib.sha1()
    for tensor in state_dict.values():
        content.update(tensor.numpy().tobytes())
    return content.hexdigest()


@MODEL_REGISTRY.register()
class RecordingModel(S3NetModel):
    """Writes down every step; environment variables make it slow, fill its disk or choose the compiler's backend."""

    def __init__(self, opt):
        if 'BACKEND' in os.environ:
            torch.compile = functools.partial(torch.compile, backend=os.environ['BACKEND'])
        super().__init__(opt)

    def optimize_parameters(self, current_iter):
        if 'READS' in os.environ:
            Path(os.environ['READS']).read_text()
        super().optimize_parameters(current_iter)
        names = [Path(path).stem for path in self.paths]
        with Path(os.environ['RECORD_FOLDER'], f'record_{self.opt["rank"]}.txt').open('a') as file:
            print(current_iter, digest(self.get_bare_model(self.net_g).state_dict()), *names, file=file)
        time.sleep(float(os.environ.get('SECONDS', 0)))
        if current_iter == int(os.environ.get('DISK_FULL_AT', 0)):
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    def save_training_state(self, epoch, current_iter):
        if self.opt['rank'] == 0:
            time.sleep(float(os.environ.get('SECONDS_TO_SAVE', 0)))
        super().save_training_state(epoch, current_iter)


@LOSS_REGISTRY.register()
class FailingLoss(nn.Module):
    """The mean absolute error, not a number at the given calls; on one process only if ``rank`` is given."""

    def __init__(self, *, calls=(), rank=None):
        super().__init__()
        self.calls = calls
        self.here = rank is None or int(os.environ.get('RANK', 0)) == rank
        self.count = 0

    def forward(self, output, target):
        self.count += 1
        loss = (output - target).abs().mean()
        return loss * float('nan') if self.here and self.count in self.calls else loss


_calls = []


@METRIC_REGISTRY.register()
def calculate_sigterm(img, img2, *, at, number=signal.SIGTERM):
    """Constant; sends this process a SIGTERM, or another signal, when it is called for the ``at``-th time."""
    _calls.append(at)
    if len(_calls) == at:
        os.kill(os.getpid(), number)
    return 1.0
