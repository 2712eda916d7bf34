import copy
import pickle

import pytest
import torch
from basicsr.data.data_sampler import EnlargedSampler
from torch.utils.data import DataLoader, Dataset

from s3net_plugin.data.sampling import SampleIndex, StatefulDistributedSampler


class Counters(Dataset):
    """Returns what the sampler handed over."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return torch.tensor([int(index), index.seed, index.epoch, index.number])


def test_a_draw_is_an_index_that_survives_pickling_and_copying():
    draw = SampleIndex(3, seed=1, epoch=2, number=4)
    assert draw == 3 and 'abcd'[draw] == 'd'
    for other in (pickle.loads(pickle.dumps(draw)), copy.copy(draw), copy.deepcopy(draw)):
        assert type(other) is SampleIndex
        assert (int(other), other.seed, other.epoch, other.number) == (3, 1, 2, 4)


def test_it_has_the_attributes_of_the_sampler_it_replaces():
    ours, theirs = (kind(Counters(), 3, 1, 4) for kind in (StatefulDistributedSampler, EnlargedSampler))
    for each in (ours, theirs):
        each.set_epoch(5)
    for name in vars(theirs):
        if name != 'dataset':
            assert getattr(ours, name) == getattr(theirs, name)
    assert len(ours) == len(theirs) == len(list(ours)) == 14


@pytest.mark.parametrize('ratio', [1, 3])
def test_an_epoch_holds_every_index_equally_often_over_all_ranks(ratio):
    ranks = [list(StatefulDistributedSampler(Counters(), 5, rank, ratio)) for rank in range(5)]
    drawn = [draw for rank in ranks for draw in rank]
    assert sorted(map(int, drawn)) == sorted(list(range(10)) * ratio)
    assert sorted(draw.number for draw in drawn) == list(range(10 * ratio))


def test_ranks_are_disjoint_and_together_the_order_of_one_process():
    alone = list(StatefulDistributedSampler(Counters(), 1, 0))
    first, second = (list(StatefulDistributedSampler(Counters(), 2, rank)) for rank in range(2))
    assert [(int(d), d.number) for d in alone[0::2]] == [(int(d), d.number) for d in first]
    assert [(int(d), d.number) for d in alone[1::2]] == [(int(d), d.number) for d in second]


def test_the_order_depends_on_seed_and_epoch_only():
    def order(seed, epoch):
        sampler = StatefulDistributedSampler(Counters(), 1, 0, 2)
        sampler.seed = seed
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9
    assert {(d.seed, d.epoch) for d in order(7, 2)} == {(7, 2)}


@pytest.mark.parametrize('replicas', [1, 2, 3])
def test_resume_leaves_out_what_was_seen_in_that_epoch_alone(replicas):
    whole = list(StatefulDistributedSampler(Counters(), 1, 0, 3))
    samplers = [StatefulDistributedSampler(Counters(), replicas, rank, 3) for rank in range(replicas)]
    for sampler in samplers:
        sampler.resume(0, 12)
    drawn = sorted((draw.number, int(draw)) for sampler in samplers for draw in sampler)
    assert drawn == [(draw.number, int(draw)) for draw in whole[12:]]
    # BasicSR's prefetcher makes an iterator and throws it away before the first epoch
    assert drawn == sorted((draw.number, int(draw)) for sampler in samplers for draw in sampler)
    for sampler in samplers:
        sampler.set_epoch(1)
        assert len(list(sampler)) == len(sampler) == 30 // replicas


def test_ranks_stay_equally_long_when_the_world_size_changed():
    lengths = set()
    for rank in range(4):
        sampler = StatefulDistributedSampler(Counters(), 4, rank, 2)
        sampler.resume(0, 6)
        lengths.add(len(list(sampler)))
    assert lengths == {3}


def test_resuming_outside_of_an_epoch_is_an_error():
    with pytest.raises(ValueError, match='skip is 11, outside of the 10 draws'):
        StatefulDistributedSampler(Counters(), 1, 0).resume(0, 11)


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_counters_reach_the_dataset_through_real_loaders(workers):
    sampler = StatefulDistributedSampler(Counters(), 1, 0)
    sampler.seed = 11
    sampler.set_epoch(3)
    loader = DataLoader(Counters(), batch_size=4, sampler=sampler, num_workers=workers, drop_last=True)
    got = torch.cat(list(loader)).tolist()
    assert got == [[int(draw), 11, 3, draw.number] for draw in list(sampler)[:8]]
    assert len(loader) == 2
