"""What a pipeline of BasicSR is handed: the options that were read and checked, completed as BasicSR does it."""

from __future__ import annotations

import random
from argparse import Namespace
from copy import deepcopy
from typing import Any

import torch
from basicsr.utils import set_random_seed
from basicsr.utils.dist_util import get_dist_info

from s3net_plugin.running.run_folder import run_name, run_paths
from s3net_plugin.utils.distributed import init_dist
from s3net_plugin.utils.files import expand_user


def complete_options(opt: dict[str, Any], args: Namespace, *, is_train: bool) -> dict[str, Any]:
    """Return the options of a run, from the content of its option file and BasicSR's flags; join the job, set seeds.

    ``basicsr.utils.options.parse_options`` does the same to a file, but reads it with a loader that runs its tags,
    executes ``--force_yml``, asks for GPUs where there are none and never passes ``dist_params`` on, draws a seed
    before ``--force_yml`` names one, and, in the release 1.4.2, overwrites ``experiments_root`` and ``results_root``.
    (BasicSR's repository takes them for the folder above the run's, under the same version number; here they are the
    folder of the run, whichever is installed.)
    """
    opt = deepcopy(opt)
    folders = run_paths(opt, is_train=is_train, debug=args.debug)
    opt['dist'] = args.launcher != 'none'
    if opt['dist']:
        init_dist(args.launcher, **{**(opt.get('dist_params') or {}), 'use_gpus': opt['num_gpu'] != 0})
    opt['rank'], opt['world_size'] = get_dist_info()
    if opt.get('manual_seed') is None:
        opt['manual_seed'] = random.randint(1, 10000)
    set_random_seed(opt['manual_seed'] + opt['rank'])
    opt |= {'auto_resume': args.auto_resume, 'is_train': is_train, 'num_gpu': _num_gpu(opt, args.opt)}
    opt['name'] = run_name(opt, debug=args.debug)
    for phase, dataset in opt['datasets'].items():
        dataset['phase'] = phase.split('_')[0]
        if 'scale' in opt:
            dataset['scale'] = opt['scale']
        expand_user(dataset, 'dataroot_gt', 'dataroot_lq')
    paths = opt['path']
    expand_user(paths, *(key for key in paths if 'resume_state' in key or 'pretrain_network' in key))
    for root in ('experiments_root', 'results_root'):  # BasicSR makes a directory of what is left here
        paths.pop(root, None)
    paths |= folders
    if is_train and 'debug' in opt['name']:
        if opt.get('val'):
            opt['val']['val_freq'] = 8
        opt['logger'] |= {'print_freq': 1, 'save_checkpoint_freq': 8}
    return opt


def _num_gpu(opt: dict[str, Any], option_file: str) -> int:
    """Several GPUs without a launcher silently become DataParallel with a larger batch: use one, and say so."""
    present = torch.cuda.device_count()
    count = present if opt['num_gpu'] == 'auto' else opt['num_gpu']
    if opt['dist'] or count <= 1:
        return count
    several = (
        f' For all of them: torchrun --nproc_per_node={min(count, present)} '
        f'-m s3net_plugin.train -opt {option_file} --launcher pytorch'
    )
    print(f'{count} GPUs and no launcher: using one.{several if present > 1 else ""}', flush=True)
    return 1
