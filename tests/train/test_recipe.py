"""Recipes: schedules in closed form, updates by hand, order and split as pure functions."""

import jax
import numpy as np
import optax
import pytest

from salix.spec import parse
from salix.train.losses import CrossEntropy
from salix.train.recipe import PAPER, PRESETS, RECIPES, SGD, AdamW, Recipe
from salix.train.sampler import epoch_batches, split_validation
from salix.typing import InputError


def test_the_published_recipe():
    assert PRESETS["cyborg"] == PAPER
    assert PAPER.batches(1821) == 92  # iterations an epoch of the surviving log
    schedule = PAPER.schedule(1821)
    for epoch, rate in [(0, 0.005), (11, 0.005), (12, 5e-4), (24, 5e-5), (36, 5e-6), (49, 5e-7)]:
        for step in (0, 91):
            assert float(schedule(epoch * 92 + step)) == pytest.approx(rate, rel=1e-5)
    optimiser = PAPER.optimiser
    assert (optimiser.momentum, optimiser.weight_decay, PAPER.epochs) == (0.9, 1e-6, 50)
    assert (PAPER.batch_size, PAPER.augment, PAPER.loss.alpha) == (20, None, 0.5)


def test_warm_up_and_cosine():
    recipe = Recipe(CrossEntropy(), AdamW(0.01, warmup=0.2), epochs=10, batch_size=10)
    schedule = recipe.schedule(100)
    assert [float(schedule(s)) for s in (0, 5, 20)] == pytest.approx([0, 0.0025, 0.01])
    for step in (30, 60, 99):
        expected = 0.005 * (1 + np.cos(np.pi * (step - 20) / 80))
        assert float(schedule(step)) == pytest.approx(expected, abs=1e-8)
    flat = Recipe(CrossEntropy(), AdamW(0.01, warmup=0.0), epochs=4, batch_size=10)
    assert float(flat.schedule(100)(20)) == pytest.approx(0.005)
    four = Recipe(CrossEntropy(), AdamW(warmup=0.125), epochs=8, batch_size=5, accumulate=4)
    assert float(four.schedule(100)(5)) == pytest.approx(1e-3)  # in updates, not in batches


def test_sgd_by_hand():
    rule = SGD(0.1, momentum=0.9, weight_decay=0.01, gamma=0.5, every=1)
    transformation = rule.transformation(rule.schedule(2, 9))
    rng = np.random.default_rng(0)
    with jax.enable_x64():
        w = rng.normal(size=4)
        params, state = w.copy(), transformation.init(w)
        v = np.zeros(4)
        for step in range(6):
            g = rng.normal(size=4)
            with jax.numpy_dtype_promotion("standard"):
                updates, state = transformation.update(g, state, params)
                params = optax.apply_updates(params, updates)
            v = 0.9 * v + g + 0.01 * w
            w = w - 0.1 * 0.5 ** (step // 2) * v
        np.testing.assert_allclose(params, w, rtol=1e-6)


def test_weight_decay_of_adamw_spares_vectors():
    rule = AdamW(0.1, weight_decay=0.5, warmup=0.0)
    params = {"kernel": np.ones((2, 2), np.float32), "bias": np.ones(2, np.float32)}
    transformation = rule.transformation(rule.schedule(1, 10))
    zeros = jax.tree.map(np.zeros_like, params)
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = transformation.update(zeros, transformation.init(params), params)
    np.testing.assert_allclose(updates["kernel"], -0.05, rtol=1e-6)
    assert not np.asarray(updates["bias"]).any()


@pytest.mark.parametrize("name", PRESETS)
def test_recipes_round_trip_through_text(name):
    assert parse(repr(PRESETS[name]), RECIPES) == PRESETS[name]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Recipe(CrossEntropy(), epochs=0), "epochs is 0"),
        (lambda: Recipe(CrossEntropy(), validation=1.0), "validation is 1"),
        (lambda: SGD(learning_rate=-1), "learning_rate is -1"),
        (lambda: AdamW(warmup=1), "warmup is 1"),
    ],
)
def test_bad_recipes(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_the_order_is_a_function_of_seed_and_epoch():
    labels = np.arange(21) % 2
    recipe = Recipe(CrossEntropy(), batch_size=5, partial=True)
    first = epoch_batches(recipe, labels, 3, 4)
    assert [len(b) for b in first] == [5, 5, 5, 5, 1]
    assert sorted(np.concatenate(first)) == list(range(21))
    assert all(
        (a == b).all() for a, b in zip(first, epoch_batches(recipe, labels, 3, 4), strict=True)
    )
    others = [
        np.concatenate(epoch_batches(recipe, labels, s, e)) for s, e in [(3, 4), (3, 5), (4, 4)]
    ]
    assert len({tuple(o) for o in others}) == 3
    assert len(epoch_batches(Recipe(CrossEntropy(), batch_size=5), labels, 0, 0)) == 4


def test_balance_draws_classes_equally_and_rare_images_in_rounds():
    labels = np.array([0] * 26 + [1] * 4)
    recipe = Recipe(CrossEntropy(), batch_size=10, balance=True)
    drawn = np.concatenate(epoch_batches(recipe, labels, 0, 0))
    assert np.bincount(labels[drawn]).tolist() == [15, 15]
    counts = np.bincount(drawn, minlength=30)
    assert counts[:26].max() == 1
    assert sorted(counts[26:]) == [3, 4, 4, 4]


def test_the_split_follows_ids_alone():
    ids = [f"image{i}" for i in range(40)]
    labels = np.arange(40) % 2
    training, validation = split_validation(labels, ids, 0.25)
    assert sorted([*training, *validation]) == list(range(40))
    assert np.bincount(labels[validation]).tolist() == [5, 5]
    turned = np.random.default_rng(0).permutation(40)
    again = split_validation(labels[turned], [ids[i] for i in turned], 0.25)[1]
    assert {ids[i] for i in validation} == {ids[turned[i]] for i in again}
    with pytest.raises(InputError, match="leaves nothing to one part"):
        split_validation(np.array([0, 0, 1]), ["a", "b", "c"], 0.5)
