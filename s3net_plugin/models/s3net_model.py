"""BasicSR's model for relighting networks: any number of losses, checkpoints that say what they are, panels."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from typing import Any

import torch
from basicsr.archs import build_network
from basicsr.losses import build_loss
from basicsr.models.sr_model import SRModel
from basicsr.utils import get_root_logger
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from s3net_plugin.models.validation import validate

# What BasicSR calls its two losses in the log; every other `<name>_opt` logs `l_<name>`.
LOG_NAMES = {'pixel_opt': 'l_pix', 'perceptual_opt': 'l_percep'}


@MODEL_REGISTRY.register()
class S3NetModel(SRModel):
    """Trains and tests a network that maps ``lq`` (N, 8 or 4, H, W) to ``gt`` (N, 3, H, W), both in [0, 1].

    Beside ``SRModel``: every key of ``train`` that ends in ``_opt`` is a loss (one that returns a scalar or BasicSR's
    pair), losses are computed in float32, checkpoints carry the options of the network under ``network_g``,
    ``net_g_best.pth`` follows the first metric on the first validation set, validation is batched and shared among the
    processes, and beside every saved image goes a panel.

    Raises:
        ValueError: ``train`` holds no loss.
    """

    def init_training_settings(self) -> None:
        self.net_g.train()
        train_opt = self.opt['train']
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
        self.setup_optimizers()
        self.setup_schedulers()

    def _build_ema(self) -> None:
        get_root_logger().info(f'Use Exponential Moving Average with decay: {self.ema_decay}')
        self.net_g_ema = build_network(_without_pretraining(self.opt['network_g'])).to(self.device)
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
        if not self.opt['dist']:
            return net
        devices = [torch.cuda.current_device()] if self.device.type == 'cuda' else None
        unused = self.opt.get('find_unused_parameters', False)
        return DistributedDataParallel(net, device_ids=devices, find_unused_parameters=unused)

    def get_optimizer(self, optim_type: str, params: list[Tensor], lr: float, **kwargs: Any) -> torch.optim.Optimizer:
        """Build any optimizer of ``torch.optim`` by its name.

        Raises:
            ValueError: ``torch.optim`` has none of that name.
        """
        optimizer = getattr(torch.optim, optim_type, None)
        if not (isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer)):
            raise ValueError(f'train:optim_g:type: torch.optim has no optimizer {optim_type!r}')
        return optimizer(params, lr=lr, **kwargs)  # type: ignore[call-arg]

    def feed_data(self, data: dict[str, Any]) -> None:
        self.lq = data['lq'].to(self.device, non_blocking=True)
        self.gt: Any = data['gt'].to(self.device, non_blocking=True) if 'gt' in data else None

    def optimize_parameters(self, current_iter: int) -> None:
        self.optimizer_g.zero_grad()
        self.output = self.net_g(self.lq)
        values = self.compute_losses(self.output.float(), self.gt)
        torch.stack(list(values.values())).sum().backward()
        self.optimizer_g.step()
        self.log_dict = self.reduce_loss_dict(values)
        if self.ema_decay > 0:
            self.model_ema(decay=self.ema_decay)

    def compute_losses(self, output: Tensor, target: Tensor) -> OrderedDict[str, Tensor]:
        """Return the weighted value of every loss under its name in the log."""
        values: OrderedDict[str, Tensor] = OrderedDict()
        for name, loss in self.losses.items():
            value = loss(output, target)
            if isinstance(value, tuple):  # BasicSR's perceptual losses: (perceptual, style), either may be None
                value, style = value
                if style is not None:
                    values['l_style'] = style
            if value is not None:
                values[name] = value
        return values

    def test(self) -> None:
        """Run the averaged network, or the trained one, in evaluation mode on what was fed.

        The bare network: a distributed wrapper would wait for the other processes, which may have fewer images.
        """
        net = getattr(self, 'net_g_ema', None) or self.get_bare_model(self.net_g)
        was_training = net.training
        net.eval()
        with torch.no_grad():
            self.output = net(self.lq)
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

    def _save_networks(self, label: int | str) -> None:
        if hasattr(self, 'net_g_ema'):
            self.save_network([self.net_g, self.net_g_ema], 'net_g', label, param_key=['params', 'params_ema'])
        else:
            self.save_network(self.net_g, 'net_g', label)

    def checkpoint_extras(self) -> dict[str, Any]:
        """What every checkpoint holds beside weights: the options that build its network."""
        return {'network_g': _plain(_without_pretraining(self.opt['network_g']))}

    def state_extras(self) -> dict[str, Any]:
        """What a training state holds beside BasicSR's own."""
        return {'best_metric_results': _plain(getattr(self, 'best_metric_results', {}))}

    def resume_training(self, resume_state: dict[str, Any]) -> None:
        super().resume_training(resume_state)
        if resume_state.get('best_metric_results'):
            self.best_metric_results = resume_state['best_metric_results']


def _without_pretraining(network_opt: dict[str, Any]) -> dict[str, Any]:
    """The options of a network whose weights are about to be set, so that no file is asked for twice."""
    options = deepcopy(network_opt)
    if 'encoder_weights' in options:
        options['encoder_weights'] = None
    return options


def _plain(value: Any) -> Any:
    """Dicts, lists, numbers and text only, which is what a ``weights_only`` reader admits."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, 'item') else value
