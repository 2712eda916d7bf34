"""Starting and leaving a process group, with or without GPUs, and what its processes have to agree on."""

from __future__ import annotations

import inspect
import os
import subprocess
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from s3net_plugin.utils.errors import OptionError

T = TypeVar('T')


def init_dist(launcher: str, backend: str | None = None, port: int | None = None, use_gpus: bool = True) -> None:
    """Join the job's process group: NCCL and one GPU a process where there are GPUs, Gloo on the CPU otherwise.

    Args:
        launcher: ``pytorch`` (torchrun sets RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT) or ``slurm``
            (``srun`` sets SLURM_PROCID, SLURM_LOCALID, SLURM_NTASKS and SLURM_NODELIST).
        backend: a backend of ``torch.distributed``; chosen by the device when not given, or NCCL without GPUs.
        port: the master's port under Slurm; MASTER_PORT or 29500 when not given.
        use_gpus: whether the run is to use the GPUs that are there.

    Raises:
        OptionError: a variable that the launcher should have set is missing, or Slurm cannot name the first node.
    """
    try:
        if launcher == 'slurm':
            _export_slurm(port)
        rank = int(os.environ['RANK'])
    except KeyError as error:
        starter = 'srun' if launcher == 'slurm' else 'torchrun'
        raise OptionError(
            f'--launcher {launcher}: the environment variable {error} is not set; start with {starter}'
        ) from None
    gpus = torch.cuda.device_count() if use_gpus else 0
    if gpus:
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', rank)) % gpus)
    if backend == 'nccl' and not gpus:  # as all of BasicSR's option files have it
        backend = 'gloo'
    dist.init_process_group(backend=backend or ('nccl' if gpus else 'gloo'))


def launcher_world_size(launcher: str) -> int:
    """Return the number of processes that a launcher has started, before they have joined.

    Raises:
        OptionError: there are several, and ``launcher`` is ``none``: each would do the whole run in the same folder.
    """
    for starter, variable, flag in (('torchrun', 'WORLD_SIZE', 'pytorch'), ('srun', 'SLURM_STEP_NUM_TASKS', 'slurm')):
        count = os.environ.get(variable, '1')
        if count.isdigit() and int(count) > 1:
            if launcher == 'none':
                raise OptionError(f'{starter} has started {count} processes; add --launcher {flag}, or start one')
            return int(count)
    return 1


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
        ask = ['scontrol', 'show', 'hostnames', nodes]
        try:
            names = subprocess.run(ask, capture_output=True, text=True).stdout.split()
        except FileNotFoundError:
            hint = 'scontrol is not on the PATH; set MASTER_ADDR to the first node'
            raise OptionError(f'--launcher slurm: {hint}') from None
        if not names:
            raise OptionError(f'--launcher slurm: scontrol names no node of SLURM_NODELIST {nodes!r}; set MASTER_ADDR')
        os.environ['MASTER_ADDR'] = names[0]


def wrap(net: nn.Module, device: torch.device, find_unused_parameters: bool) -> DistributedDataParallel:
    """Wrap a network that is on ``device`` so that the processes of a job exchange gradients.

    Buffers are not synchronised at every step: no step reads the statistics of BatchNorm, and validation shares them.
    """
    # PyTorch 2.14 has another name for it and warns of the old one.
    parameters = inspect.signature(DistributedDataParallel.__init__).parameters
    name = 'forward_sync_buffers' if 'forward_sync_buffers' in parameters else 'broadcast_buffers'
    no_buffers: dict[str, Any] = {name: False}
    return DistributedDataParallel(
        net,
        device_ids=[torch.cuda.current_device()] if device.type == 'cuda' else None,
        find_unused_parameters=find_unused_parameters,
        gradient_as_bucket_view=True,
        **no_buffers,
    )


def broadcast_object(value: T) -> T:
    """Return the first process's ``value`` (anything that can be pickled) in every process; alone, ``value``."""
    if not dist.is_initialized():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def all_gather_object(value: T) -> list[T]:
    """Return the ``value`` of every process, by rank, in every process; alone, a list of one."""
    if not dist.is_initialized():
        return [value]
    values: list[T | None] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values  # type: ignore[return-value]


def shutdown() -> None:
    """Leave the process group together: a launcher ends all others as soon as one process is gone."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
