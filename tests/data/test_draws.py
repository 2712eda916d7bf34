import itertools

import numpy as np
import pytest

from s3net_plugin.data.draws import fixed_chances, is_held_out, mirrored, pick, sample_params, spread

LIGHTS = [f'{t}_{d}' for t in (2500, 3500, 4500, 5500, 6500) for d in ('N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW')]
PAIRS = list(itertools.permutations(LIGHTS, 2))


def test_every_counter_matters_and_nothing_else():
    counters = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    drawn = [sample_params(*each) for each in counters]
    assert len(set(drawn)) == len(counters)
    assert [sample_params(*each) for each in reversed(counters)] == drawn[::-1]


def test_draws_are_uniform_and_independent():
    drawn = np.array([sample_params(0, 0, number, 7) for number in range(4000)])
    assert drawn.min() >= 0 and drawn.max() < 1
    # standard errors of a uniform mean and of a correlation: 0.0046 and 0.016
    np.testing.assert_allclose(drawn.mean(axis=0), 0.5, atol=0.025)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.eye(5), atol=0.08)


def test_fixed_draws_are_pinned():
    """Scores are comparable only as long as the validation samples stay the same."""
    np.testing.assert_allclose(fixed_chances(0), [0.756947, 0.941381, 0.592463, 0.318841, 0.626073], atol=1e-6)
    np.testing.assert_allclose(fixed_chances(11999), [0.761638, 0.444262, 0.216704, 0.828373, 0.895038], atol=1e-6)


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
def test_spread_takes_one_from_each_stretch(count, wanted):
    chosen = spread(count, wanted)
    assert len(set(chosen)) == wanted
    edges = [k * count // wanted for k in range(wanted + 1)]
    assert all(low <= value < high for low, value, high in zip(edges, chosen, edges[1:], strict=False))


def test_spread_meets_all_lights():
    """Equal steps of 40 through scenes x 40 lights would meet one light only."""
    assert len(set(spread(300 * 40, 300) % 40)) > 35
