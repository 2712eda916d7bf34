"""Where a run stands in its data, tried with BasicSR's own loop, loaders and prefetchers, without a model."""

import itertools

import pytest
import torch
from basicsr.data.prefetch_dataloader import CPUPrefetcher, PrefetchDataLoader
from torch.utils.data import DataLoader, Dataset

from s3net_plugin.data.sampling import StatefulDistributedSampler
from s3net_plugin.utils.progress import Progress


class Numbers(Dataset):
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return torch.tensor([index.epoch, index.number, int(index), index.seed])


class Job:
    """Some processes that train in turns as ``basicsr.train.train_pipeline`` does, up to an iteration."""

    def __init__(self, length=10, batch=2, processes=1, ratio=1, loader=DataLoader, seed=5, total=23):
        self.total, self.processes = total, processes
        self.ranks = []
        for rank in range(processes):
            sampler = StatefulDistributedSampler(Numbers(length), processes, rank, ratio)
            kwargs = {'num_prefetch_queue': 1} if loader is PrefetchDataLoader else {}
            loaded = loader(dataset=sampler.dataset, batch_size=batch, sampler=sampler, drop_last=True, **kwargs)
            self.ranks.append((sampler, loaded, Progress()))
        self.opt = {'train': {'total_iter': total}, 'manual_seed': seed}

    def run(self, until=None, state=None):
        """Return (the batches of every iteration, the training state after the last)."""
        batches = {}
        for sampler, loader, progress in self.ranks:
            iteration = state['iter'] if state else 0
            progress.resumed = state or {}
            last_epoch = progress.attach(loader, sampler, [], self.opt)
            prefetcher = CPUPrefetcher(loader)
            for epoch in range(state['epoch'] if state else 0, last_epoch + 1):
                sampler.set_epoch(epoch)
                prefetcher.reset()
                data = prefetcher.next()
                while data is not None:
                    iteration += 1
                    if iteration > min(self.total, until or self.total):
                        iteration -= 1
                        break
                    progress.count_batch()
                    batches.setdefault(iteration, []).extend(map(tuple, data.tolist()))
                    data = prefetcher.next()
            saved = {'iter': iteration, 'epoch': progress.epoch, **progress.state()}
        return {number: sorted(batch) for number, batch in batches.items()}, saved


SHAPES = [{'length': 10, 'batch': 2}, {'length': 10, 'batch': 3}, {'length': 7, 'batch': 3, 'ratio': 3}]
SHAPES += [{'length': 11, 'batch': 2, 'processes': 2}, {'length': 5, 'batch': 1, 'processes': 3, 'ratio': 2}]
SHAPES += [{'length': 10, 'batch': 3, 'loader': PrefetchDataLoader}]


@pytest.mark.parametrize('shape', SHAPES, ids=lambda shape: '-'.join(map(str, shape.values())))
def test_a_run_cut_anywhere_sees_what_an_uncut_one_sees(shape):
    whole, end = Job(**shape).run()
    assert list(whole) == list(range(1, 24))
    for cut in range(1, 24):
        before, state = Job(**shape).run(until=cut)
        after, end_again = Job(**shape).run(state=state)
        assert {**before, **after} == whole
        assert not before.keys() & after.keys()
        assert end_again == end


def test_a_run_may_be_cut_again_and_again():
    whole, _ = Job(batch=3).run()
    seen, state = {}, None
    for cut in (2, 3, 4, 9, 10, 16, 23):
        batches, state = Job(batch=3).run(until=cut, state=state)
        seen.update(batches)
    assert seen == whole


CHANGES = [{'batch': 3}, {'batch': 1}, {'processes': 3}, {'processes': 2, 'batch': 1}, {'length': 8}, {'length': 17}]


@pytest.mark.parametrize('change', CHANGES, ids=lambda change: '-'.join(f'{k}_{v}' for k, v in change.items()))
def test_a_run_that_is_changed_still_ends_at_its_last_iteration(change):
    for cut, total in itertools.product(range(1, 14), (cut_after for cut_after in (14, 15, 16, 23))):
        before, state = Job(total=total).run(until=cut)
        after, end = Job(total=total, **change).run(state=state)
        assert list({**before, **after}) == list(range(1, total + 1))
        assert end['iter'] == total


@pytest.mark.parametrize('change', CHANGES[:4], ids=lambda change: '-'.join(f'{k}_{v}' for k, v in change.items()))
def test_what_is_left_of_an_epoch_is_shared_anew_when_the_batch_changes(change):
    """Ten samples, of which two processes or batches of three leave some out, as they do in every epoch."""
    before, state = Job().run(until=3)
    seen = {sample for batch in before.values() for sample in batch}
    assert len(seen) == 6
    after, _ = Job(**change).run(state=state)
    rest = {sample for batch in after.values() for sample in batch if sample[0] == 0 and sample[1] < 10}
    assert rest
    assert not {number for _, number, _, _ in seen} & {number for _, number, _, _ in rest}


def test_a_longer_run_goes_on_after_its_end():
    whole, _ = Job(total=30).run()
    before, state = Job(total=23).run()
    after, _ = Job(total=30).run(state=state)
    assert {**before, **after} == whole
    assert Job(total=23).run(state=state)[0] == {}


def test_the_seed_of_a_run_outlives_the_option_file():
    _, state = Job(seed=5).run(until=4)
    assert Job(seed=6).run(state=state) == Job(seed=5).run(state=state)
    assert Job(seed=6).run()[0] != Job(seed=5).run()[0]


def test_a_state_of_another_program_starts_its_epoch_anew():
    batches, _ = Job().run(state={'iter': 7, 'epoch': 1})
    whole, _ = Job().run()
    assert batches[8] == whole[6]


def test_the_loader_draws_from_a_generator_of_its_own():
    job = Job()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    job.run()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_without_a_pipeline_counts_nothing():
    progress = Progress()
    progress.count_batch()
    assert progress.state() == {}
    assert progress.epoch == 0
