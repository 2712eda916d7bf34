"""BasicSR's model for relighting networks: any number of losses, checkpoints that say what they are, nothing lost."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from basicsr.archs import build_network
from basicsr.losses import build_loss
from basicsr.models.sr_model import SRModel
from basicsr.utils import get_root_logger
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from s3net_plugin.metrics import prepare_metric
from s3net_plugin.models.precision import Precision, Verdict, prepare_network
from s3net_plugin.models.pruning import prune
from s3net_plugin.models.saving import plain, without_pretraining
from s3net_plugin.models.train_options import OPTIONS, check_train_options
from s3net_plugin.models.validation import validate
from s3net_plugin.utils import stopping
from s3net_plugin.utils.errors import RunError
from s3net_plugin.utils.progress import progress
from s3net_plugin.utils.rng import rng_state, set_rng_state

# What BasicSR calls its two losses in the log; every other `<name>_opt` logs `l_<name>`.
LOG_NAMES = {'pixel_opt': 'l_pix', 'perceptual_opt': 'l_percep'}


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

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        metrics = opt.get('val', {}).get('metrics') or {}
        for name, options in metrics.items():
            metrics[name] = prepare_metric(options, self.device)

    def init_training_settings(self) -> None:
        self.net_g.train()
        train_opt = self.opt['train']
        check_train_options(train_opt, self.opt['datasets']['train']['batch_size_per_gpu'])
        if train_opt.get('cudnn_benchmark') is not None:
            torch.backends.cudnn.benchmark = train_opt['cudnn_benchmark']
        self.precision = Precision(train_opt.get('amp'), self.device)
        self.ema_decay = train_opt.get('ema_decay', 0)
        if self.ema_decay > 0:
            self._build_ema()
        self.losses = OrderedDict(
            (LOG_NAMES.get(key, f'l_{key.removesuffix("_opt")}'), build_loss(options).to(self.device))
            for key, options in train_opt.items()
            if key.endswith('_opt') and options
        )
        if not self.losses:
            raise ValueError('train: no loss; give at least one option that ends in _opt, such as pixel_opt')
        self._values: OrderedDict[str, Tensor] = OrderedDict()
        self._skipped = self._skipped_in_a_row = 0
        self._stop = False
        self._rng: dict[str, Any] | None = None
        self._good_buffers = [buffer.clone() for buffer in self.get_bare_model(self.net_g).buffers()]
        self.setup_optimizers()
        self.setup_schedulers()

    def _build_ema(self) -> None:
        get_root_logger().info(f'Use Exponential Moving Average with decay: {self.ema_decay}')
        self.net_g_ema = build_network(without_pretraining(self.opt['network_g'])).to(self.device)
        path = self.opt['path']
        if path.get('pretrain_network_g'):
            strict = path.get('strict_load_g', True)
            self.load_network(self.net_g_ema, path['pretrain_network_g'], strict, 'params_ema')
        else:
            self.model_ema(0)
        self.net_g_ema.eval()

    def model_to_device(self, net: nn.Module) -> nn.Module:
        """Move the network; wrap it for distributed training, on GPUs (one a process) or on the CPU."""
        net = net.to(self.device)
        if self.is_train:
            net = prepare_network(net, self.opt['train'], self.opt['dist'], self.device)
        if not self.opt['dist']:
            return net
        devices = [torch.cuda.current_device()] if self.device.type == 'cuda' else None
        unused = self.opt.get('find_unused_parameters', False)
        return DistributedDataParallel(
            net, device_ids=devices, find_unused_parameters=unused, gradient_as_bucket_view=True
        )

    def get_optimizer(self, optim_type: str, params: list[Tensor], lr: float, **kwargs: Any) -> torch.optim.Optimizer:
        """Build any optimizer of ``torch.optim`` by its name."""
        return getattr(torch.optim, optim_type)(params, lr=lr, **kwargs)

    @torch.no_grad()
    def model_ema(self, decay: float = 0.999) -> None:
        """Average the parameters and copy the buffers as ``BaseModel`` does, in a few calls instead of one a tensor."""
        net = self.get_bare_model(self.net_g)
        averaged = list(self.net_g_ema.parameters())
        torch._foreach_mul_(averaged, decay)
        torch._foreach_add_(averaged, list(net.parameters()), alpha=1 - decay)
        _copy_all(list(self.net_g_ema.buffers()), list(net.buffers()))

    def feed_data(self, data: dict[str, Any]) -> None:
        if self.is_train and self._rng is not None:
            # Here, and not on loading, since building loaders and networks draws numbers too.
            set_rng_state(self._rng)
            self._rng = None
        self.lq = data['lq'].to(self.device, non_blocking=True)
        self.gt: Any = data['gt'].to(self.device, non_blocking=True) if 'gt' in data else None
        self.paths = data.get('lq_path', [])

    def optimize_parameters(self, current_iter: int) -> None:
        self.optimizer_g.zero_grad(set_to_none=True)
        verdict = self._accumulate_gradients(self.opt['train'].get('accumulate') or 1)
        usable = self._clip(self.opt['train'].get('grad_clip'))
        failed, self._stop = verdict.read()
        if failed or not usable:
            self._skip(current_iter)
        else:
            self._skipped_in_a_row = 0
            self.precision.scaler.step(self.optimizer_g)
            self.precision.scaler.update()
            _copy_all(self._good_buffers, list(self.get_bare_model(self.net_g).buffers()))
            if self.ema_decay > 0:
                self.model_ema(decay=self.ema_decay)
        progress.count_batch()

    def _accumulate_gradients(self, slices: int) -> Verdict:
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
                values = self.compute_losses(output.float(), gt)
                total = torch.stack(list(values.values())).sum() / len(pairs)
                for name, value in values.items():
                    self._values[name] = self._values.get(name, 0) + value.detach() / len(pairs)
                if is_last:
                    everything = torch.stack(list(self._values.values())).sum()
                    verdict = Verdict(everything, stopping.requested(), self.opt['dist'])
                self.precision.scaler.scale(total).backward()
        return verdict

    def compute_losses(self, output: Tensor, target: Tensor) -> OrderedDict[str, Tensor]:
        """Return the weighted value of every loss under its name in the log.

        Losses see float32; one with ``follows_autocast`` may use the training's mixed precision inside.
        """
        values: OrderedDict[str, Tensor] = OrderedDict()
        for name, loss in self.losses.items():
            with self.precision.autocast() if getattr(loss, 'follows_autocast', False) else nullcontext():
                value = loss(output, target)
            if isinstance(value, tuple):  # BasicSR's perceptual losses: (perceptual, style), either may be None
                value, style = value
                if style is not None:
                    values['l_style'] = style
            if value is not None:
                values[name] = value
        return values

    def _clip(self, limit: float | None) -> bool:
        """Clip the norm of the gradient; whether it can be used (the scaler of float16 decides that itself)."""
        if not limit:
            return True
        self.precision.scaler.unscale_(self.optimizer_g)
        norm = nn.utils.clip_grad_norm_(self.net_g.parameters(), limit)
        return self.precision.scaler.is_enabled() or bool(torch.isfinite(norm))

    def _skip(self, current_iter: int) -> None:
        """Leave the network as it was before the step, statistics included, and give up after too many in a row."""
        _copy_all(list(self.get_bare_model(self.net_g).buffers()), self._good_buffers)
        self._skipped += 1
        self._skipped_in_a_row += 1
        samples = ', '.join(map(str, self.paths))
        limit = self.opt['train'].get('max_nonfinite') or 10
        if self._skipped_in_a_row >= limit:
            raise RunError(
                f'iteration {current_iter}: the loss was not finite {limit} times in a row (train:max_nonfinite); '
                f'last samples: {samples}. Lower the learning rate, or set train:grad_clip'
            )
        get_root_logger().warning(
            f'iteration {current_iter}: loss not finite, step skipped ({self._skipped} so far); samples: {samples}'
        )

    def get_current_log(self) -> dict[str, float]:
        """Return the losses of the last step; processes agree and GPUs are waited for only when this is asked."""
        log = self.reduce_loss_dict(self._values)
        if self._skipped:
            log['skipped'] = self._skipped
        return log

    def update_learning_rate(self, current_iter: int, warmup_iter: int = -1) -> None:
        if self._stop:  # everything that belongs to the iteration before is done
            self.save(progress.epoch, current_iter - 1)
            get_root_logger().info(f'Asked to stop: saved iteration {current_iter - 1}; go on with --auto_resume.')
            raise SystemExit(stopping.EXIT_STOPPED)
        super().update_learning_rate(current_iter, warmup_iter)

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

    def validation(self, dataloader: Any, current_iter: int | str, tb_logger: Any, save_img: bool = False) -> None:
        """Validate on one data set; all processes of a distributed job take part."""
        if self.is_train:
            # The pipeline counts one further before it leaves its loop.
            current_iter = min(int(current_iter), int(self.opt['train']['total_iter']))
        if self.opt['dist']:
            self._share_buffers()
        dataset_name = dataloader.dataset.opt['name']
        means = validate(self, dataloader, current_iter, tb_logger, save_img)
        if not means:
            return
        self.metric_results = means
        self._initialize_best_metric_results(dataset_name)
        for metric, value in means.items():
            self._update_best_metric_result(dataset_name, metric, value, current_iter)
        if self.opt['rank'] == 0:
            self._log_validation_metric_values(current_iter, dataset_name, tb_logger)
        first_set, first_metric = next(iter(self.best_metric_results)), next(iter(means))
        is_best = self.best_metric_results[first_set][first_metric]['iter'] == current_iter
        if self.is_train and dataset_name == first_set and is_best:
            self._save_networks('best')

    def _share_buffers(self) -> None:
        """Give every process the BatchNorm statistics of the first, which are the ones that are saved."""
        for net in (self.net_g, getattr(self, 'net_g_ema', None)):
            for buffer in self.get_bare_model(net).buffers() if net is not None else ():
                torch.distributed.broadcast(buffer, 0)

    def save(self, epoch: int, current_iter: int) -> None:
        """Write the network, then the state (so that a state always has its network), then drop what is too old."""
        self._rng_states: list[Any] = [rng_state()]
        if self.opt['dist']:
            self._rng_states *= self.opt['world_size']
            torch.distributed.all_gather_object(self._rng_states, rng_state())
        self._save_networks(current_iter)
        self.save_training_state(epoch, current_iter)
        keep = self.opt['train'].get('keep_last')
        if keep and self.opt['rank'] == 0:
            prune(Path(self.opt['path']['models']), Path(self.opt['path']['training_states']), ['net_g'], keep)

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
        best = plain(getattr(self, 'best_metric_results', {}))
        return {
            'best_metric_results': best,
            'rng': self._rng_states,
            **self.precision.state(),
            **progress.state(),
        }

    def resume_training(self, resume_state: dict[str, Any]) -> None:
        super().resume_training(resume_state)
        if resume_state.get('best_metric_results'):
            self.best_metric_results = resume_state['best_metric_results']
        self.precision.load_state(resume_state)
        states = resume_state.get('rng', [])
        if len(states) == self.opt['world_size']:
            self._rng = states[self.opt['rank']]
        self._good_buffers = [buffer.clone() for buffer in self.get_bare_model(self.net_g).buffers()]


def _copy_all(destinations: list[Tensor], sources: list[Tensor]) -> None:
    if destinations:
        torch._foreach_copy_(destinations, sources)
