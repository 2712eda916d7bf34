"""The launcher itself: ``torchrun -m s3net_plugin.train``, on one node and on two, with a real S3Net."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.models.commands import free_port, launch, succeed, until
from tests.models.runs import equal, result, states, steps

CHANGES = {
    'network_g': {'type': 'S3Net', 'encoder': 'resnet10t', 'residual': True},
    'datasets:train:gt_size': 32,
    'datasets:train:batch_size_per_gpu': 2,
    'train:optim_g': {'type': 'Adam', 'lr': 0.0003},
    'train:total_iter': 5,
    'val:val_freq': 5,
}


class Torchrun:
    """A running torchrun; its processes write what they do to ``record_RANK.txt``."""

    def __init__(self, folder, *flags, seconds=0):
        program = [Path(sys.executable).with_name('torchrun'), *flags, '-m', 's3net_plugin.train']
        program += ['-opt', folder / 'options.yml', '--launcher', 'pytorch']
        paths = os.pathsep.join(map(str, (folder, ROOT)))
        environment = {'PYTHONPATH': paths, 'RECORD_FOLDER': str(folder), 'SECONDS': str(seconds)}
        self.log = folder / f'torchrun_{free_port()}.txt'
        with self.log.open('w') as file:
            self.process = subprocess.Popen(
                [str(part) for part in program],
                cwd=folder,
                env={**os.environ, 'OMP_NUM_THREADS': '1', **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def wait(self, timeout=120):
        try:
            return self.process.wait(timeout)
        finally:
            self.process.kill()


@pytest.fixture(scope='module')
def expected(prepare, tmp_path_factory):
    folder = tmp_path_factory.mktemp('expected')
    succeed(launch(folder, 2, 'train', '-opt', prepare(folder, CHANGES)))
    return folder


def test_torchrun_passes_on_sigterm_and_the_job_goes_on_later(prepare, expected, tmp_path):
    prepare(tmp_path, {**CHANGES, 'logger:save_checkpoint_freq': 100})
    job = Torchrun(tmp_path, '--nproc_per_node=2', f'--master_port={free_port()}', seconds=0.3)
    until(lambda: len(steps(tmp_path, 1)) >= 2, seconds=120)
    job.process.send_signal(signal.SIGTERM)
    assert job.wait() != 0
    assert states(tmp_path) == [steps(tmp_path)[-1][0]], job.log.read_text()
    succeed(launch(tmp_path, 2, 'train', '-opt', prepare(tmp_path, CHANGES), '--auto_resume'))
    assert steps(tmp_path) == steps(expected)
    assert equal(result(tmp_path), result(expected))


def test_two_nodes_that_meet_at_a_rendezvous_train_as_one_job(prepare, expected, tmp_path):
    prepare(tmp_path, CHANGES)
    meeting = ['--rdzv_backend=c10d', f'--rdzv_endpoint=127.0.0.1:{free_port()}', '--rdzv_id=test']
    nodes = [
        Torchrun(tmp_path, '--nnodes=2', '--nproc_per_node=1', '--local_addr=127.0.0.1', *meeting) for _ in range(2)
    ]
    assert [node.wait() for node in nodes] == [0, 0], [node.log.read_text() for node in nodes]
    assert equal(result(tmp_path), result(expected))
    for rank in range(2):
        assert steps(tmp_path, rank) == steps(expected, rank)
