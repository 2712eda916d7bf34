"""The section ``train``: losses, optimizers and the learning rate."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from basicsr.models import lr_scheduler
from basicsr.models.base_model import BaseModel
from basicsr.utils.registry import LOSS_REGISTRY
from torch import nn

from s3net_plugin.config.values import (
    build,
    check_at_least,
    fits,
    is_number,
    is_third_party,
    known,
    named,
    require,
    source_of,
    subsection,
)
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.names import did_you_mean

# What BasicSR 1.4.2's models read, each some of it, beside losses; its pipeline reads the others.
_OF_MODELS = {'ema_decay', 'optim_g', 'optim_d', 'scheduler', 'net_d_iters', 'net_d_init_iters', 'fix_flow'}
_OF_MODELS |= {'flow_lr_mul', 'lr_flow', 'dcn_lr_mul', 'tsa_iter', 'mixing_prob', 'path_batch_shrink'}
_OF_MODELS |= {'net_d_reg_every', 'net_g_reg_every', 'path_reg_weight', 'r1_reg_weight'}
_OF_PIPELINE = {'total_iter', 'warmup_iter'}

# The base class, one that needs to be given the loss as a function, one for sparse gradients.
_UNFIT = ('Optimizer', 'LBFGS', 'SparseAdam')

_SCHEDULERS = {
    'MultiStepLR': lr_scheduler.MultiStepRestartLR,
    'MultiStepRestartLR': lr_scheduler.MultiStepRestartLR,
    'CosineAnnealingRestartLR': lr_scheduler.CosineAnnealingRestartLR,
}


def check_train(
    train: dict[str, Any], model: type[BaseModel], networks: Mapping[str, nn.Module]
) -> dict[str, nn.Module]:
    """Check the section and return its losses by their options' names."""
    losses = [key for key in train if str(key).endswith('_opt')]
    if not is_third_party(model):
        _check_is_read(train, losses, model)
    require(train, ['total_iter', 'optim_g', 'scheduler'], 'train')
    check_at_least(train, 'total_iter', 1, 'a number of iterations', 'train:', needed=True)
    check_at_least(train, 'warmup_iter', -1, 'a number of iterations', 'train:')
    if train.get('ema_decay') is not None and not (is_number(train['ema_decay']) and 0 <= train['ema_decay'] < 1):
        raise OptionError(
            f'train:ema_decay: {train["ema_decay"]!r} is not a number from 0 (no average) to below 1, such as 0.999'
        )
    built = {key: build(LOSS_REGISTRY, train[key], f'train:{key}') for key in losses if train[key]}
    for key in [key for key in ('optim_d', 'optim_g') if key in train]:
        net = networks.get(key.replace('optim', 'network'))
        params = list(net.parameters()) if net else []
        optimizer = _build_optimizer(subsection(train, key, 'train:'), params, model, f'train:{key}')
    _check_scheduler(subsection(train, 'scheduler', 'train:'), optimizer, int(train['total_iter']))
    return built


def _check_is_read(train: dict[str, Any], losses: list[str], model: type) -> None:
    """Refuse what the model passes over without a word: options of other models, losses that it does not know."""
    own = set(getattr(model, 'train_options', ()))
    source = source_of(model)
    read = {key for key in _OF_MODELS | set(losses) if repr(key) in source} | own | _OF_PIPELINE
    known(set(train) - set(losses), read, 'train', 'pixel_opt', 'perceptual_opt')
    if not hasattr(model, 'check_train_options'):  # ours builds every *_opt
        for key in [key for key in losses if key not in read]:
            raise OptionError(f'train: {model.__name__} reads no {key}; S3NetModel takes any number of losses')


def _build_optimizer(
    options: dict[str, Any], params: list[Any], model: type[BaseModel], place: str
) -> torch.optim.Optimizer:
    require(options, ['type', 'lr'], place)
    kinds = {name: kind for name, kind in vars(torch.optim).items() if isinstance(kind, type) and name not in _UNFIT}
    if model.get_optimizer is BaseModel.get_optimizer:  # which knows some of them
        kinds = {name: kind for name, kind in kinds.items() if repr(name) in inspect.getsource(model.get_optimizer)}
    if options['type'] not in kinds:
        raise OptionError(f'{place}:type: no optimizer {options["type"]!r}{did_you_mean(options["type"], kinds)}')
    arguments = {name: value for name, value in options.items() if name != 'type'}
    fits(kinds[options['type']], arguments, place, given={'params'})
    if not is_number(options['lr']):
        raise OptionError(f'{place}:lr: {options["lr"]!r} is not a number')
    with named(place):
        trial = torch.nn.Parameter(torch.zeros(2, 2))
        trial.grad = torch.zeros(2, 2)
        if not torch.cuda.is_available():  # some options are for GPUs only, and not all complain before the first step
            kinds[options['type']]([trial], **arguments).step()
        return kinds[options['type']](params or [trial], **arguments)


def _check_scheduler(scheduler: dict[str, Any], optimizer: torch.optim.Optimizer, total_iter: int) -> None:
    place = 'train:scheduler'
    require(scheduler, ['type'], place)
    kind = scheduler['type']
    if kind not in _SCHEDULERS:
        raise OptionError(f'{place}:type: {kind!r} is unknown{did_you_mean(kind, _SCHEDULERS)}')
    arguments = {name: value for name, value in scheduler.items() if name != 'type'}
    fits(_SCHEDULERS[kind], arguments, place, given={'optimizer'})
    for name in ('milestones', 'periods', 'restarts', 'restart_weights'):
        value = scheduler.get(name, [])
        if not isinstance(value, list) or not all(is_number(item) for item in value):
            raise OptionError(f'{place}:{name}: {value!r} is not a list of numbers')
        smallest = {'periods': 1, 'restart_weights': None}.get(name, 0)
        if smallest is not None and any(item < smallest or item != int(item) for item in value):
            raise OptionError(f'{place}:{name}: {value!r} are not numbers of iterations, at least {smallest}')
    for name in ('gamma', 'eta_min'):
        if not is_number(scheduler.get(name, 0)):
            raise OptionError(f'{place}:{name}: {scheduler[name]!r} is not a number')
    with named(place):
        _SCHEDULERS[kind](optimizer, **arguments)
    if kind == 'CosineAnnealingRestartLR' and sum(scheduler['periods']) < total_iter:
        raise OptionError(
            f'{place}:periods: they add up to {sum(scheduler["periods"])}, less than total_iter {total_iter}'
        )
