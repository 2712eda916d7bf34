import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from s3net_plugin.utils import distributed
from s3net_plugin.utils.errors import OptionError


@pytest.fixture
def joined(monkeypatch):
    """Record what a process group would be started with, in an environment without a launcher's variables."""
    calls = []
    monkeypatch.setattr(dist, 'init_process_group', lambda **options: calls.append(options))
    for name in list(os.environ):
        if name.startswith(('SLURM_', 'MASTER_')) or name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE'):
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, 'environ', os.environ.copy())  # init_dist writes to it
    return calls


def test_gloo_joins_processes_without_gpus(joined):
    os.environ['RANK'] = '3'
    distributed.init_dist('pytorch', use_gpus=False)
    distributed.init_dist('pytorch', backend='mpi', port=1, use_gpus=False)
    assert [call['backend'] for call in joined] == ['gloo', 'mpi']
    assert 'MASTER_PORT' not in os.environ


@pytest.mark.parametrize(
    ('local', 'use', 'gpus'), [(None, True, [1]), ('3', True, [1]), ('0', True, [0]), ('0', False, [])]
)
def test_every_process_takes_a_gpu_of_its_own_and_none_on_the_cpu(joined, monkeypatch, local, use, gpus):
    taken = []
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'set_device', taken.append)
    os.environ['RANK'] = '5'
    if local is not None:
        os.environ['LOCAL_RANK'] = local
    distributed.init_dist('pytorch', backend='nccl', use_gpus=use)
    assert taken == gpus
    assert joined[0]['backend'] == ('nccl' if use else 'gloo')


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm'])
def test_a_launcher_that_is_not_there_is_named(joined, launcher):
    with pytest.raises(OptionError, match=f'--launcher {launcher}: the environment variable .* is not set; start with'):
        distributed.init_dist(launcher)
    assert not joined


@pytest.fixture
def slurm(joined, tmp_path):
    """The environment of the second of four processes, with a scontrol that knows its nodes."""
    os.environ.update(SLURM_PROCID='1', SLURM_LOCALID='0', SLURM_NTASKS='4', SLURM_NODELIST='gpu[03-04]')
    script = tmp_path / 'scontrol'
    script.write_text('#!/bin/sh\n[ "$*" = "show hostnames gpu[03-04]" ] && printf "gpu03\\ngpu04\\n"\n')
    script.chmod(0o755)
    os.environ['PATH'] = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    return script


@pytest.mark.parametrize(
    ('given', 'port', 'expected'),
    [
        ({}, None, ['gpu03', '29500']),
        ({'MASTER_PORT': '4321'}, None, ['gpu03', '4321']),
        ({'MASTER_PORT': '4321'}, 777, ['gpu03', '777']),
        ({'MASTER_ADDR': 'head', 'SLURM_NODELIST': 'a'}, None, ['head', '29500']),  # which scontrol does not know
    ],
)
def test_slurm_says_which_process_this_is_and_where_the_first_one_listens(slurm, given, port, expected):
    os.environ.update(given)
    distributed.init_dist('slurm', port=port, use_gpus=False)
    names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
    assert [os.environ[name] for name in names] == ['1', '0', '4', *expected]


def test_slurm_without_an_answer_from_scontrol_is_one_line(slurm):
    slurm.write_text('#!/bin/sh\nexit 1\n')
    with pytest.raises(OptionError, match="scontrol names no node of SLURM_NODELIST 'gpu"):
        distributed.init_dist('slurm', use_gpus=False)
    os.environ['PATH'] = str(slurm.parent / 'nowhere')
    with pytest.raises(OptionError, match='scontrol is not on the PATH; set MASTER_ADDR'):
        distributed.init_dist('slurm', use_gpus=False)


def test_alone_there_is_nobody_to_agree_with():
    assert distributed.broadcast_object('mine') == 'mine'
    assert distributed.all_gather_object('mine') == ['mine']
    distributed.shutdown()


def _agree(rank, folder):
    dist.init_process_group('gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=2)
    found = distributed.broadcast_object(f'of {rank}'), distributed.all_gather_object({'rank': rank})
    (folder / str(rank)).write_text(repr(found))
    distributed.shutdown()
    assert not dist.is_initialized()


def test_processes_agree_on_what_the_first_says_and_hear_each_other(tmp_path):
    mp.start_processes(_agree, (tmp_path,), nprocs=2, start_method='fork')
    assert {(tmp_path / name).read_text() for name in '01'} == {repr(('of 0', [{'rank': 0}, {'rank': 1}]))}
