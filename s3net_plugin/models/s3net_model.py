"""BasicSR's model for relighting networks: any number of losses, checkpoints that say what they are, nothing lost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import torch
from basicsr.archs import build_network
from basicsr.models.sr_model import SRModel
from basicsr.utils import get_root_logger
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor, nn

from s3net_plugin.data.sampling import StatefulDistributedSampler
from s3net_plugin.metrics.options import prepare_metric
from s3net_plugin.models import checkpoints, training_state
from s3net_plugin.models.criterion import Criterion
from s3net_plugin.models.ema import BufferSnapshot, ema_update, share_buffers
from s3net_plugin.models.evaluation import Evaluation, ValOptions
from s3net_plugin.models.precision import NonFiniteGuard, Precision, apply_memory_format, prepare_network
from s3net_plugin.models.train_options import OPTIONS, check_train_options
from s3net_plugin.models.validation import log_results, metric_options, validate
from s3net_plugin.report import Report
from s3net_plugin.utils import distributed, preemption
from s3net_plugin.utils.checkpoint import plain, without_pretraining


@MODEL_REGISTRY.register()
class S3NetModel(SRModel):
    """Model that trains and tests a network from ``lq`` (N, 8 or 4, H, W) to ``gt`` (N, 3, H, W), both in [0, 1].

    Beside ``SRModel``: every key of ``train`` that ends in ``_opt`` is a loss (one that returns a scalar or BasicSR's
    pair), losses are computed in float32, checkpoints carry the options of the network under ``network_g``,
    ``net_g_best.pth`` follows the first metric on the first validation set, validation is batched and shared among the
    processes, beside every saved image goes a panel, and the options of ``train_options`` are there.

    Beside networks, optimizers and schedulers, all that a run can lose has a ``state_dict`` and stands in ``stateful``.

    Raises:
        ValueError: ``train`` holds no loss, or an option of it is wrong.
    """

    train_options = OPTIONS
    check_train_options = staticmethod(check_train_options)
    val_options = frozenset(ValOptions.model_fields)
    check_val_options = staticmethod(ValOptions.of)
    stops_on_signals = True
    load_network, save_network = checkpoints.load_network, checkpoints.save_network
    net_g_ema: nn.Module | None = None
    _evaluated: nn.Module | None = None

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        if opt['dist']:
            # The first process has moved an old experiment away by now; no other may write its images before that.
            torch.distributed.barrier()
        metrics = metric_options(self.opt)
        metrics.update({name: prepare_metric(options, self.device) for name, options in metrics.items()})

    def init_training_settings(self) -> None:
        self.net_g.train()
        train_opt = self.opt['train']
        check_train_options(self.opt)
        self.precision = Precision(train_opt.get('amp'), self.device)
        if train_opt.get('amp') == 'auto':
            get_root_logger().info(f'amp: auto is {self.precision.dtype or torch.float32} on this {self.device.type}.')
        self.ema_decay = train_opt.get('ema_decay') or 0
        if self.ema_decay > 0:
            self._build_ema()
        self._buffers = BufferSnapshot(self.get_bare_model(self.net_g), self.net_g_ema)
        self.criterion = Criterion(train_opt, self.precision)
        self._values: dict[str, Tensor] = {}
        self._guard = NonFiniteGuard(train_opt.get('max_nonfinite') or 10)
        self._stop = False
        self._sampler: StatefulDistributedSampler | None = None
        self._val_loaders: Sequence[Any] = ()
        sets = [dataset['name'] for phase, dataset in self.opt['datasets'].items() if phase.startswith('val')]
        path = Path(self.opt['path']['experiments_root'], 'validation.json')
        self.record = training_state.ValidationRecord(path, sets, metric_options(self.opt))
        self.best_metric_results = self.record.best
        self.stateful: dict[str, Any] = {
            'signature': training_state.StateSignature(train_opt),  # refuses what the others could not load
            'scaler': self.precision,
            'nonfinite': self._guard,
            'validation': self.record,
            'rng': training_state.RNGState(),
        }
        self.setup_optimizers()
        self.setup_schedulers()

    def attach(self, sampler: StatefulDistributedSampler, val_loaders: Sequence[Any]) -> None:
        """Take what BasicSR's pipeline keeps to itself: the sampler of the training set and the validation loaders."""
        self._sampler = self.stateful['sampler'] = sampler
        self._val_loaders = val_loaders

    def _build_ema(self) -> None:
        get_root_logger().info(f'Use Exponential Moving Average with decay: {self.ema_decay}')
        net = self.get_bare_model(self.net_g)
        averaged = build_network(without_pretraining(self.opt['network_g'])).to(self.device)
        self.net_g_ema = apply_memory_format(averaged, self.opt['train'])
        path = self.opt['path'].get('pretrain_network_g')
        if path:
            self.load_network(self.net_g_ema, path, self.opt['path'].get('strict_load_g', True), 'params_ema')
        else:
            self.net_g_ema.load_state_dict(net.state_dict())
        self.net_g_ema.eval()
        # listed once: going through all modules takes longer than the update
        self._ema_pair: tuple[list[Tensor], list[Tensor]] = (
            list(self.net_g_ema.parameters()),
            list(net.parameters()),
        )

    def model_to_device(self, net: nn.Module) -> nn.Module:
        """Move the network; wrap it for distributed training, on GPUs (one a process) or on the CPU."""
        net = net.to(self.device)
        if not self.is_train:
            return net
        net = prepare_network(net, self.opt['train'], self.opt['dist'], self.device)
        if not self.opt['dist']:
            return net
        return distributed.wrap(net, self.device, self.opt.get('find_unused_parameters', False))

    def get_optimizer(self, optim_type: str, params: list[Tensor], lr: float, **kwargs: Any) -> torch.optim.Optimizer:
        """Build any optimizer of ``torch.optim`` by its name."""
        return getattr(torch.optim, optim_type)(params, lr=lr, **kwargs)

    def model_ema(self, decay: float = 0.999) -> None:
        """Average the parameters; the buffers are copied with the snapshot of them."""
        ema_update(*self._ema_pair, decay)

    def feed_data(self, data: dict[str, Any]) -> None:
        self.lq = data['lq'].to(self.device, non_blocking=True)
        self.gt: Any = data['gt'].to(self.device, non_blocking=True) if 'gt' in data else None
        self.paths = data.get('lq_path', [])

    def optimize_parameters(self, current_iter: int) -> None:
        self.optimizer_g.zero_grad(set_to_none=True)
        self._values, status = self.criterion.backward(self.net_g, self.lq, self.gt, self.opt['dist'])
        usable = self.precision.clip_gradient(self.optimizer_g, self.opt['train'].get('grad_clip'))
        failed, self._stop = status.read()
        if failed or not usable:
            self._buffers.restore()
            finite = all(bool(torch.isfinite(value)) for value in self._values.values())
            get_root_logger().warning(self._guard.add(current_iter, finite, self.paths))
        else:
            self._guard.reset()
            self.precision.scaler.step(self.optimizer_g)
            if self.ema_decay > 0:
                self.model_ema(decay=self.ema_decay)
            self._buffers.keep()
        self.precision.scaler.update()
        if self._sampler is not None:
            self._sampler.advance(len(self.lq))

    def get_current_log(self) -> dict[str, float]:
        """Return the losses of the last step; processes agree and GPUs are waited for only when this is asked."""
        log = self.reduce_loss_dict(self._values)
        if self._guard.count:
            log['skipped'] = self._guard.count
        scale = self.precision.scale()
        if scale is not None:
            log['loss_scale'] = scale
        return log

    def update_learning_rate(self, current_iter: int, warmup_iter: int = -1) -> None:
        if self._stop:  # everything that belongs to the iteration before is done
            self._leave(current_iter - 1)
        super().update_learning_rate(current_iter, warmup_iter)

    def _leave(self, current_iter: int) -> NoReturn:
        """Save and exit, as all processes have agreed to."""
        self.save(self._sampler.epoch if self._sampler is not None else 0, current_iter)
        get_root_logger().info(f'Asked to stop: saved iteration {current_iter}; go on with --auto_resume.')
        distributed.shutdown()
        raise SystemExit(preemption.EXIT_STOPPED)

    def test(self) -> None:
        """Run the averaged network, or the trained one, in evaluation mode on what was fed.

        The bare network, and not compiled: a distributed wrapper would wait for the other processes, which may have
        fewer images, and images of other sizes than the crops would be compiled for again. While ``validation`` runs,
        what ``Evaluation`` makes of that network.
        """
        net = self._evaluated or self._network()
        was_training = net.training
        net.eval()
        with torch.no_grad():
            self.output = net.forward(self.lq)
        net.train(was_training)

    def _network(self) -> nn.Module:
        return self.net_g_ema or self.get_bare_model(self.net_g)

    @cached_property
    def evaluation(self) -> Evaluation:
        """What makes the network ready for validation."""
        return Evaluation(self.opt, self.device)

    @cached_property
    def report(self) -> Report:
        """The report of a test run, which gathers its data sets."""
        return Report(self.opt, self.get_bare_model(self.net_g), self.device)

    def validation(self, dataloader: Any, current_iter: int | str, tb_logger: Any, save_img: bool = False) -> None:
        """Validate on one data set; all processes of a distributed job take part."""
        if self.is_train:
            checkpoints.check_finite(self.net_g)
            # The pipeline counts one further before it leaves its loop.
            current_iter = min(int(current_iter), int(self.opt['train']['total_iter']))
            if self.opt['dist']:
                share_buffers(self.get_bare_model(self.net_g), self.net_g_ema)
        dataset_name = dataloader.dataset.opt['name']
        self._evaluated = self.evaluation.network(self._network())
        try:
            means = validate(self, dataloader, current_iter, tb_logger, save_img)
        finally:
            self._evaluated = None  # what is trained or loaded next has other weights
        if means is None:
            self._leave(int(current_iter))
        if means:
            log_results(self, dataset_name, means, current_iter, tb_logger)
        if self.is_train:
            if self.record.is_best(dataset_name, int(current_iter)):
                self._save_networks('best')
            self.record.write(dataset_name, int(current_iter))

    def save(self, epoch: int, current_iter: int) -> None:
        """Write the network, then the state (so that a state always has its network), then drop what is too old.

        Raises:
            RunError: the weights are not finite; nothing is written, and the states that are there stay the newest.
        """
        checkpoints.check_finite(self.net_g)
        self._save_networks(current_iter)
        self.save_training_state(epoch, current_iter)
        keep = self.opt['train'].get('keep_last')
        if keep and self.opt['rank'] == 0:
            checkpoints.prune(self.opt['path'], keep, current_iter)

    def _save_networks(self, label: int | str) -> None:
        networks = {'params': self.net_g}
        if self.net_g_ema is not None:
            networks['params_ema'] = self.net_g_ema
        options = plain(without_pretraining(self.opt['network_g']))
        self.save_network(list(networks.values()), 'net_g', label, list(networks), {'network_g': options})

    def save_training_state(self, epoch: int, current_iter: int) -> None:
        """Save the state of optimizers, schedulers and all in ``stateful``; every process has to call this."""
        parts = {name: part.state_dict() for name, part in self.stateful.items()}
        checkpoints.save_training_state(self, epoch, current_iter, parts)

    def resume_training(self, resume_state: dict[str, Any]) -> None:
        """Go on from a state, and validate what the run before was too late for.

        Raises:
            OptionError: the state is made for other options.
        """
        for name, part in self.stateful.items():
            if name in resume_state:
                part.load_state_dict(resume_state[name])
        training_state.override_hyperparameters(resume_state, self.optimizers, self.schedulers)
        super().resume_training(resume_state)
        training_state.match_layout(self.optimizer_g)
        last_iter = resume_state['iter']
        self.record.rewind(last_iter)
        if self.opt.get('val') and last_iter % self.opt['val']['val_freq'] == 0:
            for loader in self._val_loaders:
                if self.record.lacks(loader.dataset.opt['name'], last_iter):
                    self.validation(loader, last_iter, None, self.opt['val']['save_img'])
