"""What must hold of an option file before BasicSR touches a directory: known names, sane numbers, files that exist."""

from __future__ import annotations

import importlib.util
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from basicsr.utils.registry import (
    ARCH_REGISTRY,
    DATASET_REGISTRY,
    LOSS_REGISTRY,
    METRIC_REGISTRY,
    MODEL_REGISTRY,
    Registry,
)

from s3net_plugin.utils.checkpoint import load_plain
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.names import did_you_mean
from s3net_plugin.utils.option_file import numbers_read_as_text

# The keys that BasicSR 1.4.2's own code reads.
_TOP = {'name', 'model_type', 'scale', 'num_gpu', 'manual_seed', 'datasets', 'path', 'train', 'val', 'logger'}
_TOP |= {'dist_params', 'find_unused_parameters', 'crop_border'}
_TRAIN = {'ema_decay', 'optim_g', 'optim_d', 'scheduler', 'total_iter', 'warmup_iter', 'net_d_iters'}
_TRAIN |= {'net_d_init_iters', 'fix_flow', 'flow_lr_mul', 'lr_flow', 'dcn_lr_mul', 'tsa_iter', 'mixing_prob'}
_TRAIN |= {'path_batch_shrink', 'net_d_reg_every', 'net_g_reg_every', 'path_reg_weight', 'r1_reg_weight'}
_PATH = {'resume_state', 'ignore_resume_networks', 'experiments_root', 'results_root'}
_PATH_PREFIXES = ('pretrain_network_', 'strict_load_', 'param_key_')
_LOADER = {'batch_size_per_gpu', 'num_worker_per_gpu'}


def check_options(opt: dict[str, Any], *, is_train: bool, where: str) -> None:
    """Check the options of one run. Nothing is written; networks, losses and metrics are built once and dropped.

    Raises:
        OptionError: with one line that starts with ``where`` (the option file) and names the option.
    """
    try:
        _check(deepcopy(opt), is_train)
    except OptionError as error:
        raise OptionError(f'{where}: {error}') from None


def _check(opt: dict[str, Any], is_train: bool) -> None:
    for place, text in numbers_read_as_text(opt):
        raise OptionError(f'{place} is the text {text!r}, not a number; YAML wants 1.0e-3 for 1e-3, 0.03125 for 1/32')
    _require(opt, ['name', 'model_type', 'num_gpu', 'datasets', 'path'], '')
    model = _registered(MODEL_REGISTRY, opt['model_type'], 'model_type')
    foreign = model.__module__.split('.')[0] not in ('basicsr', 's3net_plugin')
    if not foreign:
        _known({key for key in opt if not str(key).startswith('network_')}, _TOP | _also(model, 'top_options'), '')
    _check_devices(opt)
    _check_path(_section(opt, 'path'))
    for phase, dataset in _section(opt, 'datasets').items():
        _check_dataset(phase, dataset, is_train)
    for key in opt:
        if str(key).startswith('network_'):
            _build(ARCH_REGISTRY, opt[key], key)
    if is_train:
        _require(opt, ['train', 'logger'], '')
        _require(_section(opt, 'datasets'), ['train'], 'datasets')
        _require(_section(opt, 'logger'), ['print_freq', 'save_checkpoint_freq', 'use_tb_logger'], 'logger')
        _check_frequencies(opt['logger'], ('print_freq', 'save_checkpoint_freq'), 'logger')
        _check_wandb(opt['logger'])
        _check_train(_section(opt, 'train'), model, foreign)
        if hasattr(model, 'check_train_options'):
            with _named('train'):
                model.check_train_options(opt)
    validates = not is_train or any(str(phase).startswith('val') for phase in opt['datasets'])
    if validates:
        _require(opt, ['val'], '')
        _require(_section(opt, 'val'), ['save_img', *(['val_freq'] if is_train else [])], 'val')
        if not is_train and opt['val']['save_img']:
            _require(opt['val'], ['suffix'], 'val')
        _check_frequencies(opt['val'], ('val_freq',), 'val')
    _check_metrics((opt.get('val') or {}).get('metrics') or {})


def _check_frequencies(section: dict[str, Any], names: Iterable[str], place: str) -> None:
    for name in names:
        value = section.get(name, 1)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 1:
            raise OptionError(f'{place}:{name}: {value!r} is not a number of iterations, at least 1')


def _check_wandb(logger: dict[str, Any]) -> None:
    given = logger.get('wandb') or {}
    if not given.get('project'):
        return
    if importlib.util.find_spec('wandb') is None:
        raise OptionError("logger:wandb: wandb is not installed; pip install 's3net_plugin[wandb]'")
    if not logger['use_tb_logger']:
        raise OptionError('logger:wandb needs use_tb_logger: true, since it reads the TensorBoard log')


def _check_devices(opt: dict[str, Any]) -> None:
    wanted, present = opt['num_gpu'], torch.cuda.device_count()
    if wanted != 'auto' and (not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0):
        raise OptionError(f"num_gpu: {wanted!r} is neither 'auto' nor a number of GPUs")
    if wanted != 'auto' and wanted > present:
        raise OptionError(f"num_gpu: {wanted} asked for, PyTorch sees {present}; 'auto' takes what is there, 0 the CPU")


def _check_path(path: dict[str, Any]) -> None:
    known = [key for key in path if key not in _PATH and not str(key).startswith(_PATH_PREFIXES)]
    for key in known:
        raise OptionError(
            f'path: unknown option {key!r}{did_you_mean(key, _PATH | {p + "g" for p in _PATH_PREFIXES})}'
            ' (BasicSR would make a directory of it)'
        )
    for key, value in path.items():
        if value is not None and (key == 'resume_state' or str(key).startswith('pretrain_network_')):
            try:
                content = load_plain(Path(value).expanduser())
            except (OSError, ValueError) as error:
                raise OptionError(f'path:{key}: {error}') from None
            param_key = path.get(str(key).replace('pretrain_network', 'param_key'), 'params')
            if key != 'resume_state' and param_key is not None and not {param_key, 'params'} & set(content):
                raise OptionError(
                    f'path:{key}: {value} holds no {param_key!r} (it holds {", ".join(map(str, content))[:80]}); '
                    "is it a BasicSR checkpoint? The authors' one goes through scripts/import_released_weights.py first"
                )


def _check_dataset(phase: str, dataset: Any, is_train: bool) -> None:
    place = f'datasets:{phase}'
    kinds = ('train', 'val') if is_train else ('val', 'test')
    kind = str(phase).split('_')[0]
    if kind not in kinds:
        job = 'training' if is_train else 'test'
        raise OptionError(f'{place}: a {job} file has datasets named {" or ".join(kinds)}')
    if not isinstance(dataset, dict):
        raise OptionError(f'{place}: expected options of a dataset, got {dataset!r}')
    _require(dataset, ['name', 'type', *(sorted(_LOADER) if kind == 'train' else [])], place)
    cls = _registered(DATASET_REGISTRY, dataset['type'], f'{place}:type')
    if hasattr(cls, 'check_options'):
        with _named(place):
            cls.check_options({**dataset, 'phase': kind})


def _check_train(train: dict[str, Any], model: type, foreign: bool) -> None:
    losses = [key for key in train if str(key).endswith('_opt')]
    if not foreign:
        _known(set(train) - set(losses), _TRAIN | _also(model, 'train_options'), 'train', 'pixel_opt', 'perceptual_opt')
    _require(train, ['total_iter', 'optim_g', 'scheduler'], 'train')
    if not isinstance(train['total_iter'], (int, float)) or train['total_iter'] < 1:
        raise OptionError(f'train:total_iter: {train["total_iter"]!r} is not a number of iterations')
    for key in losses:
        if train[key]:
            _build(LOSS_REGISTRY, train[key], f'train:{key}')
    _check_scheduler(_section(train, 'scheduler'), int(train['total_iter']))
    for key in [key for key in ('optim_g', 'optim_d') if key in train]:
        _check_optimizer(_section(train, key), f'train:{key}')


def _check_optimizer(options: dict[str, Any], place: str) -> None:
    _require(options, ['type', 'lr'], place)
    kinds = {name: kind for name, kind in vars(torch.optim).items() if isinstance(kind, type)}
    if options['type'] not in kinds:
        raise OptionError(f'{place}:type: no optimizer {options["type"]!r}{did_you_mean(options["type"], kinds)}')
    _fits(kinds[options['type']], set(options) - {'type'}, place, given={'params'})


def _check_scheduler(scheduler: dict[str, Any], total_iter: int) -> None:
    from basicsr.models import lr_scheduler

    _require(scheduler, ['type'], 'train:scheduler')
    classes = {
        'MultiStepLR': lr_scheduler.MultiStepRestartLR,
        'MultiStepRestartLR': lr_scheduler.MultiStepRestartLR,
        'CosineAnnealingRestartLR': lr_scheduler.CosineAnnealingRestartLR,
    }
    kind = scheduler['type']
    if kind not in classes:
        raise OptionError(f'train:scheduler:type: {kind!r} is unknown{did_you_mean(kind, classes)}')
    _fits(classes[kind], {key for key in scheduler if key != 'type'}, 'train:scheduler', given={'optimizer'})
    if kind == 'CosineAnnealingRestartLR' and sum(scheduler['periods']) < total_iter:
        raise OptionError(
            f'train:scheduler:periods: they add up to {sum(scheduler["periods"])}, less than total_iter {total_iter}'
        )


def _check_metrics(metrics: Any) -> None:
    from s3net_plugin.metrics import prepare_metric

    for name, metric in metrics.items() if isinstance(metrics, dict) else ():
        place = f'val:metrics:{name}'
        _require(metric, ['type'], place)
        function = _registered(METRIC_REGISTRY, metric['type'], f'{place}:type')
        _fits(function, set(metric) - {'type', 'better'}, place, given={'img', 'img2'})
        with _named(place):
            prepare_metric(metric, torch.device('cpu'))


def _build(registry: Registry, section: Any, place: str) -> None:
    if not isinstance(section, dict):
        raise OptionError(f'{place}: expected options with a type, got {section!r}')
    _require(section, ['type'], place)
    cls = _registered(registry, section['type'], f'{place}:type')
    arguments = {key: value for key, value in section.items() if key != 'type'}
    _fits(cls, set(arguments), place)
    with _named(place):
        cls(**arguments)


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Turn what a constructor says of bad options into one line; its warnings are said when the run builds it."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    except (ValueError, TypeError, KeyError, RuntimeError, AssertionError, OSError) as error:
        message = ' '.join(str(error).split()) or type(error).__name__
        raise OptionError(f'{place}: {message}') from None
    finally:
        logging.disable(disabled)


def _registered(registry: Registry, name: Any, place: str) -> Any:
    for key in (name, f'{name}_basicsr'):
        if key in registry:
            return registry.get(key)
    raise OptionError(f'{place}: no {registry._name} named {name!r} is registered{did_you_mean(name, registry.keys())}')


def _fits(function: Callable, names: set[str], place: str, given: Iterable[str] = ()) -> None:
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    _known(names, set(parameters) - set(given), place)
    required = [n for n, p in parameters.items() if p.default is p.empty and n not in given]
    _require(dict.fromkeys(names), required, place)


def _known(names: set[str], known: set[str], place: str, *also: str) -> None:
    for name in sorted(names - known, key=str):
        prefix = f'{place}: ' if place else ''
        raise OptionError(f'{prefix}unknown option {name!r}{did_you_mean(name, known | set(also))}')


def _require(section: dict[str, Any], names: list[str], place: str) -> None:
    if not isinstance(section, dict):
        raise OptionError(f'{place}: expected a section of options, got {section!r}')
    for name in names:
        if name not in section:
            prefix = f'{place}: ' if place else ''
            raise OptionError(f'{prefix}the option {name!r} is missing{did_you_mean(name, set(map(str, section)))}')


def _section(opt: dict[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(opt[name], dict):
        raise OptionError(f'{name}: expected a section of options, got {opt[name]!r}')
    return opt[name]


def _also(model: type, attribute: str) -> set[str]:
    return set(getattr(model, attribute, ()))
