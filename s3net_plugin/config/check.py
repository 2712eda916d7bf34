"""The check of a whole option file, and of what stands at its top."""

from __future__ import annotations

import importlib.util
import os
import sys
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import yaml
from basicsr.models.video_base_model import VideoBaseModel
from basicsr.utils.registry import ARCH_REGISTRY, MODEL_REGISTRY
from pydantic import Field

from s3net_plugin.config import stock_keys
from s3net_plugin.config.datasets import build_dataset
from s3net_plugin.config.dry_run import dry_run
from s3net_plugin.config.training import check_train
from s3net_plugin.config.validation import check_val
from s3net_plugin.config.values import (
    admit,
    build,
    check_label,
    error_context,
    handles_itself,
    is_third_party,
    registered,
)
from s3net_plugin.config.weights import check_path
from s3net_plugin.utils.checkpoint import without_pretraining
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.logger import announce, no_log_file_yet
from s3net_plugin.utils.names import suggestion
from s3net_plugin.utils.schema import StockSection, check_section, flag, iterations, looks_like_number, number_as_text
from s3net_plugin.utils.yaml_file import texts

# What may look like anything; a port becomes text, too.
_LABELS = ('name', 'suffix', 'version', 'port', 'project', 'resume_id')


class Top(StockSection):
    """What stands at the top of a file, beside its sections."""

    name: Any
    model_type: Any
    num_gpu: Literal['auto'] | Annotated[int, Field(ge=0)] = Field(description="'auto' or a number of GPUs")
    datasets: dict[Any, Any] = Field(description='a section of options')
    path: dict[Any, Any] = Field(description='a section of options')
    manual_seed: int | None = Field(None, ge=0, lt=2**31, description='a whole number from 0 to 2147483647')


class DistParams(StockSection):
    """``dist_params``."""

    backend: str | None = Field(None, description='the name of a backend')
    port: int | Annotated[str, Field(pattern=r'^\d+$')] | None = Field(None, description='a number')


class Logger(StockSection):
    """``logger``."""

    print_freq: float = iterations(1)
    save_checkpoint_freq: float = iterations(1)
    use_tb_logger: bool | None = flag()


def check_options(
    opt: dict[str, Any], *, is_train: bool, where: str, resumes: bool = False, processes: int = 1
) -> None:
    """Check the options of one run. Nothing is written; what the run needs is built and tried once, and dropped.

    Options that BasicSR passes over are named in one line of output. Of several processes one has to check. A run that
    ``resumes`` has its weights from its earlier state, so that no others are asked for.

    Raises:
        OptionError: with one line that starts with ``where``, the option file, and names the option.
    """
    try:
        with no_log_file_yet():
            unread = _check(deepcopy(opt), is_train, resumes, processes)
    except OptionError as error:
        raise error.within('', where=where) from None
    if unread:
        announce(f'{where}: nothing reads {", ".join(unread)}')


def _check(opt: dict[str, Any], is_train: bool, resumes: bool, processes: int) -> list[str]:
    """Return the places of options that nothing reads."""
    for place, text in texts(opt):
        is_slip = looks_like_number(text) and isinstance(yaml.safe_load(text), str)  # '32' needs quotes to be a text
        if is_slip and place.rpartition(':')[2] not in _LABELS:
            raise OptionError(place, *number_as_text(text))
    unread: list[str] = []
    Top.parse(opt)
    model = registered(MODEL_REGISTRY, opt['model_type'], 'model_type')
    networks_read = {str(key) for key in opt if str(key).startswith('network_')}
    if not is_third_party(model):
        read = stock_keys.keys_of(stock_keys.OF_MODELS, model)
        unread += admit(opt, stock_keys.TOP | read, '')
        networks_read = {key for key in read if key.startswith('network_')} if is_train else {'network_g'}
        check_section(opt, '', sorted(networks_read))
    check_label(opt['name'], 'name')
    _check_devices(opt, unread)
    _check_names(opt)
    datasets = {
        str(phase): build_dataset(str(phase), options, opt, is_train, processes, unread)
        for phase, options in opt['datasets'].items()
    }
    networks = {}
    for key in sorted(networks_read & opt.keys()):
        if handles_itself(model, opt[key], ARCH_REGISTRY, '__init__'):
            continue
        if resumes and isinstance(opt[key], dict):
            opt[key] = without_pretraining(opt[key])
        networks[key] = build(ARCH_REGISTRY, opt[key], key)
    # A model of another package can load weights in a way of its own.
    check_path(opt['path'], opt, {} if is_third_party(model) else networks, resumes, unread)
    losses = {}
    if is_train:
        check_section(opt, '', ['train', 'logger'])
        check_section(opt['datasets'], 'datasets', ['train'])
        _check_logger(opt, unread)
        losses = check_train(opt['train'], model, networks, unread)
        if hasattr(model, 'check_train_options'):
            with error_context('train'):
                model.check_train_options(opt)
    check_val(opt, is_train, model, unread)
    if issubclass(model, VideoBaseModel) and set(datasets) - {'train'} and opt.get('val') is not None:
        _check_video(opt, model)
    dry_run(opt, model, datasets, networks.get('network_g'), losses)
    return unread


def _check_names(opt: dict[str, Any]) -> None:
    """Data sets are told apart by their names, in the log, in tables and by their folders."""
    if not opt['datasets']:
        raise OptionError('datasets', 'none is given')
    seen: dict[str, Any] = {}
    for phase, options in opt['datasets'].items():
        name = check_section(options, f'datasets:{phase}', ['name'])['name']
        place = f'datasets:{phase}:name'
        if isinstance(name, (int, float)) and (opt.get('val') or {}).get('save_img'):
            raise OptionError(place, f'{name!r} is a number, of which BasicSR can make no folder', 'put it in quotes')
        check_label(str(name) if isinstance(name, (int, float)) else name, place, nested=True)
        name = f'{str(phase).split("_")[0]}:{name}'
        if name in seen:
            raise OptionError(place, f'datasets:{seen[name]} has the same', 'give each its own')
        seen[name] = phase


def _check_video(opt: dict[str, Any], model: type) -> None:
    """BasicSR's video models read ``val:metrics`` in any case, and gather the scores on a GPU."""
    if 'metrics' not in opt['val']:
        raise OptionError('val', f"the option 'metrics' is missing, which {model.__name__} reads", 'write metrics: ~')
    if opt['val']['metrics'] is not None and not torch.cuda.is_available():
        raise OptionError('val:metrics', f'{model.__name__} scores on a GPU only', 'write metrics: ~ to go without')


def _check_logger(opt: dict[str, Any], unread: list[str]) -> None:
    logger = opt['logger']
    options = Logger.parse(logger, 'logger')
    if options.use_tb_logger and Path('tb_logger').exists() and not Path('tb_logger').is_dir():
        raise OptionError('logger:use_tb_logger', 'tb_logger, the folder that BasicSR logs to, is a file here')
    unread += admit(logger, stock_keys.LOGGER, 'logger')
    wandb = check_section(logger.get('wandb') or {}, 'logger:wandb')
    unread += admit(wandb, stock_keys.WANDB, 'logger:wandb')
    if not wandb.get('project') or 'debug' in opt['name']:  # of which BasicSR does not tell wandb
        return
    if importlib.util.find_spec('wandb') is None:
        raise OptionError('logger:wandb', 'wandb is not installed', "pip install 's3net_plugin[wandb]'")
    if not options.use_tb_logger:
        raise OptionError('logger:wandb', 'needs use_tb_logger: true, since it reads the TensorBoard log')
    offline = wandb.get('offline') or os.environ.get('WANDB_MODE', 'online') != 'online'
    # Asking wandb itself can take its server ten seconds; at a terminal it asks.
    key = any(os.environ.get(name) for name in ('WANDB_API_KEY', 'WANDB_IDENTITY_TOKEN_FILE'))
    key = key or Path(os.environ.get('NETRC', '~/.netrc')).expanduser().is_file() or sys.stdin.isatty()
    if not (offline or key):
        raise OptionError('logger:wandb', 'nobody is logged in', 'run `wandb login`, or set offline: true')


def _check_devices(opt: dict[str, Any], unread: list[str]) -> None:
    wanted, present = opt['num_gpu'], torch.cuda.device_count()
    if wanted != 'auto' and wanted > 0 == present:  # of fewer than are asked for one is used, or one a process
        hint = "'auto' takes what is there, 0 the CPU"
        raise OptionError('num_gpu', f'{wanted} asked for, PyTorch sees none', hint)
    section = opt.get('dist_params') or {}
    backend, backends = DistParams.parse(section, 'dist_params').backend, torch.distributed.Backend.backend_list
    unread += admit(section, stock_keys.DIST_PARAMS, 'dist_params')
    if backend is not None and backend not in backends:
        raise OptionError('dist_params:backend', f'{backend!r} is unknown', suggestion(backend, backends))
