import numpy as np
import pytest

from salix.compare.difference_concepts import difference_concepts
from salix.compare.neighbour_ranks import (
    join_groups,
    neighbour_ranks,
    rank_difference,
    spread_sample,
)
from salix.typing import InputError


def planted(seed=0, regions=200, members=30, d=8):
    """Return features that agree but for a group which is tight in the first only."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((regions, d))
    b = a.copy()
    group = np.sort(rng.permutation(regions)[:members])
    a[group] = 3 + 0.1 * rng.standard_normal((members, d))
    return a.astype(np.float32), b.astype(np.float32), group


def test_ranks_are_those_of_sorted_distances():
    x = np.random.default_rng(0).standard_normal((20, 3))
    ranks = neighbour_ranks(x)
    for i in range(20):
        order = sorted(range(20), key=lambda j: np.linalg.norm(x[i] - x[j]))
        np.testing.assert_array_equal(ranks[i, order], np.arange(20))


def test_ties_have_their_mean_rank_and_a_region_its_own_rank_zero():
    ranks = neighbour_ranks(np.array([[0.0], [0.0], [1.0], [-1.0]]))
    np.testing.assert_array_equal(ranks[0], [0, 1, 2.5, 2.5])
    np.testing.assert_array_equal(ranks[1], [1, 0, 2.5, 2.5])


def test_difference_is_that_of_the_formula():
    a, b, _ = planted(regions=30, members=5)
    near, far = neighbour_ranks(a), neighbour_ranks(b)
    d = rank_difference(near, far, gamma=0.2)
    for i, j in [(0, 1), (4, 20), (7, 7)]:
        p, q = near[i, j], far[i, j]
        assert d[i, j] == pytest.approx(np.tanh(0.2 * (q - p) / (min(p, q) + 1)), abs=1e-6)
    np.testing.assert_array_equal(rank_difference(far, near, gamma=0.2), -d)


@pytest.mark.parametrize("seed", range(3))
def test_planted_group_is_recovered(seed):
    a, b, group = planted(seed)
    first = difference_concepts(a, b, np.arange(200)).concepts[0]
    assert first.nearer == 0
    assert len(set(first.members) & set(group)) / len(set(first.members) | set(group)) > 0.9
    assert first.success > 0.85
    assert first.strength > 0.4
    assert first.images == len(first.members)


def test_group_of_pairs_that_are_nearest_in_one_model_has_success_one():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((120, 4)).astype(np.float32)
    b = np.pad(a, ((0, 0), (0, 20)))
    a[:20] = 10 + 0.01 * rng.standard_normal((20, 4))  # ranks 1 to 19 among each other
    b[:20] = 100 * np.eye(20, 24)  # 141 apart, the others about 100 away: ranks 101 to 119
    first = difference_concepts(a, b, np.arange(120), gamma=0.1).concepts[0]
    assert first.nearer == 0
    np.testing.assert_array_equal(np.sort(first.members), np.arange(20))
    assert first.success == 1


@pytest.mark.parametrize("seed", range(3))
def test_noisy_copies_of_one_representation_have_no_difference_concept(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((200, 20))
    a, b = (x + rng.standard_normal(x.shape) for _ in range(2))
    assert difference_concepts(a, b, np.arange(200)).concepts == ()


def test_default_settings_follow_the_number_of_regions():
    a, b, _ = planted(regions=100)
    panel = difference_concepts(a, b, np.arange(100))
    assert (panel.gamma, panel.least) == (0.1, pytest.approx(0.2 * 2**0.5))
    assert panel.count == 5
    panel = difference_concepts(*planted(regions=1000)[:2], np.arange(1000))
    assert (panel.gamma, panel.least) == (0.08, 0.2)
    assert panel.count == 10


def test_swapping_the_models_swaps_the_directions():
    a, b, _ = planted()
    image = np.arange(200) // 4
    one = difference_concepts(a, b, image, least=-1)
    other = difference_concepts(b, a, image, least=-1)
    for nearer in (0, 1):
        x = [c for c in one.concepts if c.nearer == nearer]
        y = [c for c in other.concepts if c.nearer == 1 - nearer]
        assert len(x) == len(y) > 1
        for p, q in zip(x, y, strict=True):
            np.testing.assert_array_equal(p.members, q.members)
            assert (p.success, p.strength, p.images) == (q.success, q.strength, q.images)


def test_model_does_not_differ_from_itself():
    a, _, _ = planted()
    assert difference_concepts(a, a * 3, np.arange(200)).concepts == ()
    concepts = difference_concepts(a, a * 3, np.arange(200), least=-1).concepts
    assert max(c.success for c in concepts) == 0
    assert max(abs(c.strength) for c in concepts) == 0


def test_groups_with_a_difference_between_them_are_joined():
    difference = np.zeros((6, 6), np.float32)
    difference[:4, :4] = 0.8
    difference[4:, 4:] = 0.7
    np.fill_diagonal(difference, 0)
    joined = join_groups(difference, np.array([2, 2, 0, 0, 1, 1]))
    assert len(set(joined[:4])) == 1
    assert joined[4] == joined[5] != joined[0]


def test_sample_spreads_over_images():
    image = np.repeat([5, 2, 9], [50, 2, 1])
    sample = spread_sample(image, 6, 0)
    assert sorted(image[sample]) == [2, 2, 5, 5, 5, 9]
    np.testing.assert_array_equal(spread_sample(image, 100, 0), np.arange(53))
    a, b, _ = planted()
    concepts = difference_concepts(a, b, np.arange(200), most=100, least=-1)
    assert len(concepts.sample) == 100
    members = np.concatenate([c.members for c in concepts.concepts if c.nearer == 0])
    assert set(members) <= set(concepts.sample)
    assert len(set(members)) == len(members)


def test_unusable_features():
    a, b, _ = planted()
    with pytest.raises(InputError, match="second model are the same for all regions"):
        difference_concepts(a, b * 0, np.arange(200))
    with pytest.raises(InputError, match="features of the first model are not finite"):
        difference_concepts(np.where(a > 2, np.nan, a), b, np.arange(200))
    with pytest.raises(InputError, match="need at least 10 regions, not 9"):
        difference_concepts(a[:9], b[:9], np.arange(9))


def used(seed=0, regions=300, members=40, d=8):
    """Return features of which two models have noisy copies, and densities high on a group in A."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((regions, d))
    group = np.sort(rng.permutation(regions)[:members])
    x[group] = 3 + 0.1 * rng.standard_normal((members, d))
    densities = rng.lognormal(0, 0.3, regions) * np.exp(0.2 * rng.standard_normal((2, regions)))
    densities[0, group] *= 6
    return x, densities, group


@pytest.mark.parametrize("seed", range(3))
def test_group_that_both_represent_alike_and_one_relies_on_is_recovered(seed):
    x, densities, group = used(seed)
    image = np.arange(300) // 2
    assert difference_concepts(x, x, image).concepts == ()
    first, *others = difference_concepts(x, x, image, densities=densities).concepts
    assert others == []
    assert first.nearer == 0
    assert first.success > 0.9
    assert np.isin(group, first.members).mean() > 0.75  # B relies on some of them by chance
    assert np.isin(first.members, group).mean() > 0.9


def test_ranks_with_densities_are_those_of_the_worse_place():
    rng = np.random.default_rng(0)
    x, density = rng.standard_normal((20, 3)), rng.uniform(size=20)
    ranks = neighbour_ranks(x, density)
    for i in range(20):
        others = [j for j in range(20) if j != i]
        near = sorted(others, key=lambda j: np.linalg.norm(x[i] - x[j]))
        pairs = {j: (near.index(j) + 1, sum(density > density[j]) + 1) for j in others}
        order = sorted(others, key=lambda j: sorted(pairs[j], reverse=True))
        worst = [sorted(pairs[j]) for j in order]
        for place, j in enumerate(order):
            same = [p for p, other in enumerate(worst) if other == worst[place]]
            assert ranks[i, j] == np.mean(same) + 1
    assert not ranks.diagonal().any()


def test_density_that_is_the_same_everywhere_changes_nothing():
    a, b, _ = planted(regions=150)
    np.testing.assert_array_equal(neighbour_ranks(a, np.full(150, 0.7)), neighbour_ranks(a))
    plain, same = (
        difference_concepts(a, b, np.arange(150) // 3, densities=w, most=100)
        for w in (None, np.ones((2, 150)))
    )
    np.testing.assert_array_equal(plain.sample, same.sample)
    assert (plain.weighted, same.weighted) == (False, True)
    for p, q in zip(plain.concepts, same.concepts, strict=True):
        np.testing.assert_array_equal(p.members, q.members)
        assert (p.success, p.strength) == (q.success, q.strength)


def test_densities_swap_with_their_models_and_have_no_scale():
    x, densities, _ = used()
    image = np.arange(300) // 2
    one, other, scaled = (
        difference_concepts(x, x, image, densities=w, most=200)
        for w in (densities, densities[::-1], densities * 8)
    )
    assert one.concepts
    for p, q, s in zip(one.concepts, other.concepts, scaled.concepts, strict=True):
        assert p.nearer == s.nearer == 1 - q.nearer
        np.testing.assert_array_equal(p.members, q.members)
        np.testing.assert_array_equal(p.members, s.members)
        assert (p.success, p.strength) == (q.success, q.strength)


@pytest.mark.parametrize("noise", [0.1, 0.3, 1.0])
def test_noisy_copies_of_features_and_densities_have_no_difference_concept(noise):
    rng = np.random.default_rng(0)
    kind = rng.integers(12, size=400)
    x = rng.standard_normal((12, 20))[kind] + rng.standard_normal((400, 20))
    density = np.exp(0.5 * rng.standard_normal(12)[kind] + 0.5 * rng.standard_normal(400))
    a, b = (x + noise * rng.standard_normal(x.shape) for _ in range(2))
    densities = density * np.exp(noise * rng.standard_normal((2, 400)))
    assert difference_concepts(a, b, np.arange(400), densities=densities).concepts == ()
    assert difference_concepts(a, a, np.arange(400), densities=densities[[0, 0]]).concepts == ()


def test_groups_of_few_regions_are_left_out():
    a, b, _ = planted(members=30)
    sizes = [len(c.members) for c in difference_concepts(a, b, np.arange(200)).concepts]
    assert min(sizes) >= 10
    fewer = difference_concepts(a, b, np.arange(200), fewest=max(sizes) + 1)
    assert (fewer.concepts, fewer.fewest) == ((), max(sizes) + 1)


def test_unusable_densities():
    x, densities, _ = used()
    for bad in (np.nan, -1.0):
        with pytest.raises(InputError, match="not finite or below 0"):
            difference_concepts(x, x, np.arange(300), densities=densities * bad)
