"""Which training state a run goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from basicsr.archs import build_network
from basicsr.utils import check_resume

from s3net_plugin.models.checkpoints import training_states
from s3net_plugin.models.training_state import by_parts
from s3net_plugin.running.run_folder import run_folder
from s3net_plugin.utils.checkpoint import check_fit, load_weights_only, without_pretraining
from s3net_plugin.utils.distributed import broadcast_object
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.logger import no_log_file_yet


def load_resume_state(opt: dict[str, Any]) -> dict[str, Any] | None:
    """Return the state to resume from, on the CPU, or None to start anew; sets ``opt['path']`` as BasicSR does.

    ``--auto_resume`` takes the newest iteration of which the state and the networks are all whole, and says which it
    passes over; ``path:resume_state`` names one state, which also serves where there is no whole one yet. The first
    process chooses, for all. Going back to an earlier state renames the later ones to ``*.state.left``, lest
    ``--auto_resume`` take up what was left behind.

    Raises:
        OptionError: the chosen state or one of its networks is missing or not whole, in this process, or a network is
            not the one that the option file describes.
    """
    path, newest = opt['path'].get('resume_state'), None
    if opt['auto_resume']:
        newest = broadcast_object(_newest_whole(opt) if opt['rank'] == 0 else None)
        path = newest or path
    if not path:
        return None
    try:
        state, checkpoints = _load(opt, Path(path))
    except (OSError, ValueError) as error:
        hint = 'networks are looked for in the folder of this run, by every process'
        raise OptionError(f'path:resume_state: {error} ({hint})') from None
    if state['iter'] > opt['train']['total_iter']:
        raise OptionError(f'train:total_iter: {opt["train"]["total_iter"]}, but the run is at {state["iter"]} already')
    for key, content in checkpoints.items():
        opt[key] = without_pretraining(opt[key])
        if opt['path'].get(key.replace('network', 'strict_load'), True):
            where = f'{_checkpoint(opt, key, state["iter"])} (from which the run goes on)'
            with no_log_file_yet(), torch.random.fork_rng(devices=[]):  # what the run draws stays the same
                net = build_network(opt[key])
            check_fit(net, key, opt[key], content, content.get('params', {}), where)
    if newest is None and opt['rank'] == 0:
        _leave_behind(Path(opt['path']['training_states']), state['iter'])
    opt['path']['resume_state'] = str(path)
    check_resume(opt, state['iter'])
    for key in opt['path']:
        if key.startswith('param_key'):  # of the weights that training once started from
            opt['path'][key] = 'params'
    return state


def can_resume(opt: dict[str, Any], *, auto_resume: bool, debug: bool) -> bool:
    """Whether a run will go on from a state, as far as names of files tell; ``opt`` is the option file's content."""
    named = bool((opt.get('path') or {}).get('resume_state'))
    folder = run_folder(opt, is_train=True, debug=debug)
    return named or (auto_resume and bool(training_states(folder / 'training_states')))


def _newest_whole(opt: dict[str, Any]) -> str | None:
    folder = Path(opt['path']['training_states'])
    for half_written in (*folder.glob('.*.state'), *Path(opt['path']['models']).glob('.*.pth')):
        half_written.unlink()  # a process was killed
    for path in reversed(training_states(folder)):
        try:
            _load(opt, path)
        except (OSError, ValueError) as error:
            print(f'--auto_resume: passing over {path.name}: {error}', flush=True)
        else:
            return str(path)
    return None


def _leave_behind(folder: Path, iteration: int) -> None:
    for path in training_states(folder):
        if int(path.stem) > iteration:
            print(f'going back to iteration {iteration}: {path.name} is renamed to {path.name}.left', flush=True)
            path.replace(f'{path}.left')


def _load(opt: dict[str, Any], path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return a training state and, by their options' names, the checkpoints of the networks that belong to it."""
    state = load_weights_only(path)
    if 'iter' not in state:
        raise ValueError(f'{path}: not a training state')
    ignored = opt['path'].get('ignore_resume_networks') or ()
    networks = [key for key in opt if key.startswith('network_') and key not in ignored]
    return by_parts(state), {key: load_weights_only(_checkpoint(opt, key, state['iter'])) for key in networks}


def _checkpoint(opt: dict[str, Any], key: str, iteration: int) -> Path:
    return Path(opt['path']['models'], f'{key.replace("network", "net")}_{iteration}.pth')
