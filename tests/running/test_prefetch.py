import gc
import os
import time
from pathlib import Path

import pytest
from basicsr.data import prefetch_dataloader
from basicsr.data.prefetch_dataloader import CPUPrefetcher, PrefetchDataLoader
from torch.utils.data import DataLoader

from s3net_plugin.running.prefetch import PrefetchGenerator
from tests.models.commands import until


def items(count, failing=None):
    for number in range(count):
        if number == failing:
            raise ValueError(f'item {number}')
        yield number


def test_it_loads_ahead_but_no_more_than_asked():
    started = []

    def count():
        for number in range(10):
            started.append(number)
            yield number

    generator = PrefetchGenerator(count(), 3)
    time.sleep(0.1)
    assert not started
    next(generator)
    until(lambda: len(started) == 4)
    time.sleep(0.1)
    assert len(started) == 4
    assert list(generator) == list(range(1, 10))


@pytest.mark.parametrize('ahead', [1, 3, 20])
def test_workers_that_persist_serve_one_epoch_after_the_other(ahead, monkeypatch):
    monkeypatch.setattr(prefetch_dataloader, 'PrefetchGenerator', PrefetchGenerator)
    loader = PrefetchDataLoader(ahead, dataset=range(7), batch_size=1, num_workers=2, persistent_workers=True)
    prefetcher = CPUPrefetcher(loader)  # as BasicSR's trainer does
    for _ in range(4):
        prefetcher.reset()
        assert [int(item) for item in iter(prefetcher.next, None)] == list(range(7))


@pytest.mark.parametrize('ahead', [1, 3])
def test_an_error_is_raised_after_the_items_before_it(ahead):
    generator = PrefetchGenerator(items(7, failing=2), ahead)
    assert [next(generator), next(generator)] == [0, 1]
    with pytest.raises(ValueError, match=r'^item 2$'):
        next(generator)


def children():
    return Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text().split()


def test_dropping_it_lets_the_workers_go():
    before = children()
    generator = PrefetchGenerator(iter(DataLoader(range(100), num_workers=2)), 2)
    next(generator)
    assert len(children()) == len(before) + 2
    del generator

    def alone():
        gc.collect()
        return children() == before

    until(alone, pause=0.05)
