"""The attack-the-top-segments test: a detector of one planted region, and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.measures import PAPER_REGION_ATTACK, RegionAttack
from salix.metrics import region_attack
from salix.perturb.attacks import NES, SignGradient
from salix.perturb.partition import Grid, Labels
from salix.typing import Explainer, Explanation, InputError

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
SIDE, MEAN, STD = 12, (0.5, 0.4, 0.6), (0.2, 0.3, 0.25)
PIXELS = rng.uniform(0.3, 0.7, (SIDE, SIDE, 3)).astype(np.float32)
IMAGE = ((PIXELS - np.float32(MEAN)) / np.float32(STD)).astype(np.float32)
GRID = Grid(4)  # 16 segments of 3 x 3
LABELS = np.asarray(GRID(PIXELS))
PLANTED = 6  # the segment that the detector sees
WEIGHT = 0.35
EPSILON = 16 / 255


def explainer(segments, weight=WEIGHT, bias=0.0):
    """The explainer of a detector of the planted segment's brightness, with a map by segments."""
    map = np.zeros((SIDE, SIDE), np.float32)
    for value, segment in zip((3, 2, 1), segments, strict=False):
        map[segment == LABELS] = value

    def explain(image, target):
        values = Explainer(explain, MEAN, STD).pixels(image) - PIXELS
        odds = 1 + bias + weight * values[LABELS == PLANTED].sum()
        logits = jnp.stack([odds / 2, -odds / 2])
        target = jnp.argmax(logits).astype(jnp.int32) if target is None else target
        return Explanation(logits, target, jnp.asarray(map) / 3)

    return Explainer(explain, MEAN, STD)


def curve(segments, **options):
    options = {"attack": SignGradient(8, EPSILON / 8, EPSILON), "partition": GRID} | options
    one = explainer(segments)
    return jax.jit(lambda image: region_attack(one, image, KEY, **options))(IMAGE)


FALL = WEIGHT * EPSILON * 27  # of the log odds: radius times the L1 norm of the gradient


@pytest.mark.parametrize(
    "attack", [SignGradient(8, EPSILON / 8, EPSILON), NES(400, 0.02, 12, EPSILON / 8, EPSILON)]
)
@pytest.mark.slow
def test_probabilities_have_a_closed_form(attack):
    result = curve((1, PLANTED, 3), attack=attack, chunk=8)
    before, after = 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(FALL - 1))
    np.testing.assert_allclose(result.values, [before, before, after, after], rtol=1e-4)
    assert result.area == pytest.approx(2 / 3 * (before - after), rel=1e-3)
    np.testing.assert_allclose(result.fractions, np.arange(4) / 16)


@pytest.mark.slow
def test_superpixels_of_the_image_are_the_default():
    image = np.where((LABELS == PLANTED)[..., None], 2.0, IMAGE).astype(np.float32)
    one = explainer((PLANTED,))
    attack = SignGradient(2, 0.01)
    values = region_attack(one, image, KEY, attack=attack, preset="white_box", counts=(1,)).values
    assert values[1] < values[0]


def measure(segments, *, weight=1.2, bias=0.0, **options):
    fields = {"attack": SignGradient(8, EPSILON / 8, EPSILON), "partition": GRID} | options
    one = explainer(segments, weight, bias)
    call = jax.jit(lambda image: RegionAttack(**fields)(one, image, one(image), KEY))
    return {name: np.asarray(value) for name, value in call(IMAGE).items()}


def test_the_planted_region_flips_and_others_do_not():
    values = measure((PLANTED, 1, 2), conditions=("most", "least", "random"))
    assert values["attack_most_flip"].tolist() == [0, 1, 1, 1]
    assert values["attack_least_flip"].tolist() == [0, 0, 0, 0]
    assert values["attack_random_flip"].tolist() == [0, 0, 0, 0]  # by this key
    fall = 1 / (1 + np.exp(-1)) - 1 / (1 + np.exp(1.2 * EPSILON * 27 - 1))
    assert values["attack_most_fall"] == pytest.approx(fall, rel=1e-4)
    assert values["attack_least_fall"] == 0
    assert values["attack_most_probability"][0] == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-5)
    assert values["attack_gap"] == pytest.approx(fall, rel=1e-4)
    changed = EPSILON * 9 / SIDE**2 * np.array([0, 1, 1, 1])
    np.testing.assert_allclose(values["attack_most_change"], changed, rtol=1e-4)
    columns = RegionAttack(conditions=("most", "least", "random")).columns
    assert {c.name for c in columns} == set(values)


@pytest.mark.slow
def test_an_attack_toward_a_class_ends_where_it_is_predicted():
    values = measure((PLANTED, 1, 2), toward=1, stop=True, conditions=("most",))
    assert values["attack_most_flip"].tolist() == [0, 1, 1, 1]
    odds = 1 - 4 / 8 * 1.2 * EPSILON * 27  # the first of 8 steps below 0
    expected = 1 / (1 + np.exp(-odds))
    np.testing.assert_allclose(values["attack_most_probability"][1:], expected, rtol=1e-4)
    authentic = measure((PLANTED, 1, 2), toward=0, conditions=("most",))
    assert np.isnan(authentic["attack_most_fall"])


def test_the_released_setting_is_in_units_of_the_input_without_a_bound():
    attack = NES(200, 0.001, 50, 1 / 255, radius=None, grey=True)
    fields = {"attack": attack, "units": "input", "bias": 20.0}
    values = measure((PLANTED,), counts=(1,), conditions=("most",), **fields)
    change = 50 / 255 * np.mean(STD) * 9 / SIDE**2  # every step goes the same way
    np.testing.assert_allclose(values["attack_most_change"], [0, change], rtol=1e-2)
    released = PAPER_REGION_ATTACK
    assert (released.units, released.stop, released.attack.radius) == ("input", True, None)
    assert {c.name for c in released.columns} >= {"paper_attack_most_fall"}


def test_a_constant_map_is_undefined_and_unusable_options_are_refused():
    constant = curve(())
    assert np.isnan(constant.values).all()
    assert np.isnan(measure(())["attack_random_flip"]).all()
    with pytest.raises(InputError, match=r"counts is \(2, 1\): give numbers of segments, rising"):
        RegionAttack(counts=(2, 1))
    with pytest.raises(InputError, match=r"attack is 'NES': give one of NES\(\), SignGradient"):
        RegionAttack(attack="NES")
    with pytest.raises(InputError, match="units is 'bits': choose one of pixels, input"):
        curve((PLANTED,), units="bits", partition=Labels(LABELS))
