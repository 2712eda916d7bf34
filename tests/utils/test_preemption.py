import os
import signal
import time

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from s3net_plugin.utils import preemption


class Slow(Dataset):
    """Yields the process that loads, slowly."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        time.sleep(0.02)
        return torch.tensor(os.getpid())


@pytest.fixture
def signals():
    """Puts back what signals do here."""
    before = {number: signal.getsignal(number) for number in preemption.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def listening(monkeypatch, signals):
    monkeypatch.setattr(preemption, '_received', [])
    preemption.listen()


@pytest.mark.parametrize('number', preemption.SIGNALS)
def test_a_signal_is_noted_and_survived(listening, number):
    assert not preemption.requested()
    os.kill(os.getpid(), number)
    assert preemption.requested()


def test_a_second_ctrl_c_is_obeyed_at_once_but_an_echo_of_the_first_is_not(listening, monkeypatch):
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    monkeypatch.setattr(preemption, 'ONE_CTRL_C', 0)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_is_ignored_stays_so(signals):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    preemption.listen()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


@pytest.mark.parametrize('number', preemption.SIGNALS)
def test_workers_survive_the_signal_of_a_stranger(listening, number):
    loader = DataLoader(Slow(), num_workers=2)
    preemption.shield_workers(loader)
    seen = set()
    for count, pid in enumerate(loader):
        seen.add(int(pid))
        if count == 4:
            stranger = os.fork()  # the parent's own signal is obeyed
            if stranger == 0:
                for worker in seen:
                    os.kill(worker, number)
                os._exit(0)
            os.waitpid(stranger, 0)
    assert count == 39
    assert len(seen) == 2


def test_a_worker_starts_as_its_loader_has_it_and_obeys_its_own_run(listening):
    started = torch.zeros(1).share_memory_()
    loader = DataLoader(Slow(), num_workers=1, worker_init_fn=lambda worker: started.fill_(1))
    preemption.shield_workers(loader)
    batches = iter(loader)
    next(batches)
    worker = batches._workers[0]
    worker.terminate()
    worker.join(10)
    assert (worker.exitcode, started.item()) == (0, 1)
