"""BasicSR's model for relighting networks: any number of losses, checkpoints that say what they are, nothing lost."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import torch
from basicsr.archs import build_network
from basicsr.models.sr_model import SRModel
from basicsr.utils import get_root_logger
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor, nn

from s3net_plugin.metrics.options import prepare_metric
from s3net_plugin.models import checkpoints
from s3net_plugin.models.checkpoints import check_finite
from s3net_plugin.models.criterion import Criterion
from s3net_plugin.models.ema import Average, Statistics, share_buffers
from s3net_plugin.models.precision import Precision, StepStatus, apply_memory_format, prepare_network
from s3net_plugin.models.pruning import prune
from s3net_plugin.models.skipping import NonFiniteGuard
from s3net_plugin.models.train_options import OPTIONS, check_train_options
from s3net_plugin.models.training_state import (
    ValidationRecord,
    best_of,
    check_kept,
    match_layout,
    override_hyperparameters,
    state_signature,
)
from s3net_plugin.models.validation import validate
from s3net_plugin.report import Report
from s3net_plugin.utils import distributed, preemption
from s3net_plugin.utils.checkpoint import plain, without_pretraining
from s3net_plugin.utils.progress import progress
from s3net_plugin.utils.rng import rng_state, set_rng_state


@MODEL_REGISTRY.register()
class S3NetModel(SRModel):
    """Trains and tests a network that maps ``lq`` (N, 8 or 4, H, W) to ``gt`` (N, 3, H, W), both in [0, 1].

    Beside ``SRModel``: every key of ``train`` that ends in ``_opt`` is a loss (one that returns a scalar or BasicSR's
    pair), losses are computed in float32, checkpoints carry the options of the network under ``network_g``,
    ``net_g_best.pth`` follows the first metric on the first validation set, validation is batched and shared among the
    processes, beside every saved image goes a panel, and the options of ``train_options`` are there.

    Raises:
        ValueError: ``train`` holds no loss, or an option of it is wrong.
    """

    train_options = frozenset(OPTIONS)
    check_train_options = staticmethod(check_train_options)
    stops_on_signals = True
    save_network = checkpoints.save_network
    save_training_state = checkpoints.save_training_state
    load_network = checkpoints.load_network

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        if opt['dist']:
            # The first process has moved an old experiment away by now; no other may write its images before that.
            torch.distributed.barrier()
        metrics = self._metrics()
        for name, options in metrics.items():
            metrics[name] = prepare_metric(options, self.device)

    def _metrics(self) -> dict[str, dict[str, Any]]:
        return (self.opt.get('val') or {}).get('metrics') or {}

    def init_training_settings(self) -> None:
        self.net_g.train()
        train_opt = self.opt['train']
        check_train_options(self.opt)
        if train_opt.get('cudnn_benchmark') is not None:
            torch.backends.cudnn.benchmark = train_opt['cudnn_benchmark']
        self.precision = Precision(train_opt.get('amp'), self.device)
        self.ema_decay = train_opt.get('ema_decay') or 0
        if self.ema_decay > 0:
            self._build_ema()
        self._statistics = Statistics(self.get_bare_model(self.net_g), getattr(self, 'net_g_ema', None))
        self.objective = Criterion(train_opt, self.device, self.precision.autocast)
        self._values: OrderedDict[str, Tensor] = OrderedDict()
        self._skipped = NonFiniteGuard(train_opt.get('max_nonfinite') or 10)
        self._stop = False
        self._resumed: dict[str, Any] | None = None
        self._kept = state_signature(train_opt)
        self._record = ValidationRecord(Path(self.opt['path']['experiments_root'], 'validation.json'))
        self.setup_optimizers()
        self.setup_schedulers()

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
        self._average = Average(self.net_g_ema, net)

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
        """Average the parameters; the buffers are copied with ``self._statistics``."""
        self._average.update(decay)

    def feed_data(self, data: dict[str, Any]) -> None:
        self.lq = data['lq'].to(self.device, non_blocking=True)
        self.gt: Any = data['gt'].to(self.device, non_blocking=True) if 'gt' in data else None
        self.paths = data.get('lq_path', [])

    def optimize_parameters(self, current_iter: int) -> None:
        scaler = self.precision.scaler
        self.optimizer_g.zero_grad(set_to_none=True)
        verdict = self._accumulate_gradients(self.opt['train'].get('accumulate') or 1)
        scaler.unscale_(self.optimizer_g)
        usable = self._clip(self.opt['train'].get('grad_clip'))
        failed, self._stop = verdict.read()
        if failed or not usable:
            self._statistics.restore()
            finite = all(bool(torch.isfinite(value)) for value in self._values.values())
            get_root_logger().warning(self._skipped.add(current_iter, finite, self.paths))
        else:
            self._skipped.reset()
            scaler.step(self.optimizer_g)
            if self.ema_decay > 0:
                self.model_ema(decay=self.ema_decay)
            self._statistics.keep()
        scaler.update()
        progress.count_batch()

    def _accumulate_gradients(self, slices: int) -> StepStatus:
        """Run forward and backward over equal slices of the batch; processes exchange gradients on the last one."""
        self._values = OrderedDict()
        pairs = list(zip(self.lq.chunk(slices), self.gt.chunk(slices), strict=True))
        for i, (lq, gt) in enumerate(pairs, 1):
            is_last = i == len(pairs)
            waiting = nullcontext() if is_last or not self.opt['dist'] else self.net_g.no_sync()
            with waiting:
                if self.opt['train'].get('channels_last'):
                    lq = lq.contiguous(memory_format=torch.channels_last)
                with self.precision.autocast():
                    output = self.net_g(lq)
                values = self.objective(output.float(), gt)
                total = torch.stack(list(values.values())).sum() / len(pairs)
                for name, value in values.items():
                    self._values[name] = self._values.get(name, 0) + value.detach() / len(pairs)
                if is_last:
                    everything = torch.stack(list(self._values.values())).sum()
                    verdict = StepStatus(everything, preemption.requested(), self.opt['dist'])
                self.precision.scaler.scale(total).backward()
        return verdict

    def _clip(self, limit: float | None) -> bool:
        """Clip the norm of the gradient; whether it can be used (the scaler of float16 decides that itself)."""
        if not limit:
            return True
        norm = nn.utils.clip_grad_norm_(self.optimizer_g.param_groups[0]['params'], limit)
        return self.precision.scaler.is_enabled() or bool(torch.isfinite(norm))

    def get_current_log(self) -> dict[str, float]:
        """Return the losses of the last step; processes agree and GPUs are waited for only when this is asked."""
        log = self.reduce_loss_dict(self._values)
        if self._skipped.count:
            log['skipped'] = self._skipped.count
        scale = self.precision.scale()
        if scale is not None:
            log['loss_scale'] = scale
        return log

    def update_learning_rate(self, current_iter: int, warmup_iter: int = -1) -> None:
        if self._stop:  # everything that belongs to the iteration before is done
            self._leave(current_iter - 1)
        if self._resumed is not None:
            self._catch_up(current_iter - 1, self._resumed.get('rng', []))
            self._resumed = None
        super().update_learning_rate(current_iter, warmup_iter)

    def _catch_up(self, last_iter: int, rng: list[dict[str, Any]]) -> None:
        """SampleIndex on from where the run before stopped, and validate what it may have been too late for."""
        if len(rng) == self.opt['world_size']:
            # Not any earlier, since building loaders and networks draws numbers too.
            set_rng_state(rng[self.opt['rank']])
        if self.opt.get('val') and last_iter % self.opt['val']['val_freq'] == 0:
            for loader in progress.validation:
                if self._record.lacks(loader.dataset.opt['name'], last_iter):
                    self.validation(loader, last_iter, None, self.opt['val']['save_img'])

    def _leave(self, current_iter: int) -> NoReturn:
        """Save and exit, as all processes have agreed to."""
        self.save(progress.epoch, current_iter)
        get_root_logger().info(f'Asked to stop: saved iteration {current_iter}; go on with --auto_resume.')
        distributed.shutdown()
        raise SystemExit(preemption.EXIT_STOPPED)

    def test(self) -> None:
        """Run the averaged network, or the trained one, in evaluation mode on what was fed.

        The bare network, and not compiled: a distributed wrapper would wait for the other processes, which may have
        fewer images, and images of other sizes than the crops would be compiled for again.
        """
        net = getattr(self, 'net_g_ema', None) or self.get_bare_model(self.net_g)
        was_training = net.training
        net.eval()
        with torch.no_grad():
            self.output = net.forward(self.lq)
        net.train(was_training)

    @cached_property
    def report(self) -> Report:
        """The report of a test run, which gathers its data sets."""
        return Report(self.opt, self.get_bare_model(self.net_g), self.device)

    def validation(self, dataloader: Any, current_iter: int | str, tb_logger: Any, save_img: bool = False) -> None:
        """Validate on one data set; all processes of a distributed job take part."""
        if self.is_train:
            check_finite(self.net_g)
            # The pipeline counts one further before it leaves its loop.
            current_iter = min(int(current_iter), int(self.opt['train']['total_iter']))
            if self.opt['dist']:
                share_buffers(self.get_bare_model(self.net_g), getattr(self, 'net_g_ema', None))
        dataset_name = dataloader.dataset.opt['name']
        means = validate(self, dataloader, current_iter, tb_logger, save_img)
        if means is None:
            self._leave(int(current_iter))
        if means:
            self.metric_results = means
            self._initialize_best_metric_results(dataset_name)
            for metric, value in means.items():
                self._update_best_metric_result(dataset_name, metric, value, current_iter)
            if self.opt['rank'] == 0:
                self._log_validation_metric_values(current_iter, dataset_name, tb_logger)
        if self.is_train:
            self._keep_results(dataset_name, int(current_iter))

    def _keep_results(self, dataset_name: str, current_iter: int) -> None:
        best = getattr(self, 'best_metric_results', {})
        is_first = dataset_name == self._validation_sets()[0]
        if is_first and dataset_name in best and next(iter(best[dataset_name].values()))['iter'] == current_iter:
            self._save_networks('best')
        if self.opt['rank'] == 0:
            self._record.write(dataset_name, current_iter, plain(best))

    def _validation_sets(self) -> list[str]:
        return [dataset['name'] for phase, dataset in self.opt['datasets'].items() if phase.startswith('val')]

    def save(self, epoch: int, current_iter: int) -> None:
        """Write the network, then the state (so that a state always has its network), then drop what is too old.

        Raises:
            RunError: the weights are not finite; nothing is written, and the states that are there stay the newest.
        """
        check_finite(self.net_g)
        self._rng_states = distributed.all_gather_object(rng_state())
        self._save_networks(current_iter)
        self.save_training_state(epoch, current_iter)
        keep = self.opt['train'].get('keep_last')
        if keep and self.opt['rank'] == 0:
            path = self.opt['path']
            prune(Path(path['models']), Path(path['training_states']), ['net_g'], keep, current_iter)

    def _save_networks(self, label: int | str) -> None:
        if hasattr(self, 'net_g_ema'):
            self.save_network([self.net_g, self.net_g_ema], 'net_g', label, param_key=['params', 'params_ema'])
        else:
            self.save_network(self.net_g, 'net_g', label)

    def checkpoint_extras(self) -> dict[str, Any]:
        """What every checkpoint holds beside weights: the options that build its network."""
        return {'network_g': plain(without_pretraining(self.opt['network_g']))}

    def state_extras(self) -> dict[str, Any]:
        """What a training state holds beside BasicSR's own."""
        return {
            'rng': self._rng_states,
            'skipped': self._skipped.count,
            'state_signature': self._kept,
            'best_metric_results': plain(getattr(self, 'best_metric_results', {})),
            **self.precision.state(),
            **progress.state(),
        }

    def resume_training(self, resume_state: dict[str, Any]) -> None:
        check_kept(resume_state, self._kept)
        override_hyperparameters(resume_state, self.optimizers, self.schedulers)
        super().resume_training(resume_state)
        match_layout(self.optimizer_g)
        self.precision.load_state(resume_state)
        self._skipped.count = resume_state.get('skipped', 0)
        records = resume_state.get('best_metric_results', {}), self._record.read()
        self._record.rewind(resume_state['iter'])
        self.best_metric_results = best_of(records, self._validation_sets(), self._metrics())
        self._resumed = resume_state
