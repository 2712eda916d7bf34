"""The `basicsr` command: BasicSR's own pipelines, with plugins loaded and the option file checked first."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from s3net_plugin.config.shipped import find_option_file
from s3net_plugin.utils.errors import DataError, OptionError, RunError
from s3net_plugin.utils.logger import announce, is_first_process, log_traceback
from s3net_plugin.utils.runtime import tune_runtime
from s3net_plugin.utils.yaml_file import read_option_file

USAGE = 'usage: basicsr train.py|test.py -opt OPTIONS.yml [BasicSR flags]'
_INTERRUPTED = {
    'train': 'interrupted; --auto_resume goes on from the last state that was saved',
    'test': 'interrupted; the results are not complete',
}


def load_plugins() -> None:
    """Import every module that an installed package names in the entry-point group ``basicsr.plugins``.

    Raises:
        ImportError: a plugin cannot be imported; the message names it.
    """
    for plugin in entry_points(group='basicsr.plugins'):
        try:
            plugin.load()
        except Exception as error:
            raise ImportError(f'the plugin {plugin.name!r} ({plugin.value}) cannot be loaded: {error}') from error


def _parser(job: str) -> argparse.ArgumentParser:
    """BasicSR's flags, so that a wrong one is met before anything else happens."""
    parser = argparse.ArgumentParser(prog=f'basicsr {job}.py', allow_abbrev=False)
    parser.add_argument('-opt', required=True, help='option file (YAML)')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='job launcher')
    parser.add_argument('--auto_resume', action='store_true', help='go on from the newest whole checkpoint')
    parser.add_argument('--debug', action='store_true', help='validate and save every 8 iterations')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by older launchers')
    parser.add_argument('--force_yml', nargs='+', default=None, metavar='KEY:KEY=VALUE', help='change options')
    return parser


def run(job: str, argv: Sequence[str]) -> None:
    """Run ``train`` or ``test`` with BasicSR's command line ``argv``, the working directory as root.

    Raises:
        OptionError: the option file or the command line has to be changed.
    """
    args = _parser(job).parse_args(argv)
    file = find_option_file(args.opt)
    if file != Path(args.opt).expanduser():
        announce(f'{args.opt}: no such file here; taking the one of this package, {file}')
        args.opt = str(file)
    opt = read_option_file(args.opt, args.force_yml)
    # What comes now takes seconds to import; what can be wrong so far has been said.
    from basicsr.utils.registry import MODEL_REGISTRY

    from s3net_plugin.config.check import check_options
    from s3net_plugin.config.values import registered
    from s3net_plugin.running import pipeline, resume, run_folder
    from s3net_plugin.utils import distributed, preemption

    processes = distributed.launcher_world_size(args.launcher)
    load_plugins()
    _find_pretrained(opt)
    resumes = job == 'train' and resume.can_resume(opt, auto_resume=args.auto_resume, debug=args.debug)
    check_options(opt, is_train=job == 'train', where=args.opt, resumes=resumes, processes=processes)
    if is_first_process():  # which makes the folder
        folder = run_folder.run_folder(opt, is_train=job == 'train', debug=args.debug)
        if not resumes:
            run_folder.check_overwrite(folder, opt, args.opt)
        if job == 'train' and folder.is_dir():
            run_folder.lock_folder(folder)
    if job == 'train':
        if getattr(registered(MODEL_REGISTRY, opt['model_type'], 'model_type'), 'stops_on_signals', False):
            preemption.listen()
        pipeline.train(opt, args)
    else:
        pipeline.test(opt, args)
    distributed.shutdown()


def _find_pretrained(opt: dict[str, Any]) -> None:
    """Put the weights in the package where ``pretrained`` is asked for; what is here under that name comes first."""
    from s3net_plugin.archs.pretrained import PRETRAINED, pretrained_path

    path = opt.get('path')
    if not isinstance(path, dict) or path.get('pretrain_network_g') != PRETRAINED:
        return
    if not os.path.lexists(PRETRAINED):
        path['pretrain_network_g'] = str(pretrained_path())
    else:
        here = Path(PRETRAINED).absolute()
        announce(f'path:pretrain_network_g: {PRETRAINED} is {here}, not the weights in the package')


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console command; returns the exit status (2 for options that have to be changed)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    tune_runtime()
    job = argv[0].removesuffix('.py') if argv else ''
    if job in ('-h', '--help'):
        print(USAGE)
        return 0
    if job not in ('train', 'test'):
        print(f'{USAGE}\nbasicsr: error: {f"no command {argv[0]!r}" if argv else "no command given"}', file=sys.stderr)
        return 2
    try:
        run(job, argv[1:])
    except (OptionError, RunError) as error:
        return _fail(error, 2 if isinstance(error, OptionError) else 1, everywhere=True)
    except DataError as error:
        return _fail(error, 1, everywhere=False)
    except KeyboardInterrupt:
        return _fail(KeyboardInterrupt(_INTERRUPTED[job]), 130, everywhere=True)
    except Exception as error:
        if isinstance(error, (ImportError, OSError)) and _is_raised_here(error):
            return _fail(error, 1, everywhere=False)
        log_traceback(error)
        raise
    return 0


def _is_raised_here(error: Exception) -> bool:
    """Whether an error comes from this package or from BasicSR, and not from another plugin's code or a library."""
    modules = (frame.f_globals.get('__name__', '').split('.')[0] for frame, _ in traceback.walk_tb(error.__traceback__))
    return [name for name in modules if name not in sys.stdlib_module_names][-1:] in (['s3net_plugin'], ['basicsr'])


def _fail(error: BaseException, status: int, *, everywhere: bool) -> int:
    """Say in one line what is wrong; of errors that all processes of a job meet, one process a node says it."""
    # A loader's worker hands over its traceback, of which the last line is the error.
    message = str(error).rsplit(f'{type(error).__name__}: ', 1)[-1].strip()
    local_rank = os.environ.get('LOCAL_RANK', os.environ.get('SLURM_LOCALID', '0'))
    if local_rank == '0' or not everywhere:
        who = f'process {os.environ["RANK"]}: ' if 'RANK' in os.environ and not everywhere else ''
        print(f'basicsr: error: {who}{message}', file=sys.stderr)
    return status


if __name__ == '__main__':
    sys.exit(main())
