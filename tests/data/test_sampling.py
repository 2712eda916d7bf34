"""Sampling: random numbers of counters, and a sampler that goes on where it was, through BasicSR's loop and loaders."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from basicsr.data.data_sampler import EnlargedSampler
from basicsr.data.prefetch_dataloader import CPUPrefetcher, PrefetchDataLoader
from torch.utils.data import DataLoader, Dataset

from s3net_plugin.data.sampling import (
    SampleIndex,
    StatefulDistributedSampler,
    fixed_sample_params,
    is_held_out,
    mirrored,
    pick,
    resume_sampling,
    sample_params,
    stratified_indices,
)

LIGHTS = [f'{t}_{d}' for t in (2500, 3500, 4500, 5500, 6500) for d in ('N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW')]
PAIRS = list(itertools.permutations(LIGHTS, 2))

# -- random numbers ----------------------------------------------------------------------------------------------------


def test_every_counter_matters_and_nothing_else():
    counters = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    drawn = [sample_params(*each) for each in counters]
    assert len(set(drawn)) == len(counters)
    assert [sample_params(*each) for each in reversed(counters)] == drawn[::-1]


def test_sample_params_are_uniform_and_independent():
    drawn = np.array([sample_params(0, 0, number, 7) for number in range(4000)])
    assert drawn.min() >= 0 and drawn.max() < 1
    # standard errors of a uniform mean and of a correlation: 0.0046 and 0.016
    np.testing.assert_allclose(drawn.mean(axis=0), 0.5, atol=0.025)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.eye(5), atol=0.08)


def test_fixed_sample_params_are_pinned():
    """Scores are comparable only as long as the validation samples stay the same."""
    first, last = fixed_sample_params(0), fixed_sample_params(11999)
    np.testing.assert_allclose(first, [0.756947, 0.941381, 0.592463, 0.318841, 0.626073], atol=1e-6)
    np.testing.assert_allclose(last, [0.761638, 0.444262, 0.216704, 0.828373, 0.895038], atol=1e-6)


def test_pick_covers_its_range_evenly():
    counts = np.bincount([pick(u, 7) for u in np.linspace(0, 1, 7000, endpoint=False)], minlength=7)
    np.testing.assert_array_equal(counts, 1000)
    assert pick(np.nextafter(1.0, 0.0), 40) == 39


def test_mirroring_swaps_east_and_west():
    assert [mirrored(f'4500_{d}') for d in ('N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW')] == [
        f'4500_{d}' for d in ('N', 'NW', 'W', 'SW', 'S', 'SE', 'E', 'NE')
    ]


@pytest.mark.parametrize('fraction', [0.05, 0.2, 0.5])
def test_about_the_fraction_is_held_out(fraction):
    held = np.mean([is_held_out(a, b, fraction) for a, b in PAIRS])
    assert abs(held - fraction) < 3 * np.sqrt(2 * fraction * (1 - fraction) / len(PAIRS))


def test_a_larger_fraction_holds_out_the_same_pairs_and_more():
    small, large = ({pair for pair in PAIRS if is_held_out(*pair, fraction)} for fraction in (0.1, 0.3))
    assert small < large
    assert not any(is_held_out(*pair, 0) for pair in PAIRS)


def test_a_pair_and_its_mirror_image_are_held_out_together():
    held = {pair for pair in PAIRS if is_held_out(*pair, 0.2)}
    assert {(mirrored(a), mirrored(b)) for a, b in held} == held
    assert {(b, a) for a, b in held} != held  # ordered pairs


def test_held_out_pairs_are_pinned():
    """A change of the hash would leak what earlier runs held out into training."""
    held = [pair for pair in PAIRS if is_held_out(*pair, 0.004)]
    assert held == [
        ('2500_N', '5500_S'),
        ('3500_NE', '6500_W'),
        ('3500_NW', '6500_E'),
        ('6500_SE', '6500_NW'),
        ('6500_SW', '6500_NE'),
    ]


@pytest.mark.parametrize(('count', 'wanted'), [(12000, 300), (100, 7), (10, 9), (10, 10), (3, 1)])
def test_stratified_indices_takes_one_from_each_stretch(count, wanted):
    chosen = stratified_indices(count, wanted)
    assert len(set(chosen)) == wanted
    edges = [k * count // wanted for k in range(wanted + 1)]
    assert all(low <= value < high for low, value, high in zip(edges, chosen, edges[1:], strict=False))


def test_stratified_indices_meets_all_lights():
    """Equal steps of 40 through scenes x 40 lights would meet one light only."""
    assert len(set(stratified_indices(300 * 40, 300) % 40)) > 35


# -- the sampler -------------------------------------------------------------------------------------------------------


class Counters(Dataset):
    """Returns what the sampler handed over."""

    def __init__(self, length=10):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return torch.tensor([int(index), index.seed, index.epoch, index.number])


def test_a_sample_index_is_an_index_that_survives_pickling_and_copying():
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


def test_the_order_depends_on_seed_and_epoch_only():
    def order(seed, epoch):
        sampler = StatefulDistributedSampler(Counters(), 1, 0, 2)
        sampler.load_state_dict({'seed': seed})
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9
    assert {(d.seed, d.epoch) for d in order(7, 2)} == {(7, 2)}


@pytest.mark.parametrize('used', [0, 12])
@pytest.mark.parametrize('replicas', [1, 2, 3, 4])
def test_a_state_leaves_out_what_was_seen_in_that_epoch_alone(replicas, used):
    before = StatefulDistributedSampler(Counters(), 1, 0, 3)
    whole = [(draw.number, int(draw)) for draw in before]
    before.advance(used)
    samplers = [StatefulDistributedSampler(Counters(), replicas, rank, 3) for rank in range(replicas)]
    for sampler in samplers:
        sampler.load_state_dict(before.state_dict())
    ranks = [[(draw.number, int(draw)) for draw in sampler] for sampler in samplers]
    assert len({len(rank) for rank in ranks}) == 1
    seen = sorted(draw for rank in ranks for draw in rank)
    assert [number for number, _ in seen] == list(range(used, used + len(seen)))
    assert seen == whole[used:] or replicas == 4  # whose epoch is longer
    for sampler in samplers:
        sampler.set_epoch(1)
        assert len(list(sampler)) == len(sampler)


def test_a_position_behind_the_end_of_a_shorter_epoch_is_its_end():
    sampler = StatefulDistributedSampler(Counters(), 1, 0)
    sampler.load_state_dict({'seed': 1, 'epoch': 2, 'position': 11})
    assert sampler.state_dict() == {'seed': 1, 'epoch': 2, 'position': 10}
    assert list(sampler) == []


# -- a run that is cut and goes on -------------------------------------------------------------------------------------


class Job:
    """Some processes that train in turns as ``basicsr.train.train_pipeline`` does, up to an iteration."""

    def __init__(self, length=10, batch=2, processes=1, ratio=1, loader=DataLoader, seed=5, total=23):
        self.total, self.processes = total, processes
        self.ranks = []
        for rank in range(processes):
            sampler = StatefulDistributedSampler(Counters(length), processes, rank, ratio)
            kwargs = {'num_prefetch_queue': 1} if loader is PrefetchDataLoader else {}
            loaded = loader(dataset=sampler.dataset, batch_size=batch, sampler=sampler, drop_last=True, **kwargs)
            self.ranks.append((sampler, loaded))
        self.opt = {'train': {'total_iter': total}, 'manual_seed': seed}

    def run(self, until=None, state=None):
        """Return (the batches of every iteration, the training state after the last)."""
        batches, saved = {}, state
        for sampler, loader in self.ranks:
            iteration = state['iter'] if state else 0
            last_epoch = resume_sampling(loader, sampler, state, self.opt)
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
                    sampler.advance(len(data))
                    saved = {'iter': iteration, 'epoch': epoch, 'sampler': sampler.state_dict()}
                    batches.setdefault(iteration, []).extend(map(tuple, data.tolist()))
                    data = prefetcher.next()
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
        between, state = Job(**shape).run(until=cut + 3, state=state)  # and cut again
        after, end_again = Job(**shape).run(state=state)
        assert {**before, **between, **after} == whole
        assert len(before) + len(between) + len(after) == len(whole)
        assert end_again == end


CHANGES = [{'batch': 3}, {'batch': 1}, {'processes': 3}, {'processes': 2, 'batch': 1}, {'length': 8}, {'length': 17}]


@pytest.mark.parametrize('change', CHANGES, ids=lambda change: '-'.join(f'{k}_{v}' for k, v in change.items()))
def test_a_run_that_is_changed_still_ends_at_its_last_iteration(change):
    for cut, total in itertools.product(range(1, 14), (cut_after for cut_after in (14, 15, 16, 23))):
        before, state = Job(total=total).run(until=cut)
        after, end = Job(total=total, **change).run(state=state)
        assert list({**before, **after}) == list(range(1, total + 1))
        assert end['iter'] == total


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
    assert Job().run(state={'iter': 7, 'epoch': 1})[0][8] == Job().run()[0][6]


def test_the_loader_draws_from_a_generator_of_its_own():
    job = Job()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    job.run()
    assert torch.equal(torch.get_rng_state(), before)
