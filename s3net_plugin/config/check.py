"""The check of a whole option file, and of what stands at its top."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from basicsr.utils.registry import ARCH_REGISTRY, MODEL_REGISTRY

from s3net_plugin.config.datasets import build_dataset
from s3net_plugin.config.dry_run import dry_run
from s3net_plugin.config.training import check_train
from s3net_plugin.config.validation import check_val
from s3net_plugin.config.values import (
    build,
    check_at_least,
    check_flags,
    check_label,
    is_number,
    is_third_party,
    known,
    named,
    registered,
    reject_typos,
    require,
    source_of,
    subsection,
)
from s3net_plugin.config.weights import check_path
from s3net_plugin.config.yaml_file import numbers_read_as_text
from s3net_plugin.utils.checkpoint import without_pretraining
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.logger import no_log_file_yet
from s3net_plugin.utils.names import did_you_mean

# The keys that BasicSR 1.4.2's own code reads.
_TOP = {'name', 'model_type', 'scale', 'num_gpu', 'manual_seed', 'datasets', 'path', 'train', 'val', 'logger'}
_TOP |= {'dist_params', 'find_unused_parameters', 'crop_border'}


def check_options(
    opt: dict[str, Any], *, is_train: bool, where: str, resumes: bool = False, processes: int = 1
) -> None:
    """Check the options of one run. Nothing is written; what the run needs is built and tried once, and dropped.

    Args:
        opt: the option file's content; left as it is.
        is_train: whether it is for training or for a test.
        where: the option file, for messages.
        resumes: whether the weights come from an earlier state of the run, so that no others are asked for.
        processes: how many share the training.

    Raises:
        OptionError: with one line that starts with ``where`` and names the option.
    """
    try:
        with no_log_file_yet():
            _check(deepcopy(opt), is_train, resumes, processes)
    except OptionError as error:
        raise OptionError(f'{where}: {error}') from None


def _check(opt: dict[str, Any], is_train: bool, resumes: bool, processes: int) -> None:
    for place, text in numbers_read_as_text(opt):
        raise OptionError(f'{place} is the text {text!r}, not a number; YAML wants 1.0e-3 for 1e-3, 0.03125 for 1/32')
    require(opt, ['name', 'model_type', 'num_gpu', 'datasets', 'path'], '')
    model = registered(MODEL_REGISTRY, opt['model_type'], 'model_type')
    if not is_third_party(model):
        networks_read = set(re.findall(r"opt\['(network_\w+)'\]", source_of(model)))
        known(opt, _TOP | networks_read, '')
        require(opt, networks_read if is_train else ['network_g'], '')
    check_label(opt['name'], 'name')
    check_at_least(opt, 'scale', 1, 'a number', '')
    seed = opt.get('manual_seed')
    if seed is not None and not (is_number(seed, int) and 0 <= seed < 2**31):
        raise OptionError(f'manual_seed: {seed!r} is not a whole number from 0 to 2147483647')
    _check_devices(opt)
    _check_names(subsection(opt, 'datasets'))
    datasets = {
        str(phase): build_dataset(str(phase), options, opt, is_train, processes)
        for phase, options in subsection(opt, 'datasets').items()
    }
    networks = {}
    for key in [key for key in opt if str(key).startswith('network_')]:
        if resumes and isinstance(opt[key], dict):
            opt[key] = without_pretraining(opt[key])
        networks[key] = build(ARCH_REGISTRY, opt[key], key)
    check_path(subsection(opt, 'path'), opt, networks, resumes)
    losses = {}
    if is_train:
        require(opt, ['train', 'logger'], '')
        require(subsection(opt, 'datasets'), ['train'], 'datasets')
        _check_logger(subsection(opt, 'logger'))
        losses = check_train(subsection(opt, 'train'), model, networks)
        if hasattr(model, 'check_train_options'):
            with named('train'):
                model.check_train_options(opt)
    check_val(opt, is_train)
    dry_run(opt, model, datasets, networks.get('network_g'), losses)


def _check_names(datasets: dict[str, Any]) -> None:
    """Data sets are told apart by their names, in the log, in tables and by their folders."""
    if not datasets:
        raise OptionError('datasets: none is given')
    seen: dict[str, str] = {}
    for phase, options in datasets.items():
        kind = str(phase).split('_')[0]
        name = f'{kind}:{options.get("name") if isinstance(options, dict) else phase}'
        if name in seen:
            raise OptionError(f'datasets:{phase}:name: datasets:{seen[name]} has the same; give each its own')
        seen[name] = str(phase)


def _check_logger(logger: dict[str, Any]) -> None:
    require(logger, ['print_freq', 'save_checkpoint_freq', 'use_tb_logger'], 'logger')
    check_flags(logger, ['use_tb_logger'], 'logger')
    if logger['use_tb_logger'] and Path('tb_logger').exists() and not Path('tb_logger').is_dir():
        raise OptionError('logger:use_tb_logger: tb_logger, the folder that BasicSR logs to, is a file here')
    reject_typos(logger, {'print_freq', 'save_checkpoint_freq', 'use_tb_logger', 'wandb'}, 'logger')
    for name in ('print_freq', 'save_checkpoint_freq'):
        check_at_least(logger, name, 1, 'a number of iterations', 'logger:', needed=True)
    wandb = logger.get('wandb') or {}
    require(wandb, [], 'logger:wandb')
    reject_typos(wandb, {'project', 'resume_id', 'offline'}, 'logger:wandb')
    if not wandb.get('project'):
        return
    if importlib.util.find_spec('wandb') is None:
        raise OptionError("logger:wandb: wandb is not installed; pip install 's3net_plugin[wandb]'")
    if not logger['use_tb_logger']:
        raise OptionError('logger:wandb needs use_tb_logger: true, since it reads the TensorBoard log')
    offline = wandb.get('offline') or os.environ.get('WANDB_MODE', 'online') != 'online'
    if not offline and not sys.stdin.isatty() and not _has_wandb_key():  # at a terminal it asks
        raise OptionError('logger:wandb: nobody is logged in; run `wandb login`, or set offline: true')


def _has_wandb_key() -> bool:
    """Whether there may be one; asking wandb itself can take its server ten seconds."""
    given = any(os.environ.get(name) for name in ('WANDB_API_KEY', 'WANDB_IDENTITY_TOKEN_FILE'))
    return given or Path(os.environ.get('NETRC', '~/.netrc')).expanduser().is_file()


def _check_devices(opt: dict[str, Any]) -> None:
    wanted, present = opt['num_gpu'], torch.cuda.device_count()
    if wanted != 'auto' and (not is_number(wanted, int) or wanted < 0):
        raise OptionError(f"num_gpu: {wanted!r} is neither 'auto' nor a number of GPUs")
    if wanted != 'auto' and wanted > present:
        raise OptionError(f"num_gpu: {wanted} asked for, PyTorch sees {present}; 'auto' takes what is there, 0 the CPU")
    distribution = opt.get('dist_params') or {}
    require(distribution, [], 'dist_params')
    known(distribution, {'backend', 'port'}, 'dist_params')
    backend, backends = distribution.get('backend'), torch.distributed.Backend.backend_list
    if backend is not None and backend not in backends:
        raise OptionError(f'dist_params:backend: {backend!r} is unknown{did_you_mean(backend, backends)}')
    if distribution.get('port') is not None and not is_number(distribution['port'], int):
        raise OptionError(f'dist_params:port: {distribution["port"]!r} is not a number')
