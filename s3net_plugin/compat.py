"""What BasicSR 1.4.2 needs from outside to run today: one small function per trap, each with its reason.

Nothing else in this package patches a foreign module. Every function looks first whether its trap is still there, so
that a BasicSR in which it has been mended is left alone.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import types
import uuid
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


def _still_has(function: Callable, line: str) -> bool:
    """Whether the source of ``function`` still holds the line that is the trap."""
    return line in inspect.getsource(function)


# -- needed by `import s3net_plugin` ---------------------------------------------------------------------------------


class _FunctionalTensor(MetaPathFinder, Loader):
    """``basicsr.data.degradations`` imports a module that torchvision 0.17 dropped; hand it the one name it takes."""

    name = 'torchvision.transforms.functional_tensor'

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == self.name else None

    def exec_module(self, module: types.ModuleType) -> None:
        from torchvision.transforms.functional import rgb_to_grayscale

        module.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]


def provide_functional_tensor() -> None:
    """Provide the module where it is missing, once somebody asks for it."""
    if not any(isinstance(finder, _FunctionalTensor) for finder in sys.meta_path):
        sys.meta_path.append(_FunctionalTensor())  # the last to be asked, so that torchvision's own comes first


def copy_ema_buffers() -> None:
    """``model_ema`` averages parameters only: the network that is validated keeps its initial BatchNorm statistics."""
    from basicsr.models.base_model import BaseModel

    stock = BaseModel.model_ema
    if _still_has(stock, 'buffers'):
        return

    def model_ema(self: Any, decay: float = 0.999) -> None:
        stock(self, decay)
        buffers = dict(self.get_bare_model(self.net_g).named_buffers())
        for name, buffer in self.net_g_ema.named_buffers():
            # Copied, not averaged: they are running averages already, and num_batches_tracked is a count.
            buffer.data.copy_(buffers[name].data)

    BaseModel.model_ema = model_ema


def write_checkpoints_whole() -> None:
    """Checkpoints are written in place, so a kill leaves a torn file, and a full disk is logged and forgotten."""
    from basicsr.models.base_model import BaseModel

    from s3net_plugin.models import checkpoints

    if _still_has(BaseModel.save_network, 'torch.save(save_dict, save_path)'):
        BaseModel.save_network = checkpoints.save_network
    if _still_has(BaseModel.save_training_state, 'torch.save(state, save_path)'):
        BaseModel.save_training_state = checkpoints.save_training_state


def load_safetensors() -> None:
    """``load_network`` knows pickles only, and weights are shared as safetensors."""
    from basicsr.models.base_model import BaseModel
    from basicsr.utils import get_root_logger

    from s3net_plugin.archs.pretrained import SUFFIX, read_checkpoint

    stock = BaseModel.load_network
    if _still_has(stock, 'safetensors'):
        return

    def load_network(
        self: Any, net: Any, load_path: str, strict: bool = True, param_key: str | None = 'params'
    ) -> None:
        """As in BasicSR; in safetensors there is one set of weights, whatever ``param_key`` is."""
        if Path(load_path).suffix != SUFFIX:
            stock(self, net, load_path, strict, param_key)
            return
        net = self.get_bare_model(net)
        weights = read_checkpoint(load_path)['params']
        get_root_logger().info(f'Loading {type(net).__name__} model from {load_path}.')
        self._print_different_keys_loading(net, weights, strict)
        net.load_state_dict(weights, strict=strict)

    BaseModel.load_network = load_network


# -- needed by the `basicsr` command ---------------------------------------------------------------------------------


def honour_option_file(opt: dict[str, Any]) -> None:
    """``parse_options`` overwrites ``experiments_root`` and ``results_root``, and several GPUs without a launcher
    silently become DataParallel with a larger batch; keep what the file says, and use one GPU and say so. Where
    ``pretrained`` stood, ``opt`` has a path."""
    import basicsr.test
    import basicsr.train
    from basicsr.utils import options

    if not _still_has(options.parse_options, "opt['path']['experiments_root'] = experiments_root"):
        return

    def parse_options(root_path: str, is_train: bool = True) -> tuple[dict[str, Any], Namespace]:
        parsed, args = options.parse_options(root_path, is_train)
        root, other = ('experiments_root', 'results_root') if is_train else ('results_root', 'experiments_root')
        parsed['path'].pop(other, None)  # BasicSR makes a directory of it, or fails to if it has no value
        weights = opt['path'].get('pretrain_network_g')
        if weights:
            parsed['path']['pretrain_network_g'] = str(Path(weights).expanduser())
        wanted = opt['path'].get(root)
        if wanted:
            stock_root = Path(parsed['path'][root])
            wanted_root = Path(root_path, Path(wanted).expanduser())
            for key in ('models', 'training_states', 'log', 'visualization', root):
                if key in parsed['path']:
                    parsed['path'][key] = str(wanted_root / Path(parsed['path'][key]).relative_to(stock_root))
        if not parsed['dist'] and parsed['num_gpu'] > 1:
            print(
                f'{parsed["num_gpu"]} GPUs and no launcher: using one. For all of them: torchrun --nproc_per_node='
                f'{parsed["num_gpu"]} -m s3net_plugin.train -opt {args.opt} --launcher pytorch',
                flush=True,
            )
            parsed['num_gpu'] = 1
        return parsed, args

    basicsr.train.parse_options = basicsr.test.parse_options = parse_options


def distribute_on_any_device(opt: dict[str, Any]) -> None:
    """``init_dist`` computes ``rank % 0`` where there is no GPU, assumes NCCL, and never sees ``dist_params``."""
    from basicsr.utils import dist_util, options

    if not _still_has(dist_util._init_dist_pytorch, 'rank % num_gpus'):
        return
    from s3net_plugin.utils.distributed import init_dist

    params = {**(opt.get('dist_params') or {}), 'use_gpus': opt['num_gpu'] != 0}
    options.init_dist = lambda launcher, **_: init_dist(launcher, **params)


def resume_on_any_device() -> None:
    """Resuming calls ``torch.cuda.current_device()``, looks in the working directory only and trusts torn files."""
    import basicsr.train

    from s3net_plugin.running.resume import load_resume_state

    if _still_has(basicsr.train.load_resume_state, 'torch.cuda.current_device()'):
        basicsr.train.load_resume_state = load_resume_state


def hand_draws_to_datasets() -> None:
    """``EnlargedSampler`` yields bare indices: a dataset knows neither seed nor epoch and repeats its random pairs."""
    import basicsr.train

    from s3net_plugin.data.sampling import StatefulDistributedSampler

    if _still_has(basicsr.train.EnlargedSampler, 'g.manual_seed(self.epoch)'):
        basicsr.train.EnlargedSampler = StatefulDistributedSampler


@contextmanager
def no_log_file_yet() -> Iterator[None]:
    """Whoever is the first to call ``get_root_logger`` decides for the whole run that there is no log file; BasicSR's
    data sets and builders do. What is called in this context does not count."""
    from basicsr.utils.logger import initialized_logger

    logger, before = logging.getLogger('basicsr'), dict(initialized_logger)
    handlers = list(logger.handlers)
    try:
        yield
    finally:
        initialized_logger.clear()
        initialized_logger.update(before)
        logger.handlers[:] = handlers


def raise_errors_of_prefetching() -> None:
    """With ``prefetch_mode: cpu`` an error in the data kills a thread and leaves the trainer waiting for ever, and an
    iterator that is dropped keeps its worker processes."""
    from basicsr.data import prefetch_dataloader

    from s3net_plugin.running.prefetch import PrefetchGenerator

    if _still_has(prefetch_dataloader.PrefetchGenerator, 'for item in self.generator:'):
        prefetch_dataloader.PrefetchGenerator = PrefetchGenerator


def run_to_total_iter() -> None:
    """Epochs are counted with ceil while the loader drops its last batch: a run can end early, or at once, silently."""
    import basicsr.train

    from s3net_plugin.data.sampling import check_batch, resume_sampling
    from s3net_plugin.running.run_folder import lock_folder
    from s3net_plugin.utils import preemption

    stock = basicsr.train.create_train_val_dataloader
    stock_load, stock_build = basicsr.train.load_resume_state, basicsr.train.build_model
    if not _still_has(stock, 'total_epochs = math.ceil(total_iters / (num_iter_per_epoch))'):
        return

    state: dict[str, Any] | None = None
    attached: tuple = ()  # what the pipeline has in local variables and does not hand on

    def load_resume_state(opt: dict[str, Any]) -> dict[str, Any] | None:
        nonlocal state
        state = stock_load(opt)
        return state

    def create_train_val_dataloader(opt: dict[str, Any], logger: Any) -> tuple:
        nonlocal attached
        train_loader, sampler, val_loaders, _, total_iters = stock(opt, logger)
        if opt['rank'] == 0:
            lock_folder(Path(opt['path']['experiments_root']))
        check_batch(len(sampler.dataset), len(sampler), opt['datasets']['train']['batch_size_per_gpu'])
        preemption.shield_workers(train_loader)
        attached = sampler, val_loaders
        # The pipeline's loop includes the last epoch's number.
        last_epoch = resume_sampling(train_loader, sampler, state, opt)
        return train_loader, sampler, val_loaders, last_epoch, total_iters

    def build_model(opt: dict[str, Any]) -> Any:
        model = stock_build(opt)
        if hasattr(model, 'attach'):
            model.attach(*attached)
        return model

    basicsr.train.load_resume_state = load_resume_state
    basicsr.train.create_train_val_dataloader = create_train_val_dataloader
    basicsr.train.build_model = build_model


def give_wandb_an_id() -> None:
    """``init_wandb_logger`` calls ``wandb.util.generate_id``, which is gone: pass an id that stays with the experiment,
    so that a resumed run goes on in the same place. ``logger:wandb:offline`` writes to disk only."""
    import basicsr.train
    from basicsr.utils.dist_util import master_only

    stock = basicsr.train.init_wandb_logger
    if not _still_has(stock, 'wandb.util.generate_id()'):
        return

    @master_only
    def init_wandb_logger(opt: dict[str, Any]) -> None:
        given = opt['logger']['wandb']
        if given.get('offline'):
            os.environ['WANDB_MODE'] = 'offline'
        if not given.get('resume_id'):
            path = Path(opt['path']['experiments_root'], 'wandb_id')
            if not path.exists():
                path.write_text(uuid.uuid4().hex[:8], encoding='utf-8')
            given['resume_id'] = path.read_text(encoding='utf-8').strip()
        stock(opt)

    basicsr.train.init_wandb_logger = init_wandb_logger


# -- in the order in which they are needed -----------------------------------------------------------------------------


def mend_models() -> None:
    """Once BasicSR can be imported."""
    copy_ema_buffers()
    write_checkpoints_whole()
    load_safetensors()


def prepare_run(opt: dict[str, Any]) -> None:
    """Before one of BasicSR's pipelines starts with the options ``opt``."""
    honour_option_file(opt)
    distribute_on_any_device(opt)
    resume_on_any_device()
    hand_draws_to_datasets()
    raise_errors_of_prefetching()
    run_to_total_iter()
    give_wandb_an_id()
