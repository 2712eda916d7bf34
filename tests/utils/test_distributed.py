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


def test_a_run_on_the_cpu_leaves_the_gpus_alone(joined, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'set_device', lambda device: pytest.fail('took a GPU'))
    os.environ['RANK'] = '0'
    distributed.init_dist('pytorch', backend='nccl', use_gpus=False)
    assert [call['backend'] for call in joined] == ['gloo']


@pytest.mark.parametrize(('local', 'gpu'), [(None, 1), ('3', 1), ('0', 0)])
def test_every_process_takes_a_gpu_of_its_own(joined, monkeypatch, local, gpu):
    taken = []
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'set_device', taken.append)
    os.environ['RANK'] = '5'
    if local is not None:
        os.environ['LOCAL_RANK'] = local
    distributed.init_dist('pytorch')
    assert taken == [gpu]
    assert joined[0]['backend'] == 'nccl'


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
    ('given', 'port', 'expected'), [(None, None, '29500'), ('4321', None, '4321'), ('4321', 777, '777')]
)
def test_slurm_says_which_process_this_is_and_where_the_first_one_listens(slurm, given, port, expected):
    if given:
        os.environ['MASTER_PORT'] = given
    distributed.init_dist('slurm', port=port, use_gpus=False)
    names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
    assert [os.environ[name] for name in names] == ['1', '0', '4', 'gpu03', expected]


def test_an_address_that_is_given_needs_no_scontrol(slurm):
    slurm.unlink()
    os.environ['MASTER_ADDR'] = 'head'
    distributed.init_dist('slurm', use_gpus=False)
    assert os.environ['MASTER_ADDR'] == 'head'


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
