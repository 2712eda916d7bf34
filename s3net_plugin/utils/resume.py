"""Which training state a run goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from basicsr.utils import check_resume

from s3net_plugin.utils.checkpoint import load_plain
from s3net_plugin.utils.progress import progress


def load_resume_state(opt: dict[str, Any]) -> dict[str, Any] | None:
    """Return the state to resume from, on the CPU, or None to start anew; sets ``opt['path']`` as BasicSR does.

    ``--auto_resume`` takes the newest iteration of which the state and the network are both whole, and warns of those
    it passes over; ``path:resume_state`` names one state.

    Raises:
        ValueError, FileNotFoundError: the state that ``path:resume_state`` names is missing or not whole.
    """
    if not opt['auto_resume']:
        named = opt['path'].get('resume_state')
        if not named:
            return None
        state = load_plain(named)
        return _take(opt, state)
    for path in sorted(Path(opt['path']['training_states']).glob('*.state'), key=_iteration, reverse=True):
        try:
            state = load_plain(path)
            for network in _networks(opt, state['iter']):
                load_plain(network)
        except (OSError, ValueError) as error:
            print(f'--auto_resume: passing over {path.name}: {error}', flush=True)
            continue
        opt['path']['resume_state'] = str(path)
        return _take(opt, state)
    return None


def _take(opt: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    check_resume(opt, state['iter'])
    progress.resumed = state
    return state


def _iteration(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else -1


def _networks(opt: dict[str, Any], iteration: int) -> list[Path]:
    """The checkpoints that belong to a state: one for every ``network_x`` of the option file."""
    names = [key.removeprefix('network_') for key in opt if key.startswith('network_')]
    return [Path(opt['path']['models'], f'net_{name}_{iteration}.pth') for name in names]
