"""The section ``path``: files that can be read, and weights that fit the network they are for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from s3net_plugin.config.values import admit, error_context
from s3net_plugin.utils.checkpoint import SAFETENSORS, check_fit, load_weights_only
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.schema import unknown_option

_PATH = {'resume_state', 'ignore_resume_networks', 'experiments_root', 'results_root'}
_PATH_PREFIXES = ('pretrain_network_', 'strict_load_', 'param_key_')
# BasicSR makes a folder of every option without these in its name.
_MAKE_NO_FOLDER = ('strict_load', 'pretrain_network', 'resume', 'param_key')


def check_path(
    path: dict[str, Any], opt: Mapping[str, Any], networks: Mapping[str, nn.Module], resumes: bool, unread: list[str]
) -> None:
    """Check the section ``path``, and weights for ``networks``, which do not matter to a run that ``resumes``."""
    known = _PATH | {prefix + 'g' for prefix in _PATH_PREFIXES} | {k for k in path if str(k).startswith(_PATH_PREFIXES)}
    for key in [key for key in path if key not in known]:
        makes_folder = not any(part in str(key) for part in _MAKE_NO_FOLDER)
        if makes_folder and (not isinstance(path[key], str) or str(key).startswith('pretrain')):
            raise unknown_option(key, known).within('path')
    unread += admit(path, known, 'path')
    for key in [key for key in path if str(key).startswith('strict_load_')]:
        if path[key] is not None and not isinstance(path[key], bool):  # None is false to PyTorch
            raise OptionError(f'path:{key}', f'{path[key]!r} is not true or false')
    ignored = path.get('ignore_resume_networks') or []
    if not isinstance(ignored, list):
        raise OptionError('path:ignore_resume_networks', f'{ignored!r} is not a list of networks')
    for key, value in path.items():
        is_weights = str(key).startswith('pretrain_network_')
        name = str(key).removeprefix('pretrain_')
        is_read = not resumes and name in networks if is_weights else key == 'resume_state'
        if value is None or not is_read:
            continue
        if not isinstance(value, str):
            raise OptionError(f'path:{key}', f'{value!r} is not the path of a file')
        try:
            content = load_weights_only(Path(value).expanduser())
        except (OSError, ValueError) as error:
            raise OptionError(f'path:{key}', str(error)) from None
        if is_weights:
            label = name.removeprefix('network_')
            params_key = 'params' if value.endswith(SAFETENSORS) else path.get(f'param_key_{label}', 'params')
            with error_context(f'path:{key}'):
                params = _params(content, params_key, f'param_key_{label}', value)
                if path.get(f'strict_load_{label}', True):
                    check_fit(networks[name], name, opt[name], content, params, value)


def _params(content: Mapping[str, Any], key: str | None, option: str, where: str) -> Mapping[str, Any]:
    """Return what BasicSR loads, which takes ``params`` where there is no ``params_ema``."""
    if key is None:
        return content
    if key not in content and (key != 'params_ema' or 'params' not in content):
        hint = f'; see path:{option})'
        if 'params' not in content:
            script = 'scripts/import_released_weights.py'
            hint = f"); is it a BasicSR checkpoint? The authors' one goes through {script} first"
        raise OptionError('', f'{where} holds no {key!r} (it holds {", ".join(map(str, content))[:80]}{hint}')
    params = content.get(key, content.get('params'))
    if not isinstance(params, Mapping):
        raise OptionError('', f'{where}: {key!r} in it is no state dict')
    return params
