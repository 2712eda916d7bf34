"""Starting a process group from the environment of torchrun or Slurm, with or without GPUs."""

from __future__ import annotations

import os
import subprocess

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def init_dist(launcher: str, backend: str | None = None, port: int | None = None) -> None:
    """Join the job's process group: NCCL and one GPU a process where there are GPUs, Gloo on the CPU otherwise.

    Args:
        launcher: ``pytorch`` (torchrun sets RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT) or ``slurm``
            (``srun`` sets SLURM_PROCID, SLURM_LOCALID, SLURM_NTASKS and SLURM_NODELIST).
        backend: a backend of ``torch.distributed``; chosen by the device when not given.
        port: the master's port under Slurm; MASTER_PORT or 29500 when not given.

    Raises:
        ValueError: a variable that the launcher should have set is missing.
    """
    if mp.get_start_method(allow_none=True) is None:
        mp.set_start_method('spawn')
    try:
        if launcher == 'slurm':
            _export_slurm(port)
        rank = int(os.environ['RANK'])
    except KeyError as error:
        starter = 'srun' if launcher == 'slurm' else 'torchrun'
        raise ValueError(
            f'--launcher {launcher}: the environment variable {error} is not set; start with {starter}'
        ) from None
    gpus = torch.cuda.device_count()
    if gpus:
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', rank)) % gpus)
    dist.init_process_group(backend=backend or ('nccl' if gpus else 'gloo'))


def _export_slurm(port: int | None) -> None:
    """Set what ``init_process_group`` reads from what Slurm sets."""
    nodes = os.environ['SLURM_NODELIST']
    os.environ['RANK'] = os.environ['SLURM_PROCID']
    os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
    os.environ['LOCAL_RANK'] = os.environ['SLURM_LOCALID']
    if port is not None:
        os.environ['MASTER_PORT'] = str(port)
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        names = subprocess.run(['scontrol', 'show', 'hostname', nodes], capture_output=True, text=True, check=True)
        os.environ['MASTER_ADDR'] = names.stdout.split()[0]
