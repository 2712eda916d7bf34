"""The section ``train``: losses, optimizers and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from basicsr.models import lr_scheduler
from basicsr.models.base_model import BaseModel
from basicsr.utils.registry import LOSS_REGISTRY
from pydantic import AfterValidator, Field
from torch import nn

from s3net_plugin.config.stock_keys import OF_TRAIN, keys_of
from s3net_plugin.config.values import (
    admit,
    build,
    check_signature,
    error_context,
    handles_itself,
    has_own,
    is_third_party,
)
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.names import suggestion
from s3net_plugin.utils.schema import StockSection, check_section, iterations, unknown_option

# The base class, one that needs to be given the loss as a function, one for sparse gradients.
_UNFIT = ('Optimizer', 'LBFGS', 'SparseAdam')


_SECTION: Any = Field(None, description='a section of options')


class Train(StockSection):
    """``train``, without losses, optimizers and the scheduler."""

    total_iter: float = iterations(1)
    warmup_iter: float | None = iterations(-1, None)
    ema_decay: float | None = Field(
        None, ge=0, lt=1, description='a number from 0 (no average) to below 1, such as 0.999'
    )
    optim_g: dict[Any, Any] | None = _SECTION
    scheduler: dict[Any, Any] | None = _SECTION


def _whole(smallest: int) -> Any:
    def check(values: list[float]) -> list[float]:
        if any(value < smallest or value != int(value) for value in values):
            raise OptionError('', f'{values!r} are not numbers of iterations, at least {smallest}')
        return values

    return AfterValidator(check)


_Finite = Annotated[float, Field(allow_inf_nan=False)]
_NUMBERS: Any = Field([], description='a list of numbers')


class Scheduler(StockSection):
    """``train:scheduler``, whose other options its class checks."""

    type: Literal['MultiStepLR', 'MultiStepRestartLR', 'CosineAnnealingRestartLR']
    milestones: Annotated[list[_Finite], _whole(0)] = _NUMBERS
    periods: Annotated[list[_Finite], _whole(1)] = _NUMBERS
    restarts: Annotated[list[_Finite], _whole(0)] = _NUMBERS
    restart_weights: list[_Finite] = _NUMBERS
    gamma: _Finite = Field(0.1, description='a number')
    eta_min: _Finite = Field(0, description='a number')


def check_train(
    train: Any, model: type[BaseModel], networks: Mapping[str, nn.Module], unread: list[str]
) -> dict[str, nn.Module]:
    """Check the section and return its losses by their options' names; what is not read is added to ``unread``."""
    losses = [key for key in check_section(train, 'train') if str(key).endswith('_opt')]
    read = keys_of(OF_TRAIN, model)
    if hasattr(model, 'check_train_options') and not is_third_party(model):  # ours, which builds every *_opt
        read |= model.train_options | set(losses)
        for key in sorted(set(train) - read, key=str):
            raise unknown_option(key, read | {'pixel_opt', 'perceptual_opt'}).within('train')
    elif not is_third_party(model):
        unread += admit(train, read, 'train')
        losses = [key for key in losses if key in read]
    else:
        where = ('__init__', 'init_training_settings')
        losses = [key for key in losses if not handles_itself(model, train[key], LOSS_REGISTRY, *where)]
    own_schedulers = has_own(model, 'setup_schedulers')
    options = Train.parse(train, 'train')
    needed = [] if is_third_party(model) else ['optim_g']
    check_section(train, 'train', needed if own_schedulers else [*needed, 'scheduler'])
    built = {key: build(LOSS_REGISTRY, train[key], f'train:{key}') for key in losses if train[key]}
    # for the scheduler of a model that builds its optimizers itself
    optimizer: torch.optim.Optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1e-4)
    for key in ('optim_d', 'optim_g'):
        is_read = key in read or is_third_party(model)
        if key not in train or not is_read or has_own(model, 'setup_optimizers', 'get_optimizer'):
            continue
        net = networks.get(key.replace('optim', 'network'))
        params = list(net.parameters()) if net else []
        optimizer = _build_optimizer(train[key], params, model, f'train:{key}')
    if not own_schedulers:  # which may be any
        _check_scheduler(train['scheduler'], optimizer, int(options.total_iter))
    return built


def _build_optimizer(options: Any, params: list[Any], model: type[BaseModel], place: str) -> torch.optim.Optimizer:
    arguments = check_section(options, place, ['type', 'lr'])
    kind = arguments.pop('type')
    kinds = {name: cls for name, cls in vars(torch.optim).items() if isinstance(cls, type) and name not in _UNFIT}
    if model.get_optimizer is BaseModel.get_optimizer:  # which knows some of them
        kinds = {name: cls for name, cls in kinds.items() if _is_known_to_basicsr(name)}
    if kind not in kinds:
        raise OptionError(f'{place}:type', f'no optimizer {kind!r}', suggestion(kind, kinds))
    check_signature(kinds[kind], arguments, place, given={'params'})
    lr = arguments['lr']
    if isinstance(lr, bool) or not isinstance(lr, (int, float)) or not math.isfinite(lr):
        raise OptionError(f'{place}:lr', f'{lr!r} is not a number')
    with error_context(place):
        trial = torch.nn.Parameter(torch.zeros(2, 2))
        trial.grad = torch.zeros(2, 2)
        if not torch.cuda.is_available():  # some options are for GPUs only, and not all complain before the first step
            kinds[kind]([trial], **arguments).step()
        return kinds[kind](params or [trial], **arguments)


def _is_known_to_basicsr(kind: str) -> bool:
    try:
        BaseModel.get_optimizer(None, kind, [nn.Parameter(torch.zeros(1))], 0.1)
    except NotImplementedError:
        return False
    return True


def _check_scheduler(scheduler: Any, optimizer: torch.optim.Optimizer, total_iter: int) -> None:
    place = 'train:scheduler'
    options = Scheduler.parse(scheduler, place)
    cosine = options.type == 'CosineAnnealingRestartLR'
    cls = lr_scheduler.CosineAnnealingRestartLR if cosine else lr_scheduler.MultiStepRestartLR
    arguments = {name: value for name, value in scheduler.items() if name != 'type'}
    check_signature(cls, arguments, place, given={'optimizer'})
    with error_context(place):
        cls(optimizer, **arguments)
    if cosine and (total := sum(scheduler['periods'])) < total_iter:
        raise OptionError(f'{place}:periods', f'they add up to {total}, less than total_iter {total_iter}')
