"""BasicSR's own training and test, with some of its parts replaced while they run: two tables, each entry with why."""

from __future__ import annotations

import os
import uuid
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import basicsr.test
import basicsr.train
from basicsr.data import prefetch_dataloader
from basicsr.metrics import psnr_ssim
from basicsr.models.base_model import BaseModel
from basicsr.utils.dist_util import master_only
from torch import nn

from s3net_plugin.data.sampling import StatefulDistributedSampler, check_batch, resume_sampling
from s3net_plugin.metrics.fast_ssim import ssim_of_channel
from s3net_plugin.models import checkpoints
from s3net_plugin.running.parse_options import complete_options
from s3net_plugin.running.prefetch import PrefetchGenerator
from s3net_plugin.running.resume import load_resume_state
from s3net_plugin.running.run_folder import lock_folder
from s3net_plugin.utils import distributed, preemption

_stock_build_model = basicsr.train.build_model
_stock_dataloaders = basicsr.train.create_train_val_dataloader
_stock_wandb = basicsr.train.init_wandb_logger
_stock_model_ema = BaseModel.model_ema
_stock_model_to_device = BaseModel.model_to_device


@contextmanager
def replaced(owner: Any, **parts: Any) -> Iterator[None]:
    """Monkey-patch attributes of a module or a class for as long as the context lasts.

    Raises:
        AttributeError: there is none of that name, so BasicSR is another one than this package was tried with.
    """
    before = {name: getattr(owner, name) for name in parts}
    try:
        for name, part in parts.items():
            setattr(owner, name, part)
        yield
    finally:
        for name, part in before.items():
            setattr(owner, name, part)


def train(opt: dict[str, Any], args: Namespace) -> None:
    """Run ``basicsr.train.train_pipeline`` in the working directory with checked options and BasicSR's flags."""
    run = _Training()
    with (
        mended_models(),
        replaced(
            basicsr.train,
            # The file is read once, by this package.
            parse_options=lambda root, is_train: (complete_options(opt, args, is_train=is_train), args),
            # Resuming asks for a current GPU, looks in the working directory only and trusts torn files.
            load_resume_state=run.load_resume_state,
            # Yields bare indices: a dataset knows neither seed nor epoch and repeats its random pairs.
            EnlargedSampler=StatefulDistributedSampler,
            # Epochs are counted with ceil while the loader drops its last batch: a run can end early, silently.
            create_train_val_dataloader=run.create_train_val_dataloader,
            # A model is told neither where in the data the run is nor what it is validated on.
            build_model=run.build_model,
            # Calls wandb.util.generate_id, which is gone.
            init_wandb_logger=init_wandb_logger,
        ),
        # With prefetch_mode: cpu an error in the data leaves the trainer waiting for ever; workers are kept.
        replaced(prefetch_dataloader, PrefetchGenerator=PrefetchGenerator),
    ):
        basicsr.train.train_pipeline(str(Path.cwd()))


def test(opt: dict[str, Any], args: Namespace) -> None:
    """Run ``basicsr.test.test_pipeline`` likewise."""
    options = complete_options(opt, args, is_train=False)
    with mended_models(), replaced(basicsr.test, parse_options=lambda root, is_train: (options, args)):
        basicsr.test.test_pipeline(str(Path.cwd()))


@contextmanager
def mended_models() -> Iterator[None]:
    """What every model needs, and what BasicSR's own do; ``S3NetModel`` has that as methods of its own."""
    with (
        # Takes longer than small networks do, with dense windows over whole images; the value is the same.
        replaced(psnr_ssim, _ssim=ssim_of_channel),
        replaced(
            BaseModel,
            # Averages parameters only: the network that is validated keeps its initial BatchNorm statistics.
            model_ema=model_ema,
            # Asks for a current GPU wherever there is a launcher.
            model_to_device=model_to_device,
            # Checkpoints are written in place: a kill leaves a torn file, and a full disk is logged and forgotten.
            save_network=checkpoints.save_network,
            save_training_state=checkpoints.save_training_state,
            # Knows pickles only, and weights are shared as safetensors.
            load_network=checkpoints.load_network,
        ),
    ):
        yield


# -- the parts ---------------------------------------------------------------------------------------------------------


class _Training:
    """What BasicSR's pipeline keeps in local variables: the state a run goes on from, its sampler, its loaders."""

    state: dict[str, Any] | None = None
    sampler: StatefulDistributedSampler
    val_loaders: list[Any]

    def load_resume_state(self, opt: dict[str, Any]) -> dict[str, Any] | None:
        self.state = load_resume_state(opt)
        return self.state

    def create_train_val_dataloader(self, opt: dict[str, Any], logger: Any) -> tuple:
        """Build BasicSR's loaders, take the run's folder, and count the epochs that ``total_iter`` takes."""
        loader, self.sampler, self.val_loaders, _, total_iters = _stock_dataloaders(opt, logger)
        if opt['rank'] == 0:
            lock_folder(Path(opt['path']['experiments_root']))
        check_batch(len(loader.dataset), len(self.sampler), opt['datasets']['train']['batch_size_per_gpu'])
        preemption.shield_workers(loader)
        # The pipeline's loop includes the last epoch's number.
        last_epoch = resume_sampling(loader, self.sampler, self.state, opt)
        return loader, self.sampler, self.val_loaders, last_epoch, total_iters

    def build_model(self, opt: dict[str, Any]) -> Any:
        model = _stock_build_model(opt)
        if hasattr(model, 'attach'):
            model.attach(self.sampler, self.val_loaders)
        return model


@master_only
def init_wandb_logger(opt: dict[str, Any]) -> None:
    """Start Weights & Biases with an id that stays with the experiment, so that a resumed run goes on in one place.

    ``logger:wandb:offline`` writes to disk only.
    """
    given = opt['logger']['wandb']
    if given.get('offline'):
        os.environ['WANDB_MODE'] = 'offline'
    if not given.get('resume_id'):
        path = Path(opt['path']['experiments_root'], 'wandb_id')
        if not path.exists():
            path.write_text(uuid.uuid4().hex[:8], encoding='utf-8')
        given['resume_id'] = path.read_text(encoding='utf-8').strip()
    _stock_wandb(opt)


def model_ema(self: Any, decay: float = 0.999) -> None:
    """Average the parameters as BasicSR does, and copy the buffers."""
    _stock_model_ema(self, decay)
    buffers = dict(self.get_bare_model(self.net_g).named_buffers())
    for name, buffer in self.net_g_ema.named_buffers():
        # Copied, not averaged: they are running averages already, and num_batches_tracked is a count.
        buffer.data.copy_(buffers[name].data)


def model_to_device(self: Any, net: nn.Module) -> nn.Module:
    """Move a network as BasicSR does; in a distributed job without GPUs, wrap it for the CPU."""
    if self.device.type == 'cuda' or not self.opt['dist']:
        return _stock_model_to_device(self, net)
    return distributed.wrap(net.to(self.device), self.device, self.opt.get('find_unused_parameters', False))
