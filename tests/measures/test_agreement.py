"""The measure `Agreement`: each column against its own oracle, on the map's grid."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import stats
from skimage.metrics import structural_similarity

from salix.measures.agreement import NAMES, Agreement
from salix.spec import parse
from salix.typing import Explanation, InputError, Measure

KEY = jax.random.key(0)
IMAGE = np.zeros((28, 28, 3), np.float32)
rng = np.random.default_rng(0)
MAP = rng.uniform(size=(7, 7)).astype(np.float32)
MAP = (MAP - MAP.min()) / (MAP.max() - MAP.min())


@partial(jax.jit, static_argnums=0)  # one compilation a shape
def compiled(agreement, clean):
    def explain(image):
        raise AssertionError("one look is enough")

    return agreement(explain, IMAGE, clean, KEY)


def measure(map, reference_mask, **fields):
    clean = Explanation(jnp.zeros(2), jnp.int32(0), map, reference_mask)
    named = compiled(Agreement(**fields), clean)
    assert all(value.shape == () for value in named.values())
    return {name: float(value) for name, value in named.items()}


def blob(side, row=0.3, column=0.6, width=0.2):
    """A smooth marking in [0, 1], its peak at a place given as shares of the side."""
    at = (np.arange(side) + 0.5) / side
    rows, columns = np.exp(-((at - row) ** 2) / width**2), np.exp(-((at - column) ** 2) / width**2)
    return np.outer(rows, columns).astype(np.float32)


@pytest.mark.parametrize("side", [7, 8, 10, 5])
def test_columns_equal_their_oracles_on_a_reference_mask_of_the_same_grid(side):
    map = np.random.default_rng(side).uniform(size=(side, side)).astype(np.float32)
    map = (map - map.min()) / (map.max() - map.min())
    reference_mask = (60 + 100 * blob(side)).astype(np.uint8)  # far from the whole range of 8 bits
    unit = (reference_mask.astype(float) - reference_mask.min()) / (
        reference_mask.max() - reference_mask.min()
    )
    grey = [np.floor(255 * m.astype(np.float32)).astype(np.uint8) for m in (map, unit)]
    marked, strong = unit > 0.5, map >= 0.5 * map.max()
    top = np.unravel_index(map.argmax(), map.shape)
    expected = {
        "human_ssim": structural_similarity(*grey, win_size=min(7, side)),
        "human_pearson": stats.pearsonr(map.ravel(), unit.ravel()).statistic,
        "human_iou": (strong & marked).sum() / (strong | marked).sum(),
        "human_pointing": float(marked[top]),
        "human_relevance_mass": (map * unit).sum() / map.sum(),
    }
    result = measure(map, reference_mask)
    assert set(result) == set(expected)
    for name, value in expected.items():
        # a grey level may fall on its other side in SSIM
        assert result[name] == pytest.approx(value, abs=5e-3 if name == "human_ssim" else 1e-5)


@pytest.mark.parametrize("side", [14, 56, 224])
def test_a_fine_reference_mask_is_brought_to_the_grid_as_pillow_does(side):
    reference_mask = np.rint(200 * blob(side)).astype(np.uint8)
    resized = Image.fromarray(reference_mask).resize((7, 7), Image.Resampling.BILINEAR)
    coarse = np.asarray(resized)
    here, there = measure(MAP, reference_mask), measure(MAP, coarse)
    for name in ("human_ssim", "human_pearson", "human_relevance_mass"):
        assert here[name] == pytest.approx(there[name], abs=0.01)
    assert (here["human_iou"], here["human_pointing"]) == (
        there["human_iou"],
        there["human_pointing"],
    )


def test_the_map_that_is_the_reference_mask_agrees_fully_and_its_opposite_does_not():
    reference_mask = blob(7)
    unit = (reference_mask - reference_mask.min()) / (reference_mask.max() - reference_mask.min())
    same, opposite = measure(unit, reference_mask), measure(1 - unit, reference_mask)
    assert same["human_ssim"] == same["human_pointing"] == 1
    assert same["human_pearson"] == pytest.approx(1, abs=1e-6)
    assert same["human_iou"] == pytest.approx(  # at half of the maximum, which is marked or not
        (unit > 0.5).sum() / (unit >= 0.5).sum()
    )
    assert opposite["human_pearson"] == pytest.approx(-1, abs=1e-6)
    assert opposite["human_ssim"] < -0.25
    assert opposite["human_pointing"] == opposite["human_iou"] == 0
    assert opposite["human_relevance_mass"] < 0.2 < 0.5 < same["human_relevance_mass"]


def test_offset_and_contrast_of_the_reference_mask_do_not_matter():
    reference_mask = blob(28)
    plain = measure(MAP, reference_mask)
    for other in (0.5 * reference_mask, 0.2 + 0.3 * reference_mask):
        assert measure(MAP, other.astype(np.float32)) == pytest.approx(plain, abs=0.01)


def test_fields_choose_the_columns_and_how_iou_cuts():
    assert set(measure(MAP, blob(14), comparisons=("iou", "ssim"))) == {"human_iou", "human_ssim"}
    reference_mask = np.zeros((7, 7), np.float32)
    reference_mask[2:4, 2:5] = 1
    for threshold in (0.25, 0.9):
        strong = threshold * MAP.max() <= MAP
        expected = (strong & (reference_mask > 0)).sum() / (strong | (reference_mask > 0)).sum()
        result = measure(MAP, reference_mask, comparisons=("iou",), threshold=threshold)[
            "human_iou"
        ]
        assert result == pytest.approx(expected)
    strongest = np.sort(MAP.ravel())[::-1][5] <= MAP
    expected = (strongest & (reference_mask > 0)).sum() / (strongest | (reference_mask > 0)).sum()
    result = measure(MAP, reference_mask, comparisons=("iou",), threshold=None)["human_iou"]
    assert result == pytest.approx(expected)
    grey = np.floor(255 * MAP).astype(np.uint8)
    expected = structural_similarity(grey, (255 * reference_mask).astype(np.uint8), win_size=3)
    result = measure(MAP, reference_mask, comparisons=("ssim",), window=3)["human_ssim"]
    assert result == pytest.approx(float(np.asarray(expected)), abs=1e-5)


@pytest.mark.parametrize(
    ("map", "reference_mask"),
    [
        (MAP, None),
        (MAP, np.zeros((14, 14), np.uint8)),
        (MAP, np.full((14, 14), 255, np.uint8)),
        (MAP, np.full((15, 17), 0.2, np.float32)),
        (0 * MAP, blob(14)),
        (np.full_like(MAP, np.nan), blob(14)),
        (MAP, blob(14) + 1),
        (MAP, np.where(blob(14) > 0.5, np.nan, 0).astype(np.float32)),
    ],
    ids=[
        "no reference mask",
        "blank",
        "full",
        "grey",
        "constant map",
        "nan map",
        "above 1",
        "nan reference mask",
    ],
)
def test_undefined_is_nan(map, reference_mask):
    result = measure(map, reference_mask)
    assert set(result) == {f"human_{name}" for name in NAMES}
    assert np.isnan(list(result.values())).all()


def test_vmap_is_a_loop_and_a_blank_neighbour_does_no_harm():
    batch = np.random.default_rng(1).uniform(size=(4, 7, 7)).astype(np.float32)
    reference_masks = np.stack([blob(14, row) for row in (0.1, 0.4, 0.7, 0.9)])
    reference_masks[2] = 0

    def one(map, reference_mask):
        clean = Explanation(jnp.zeros(2), jnp.int32(0), map, reference_mask)
        return Agreement()(lambda _: clean, IMAGE, clean, KEY)

    together = jax.jit(jax.vmap(one))(batch, reference_masks)
    for i in range(4):
        alone = measure(batch[i], reference_masks[i])
        result = {name: float(values[i]) for name, values in together.items()}
        assert result == pytest.approx(alone, rel=1e-5, nan_ok=True)
        assert np.isnan(list(result.values())).all() == (i == 2)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match=r"\(14, 14, 1\).*\(7, 7\)"):
        measure(MAP, np.ones((14, 14, 1), np.float32))
    for comparisons, text in ((("ssim", "f1"), "has 'f1'"), ((), r"is \(\)")):
        with pytest.raises(InputError, match=rf"comparisons {text}.*some of ssim, pearson, iou"):
            parse(f"Agreement(comparisons={comparisons!r})", {"Agreement": Agreement})
    with pytest.raises(InputError, match="window is 1"):
        Agreement(window=1)
    with pytest.raises(InputError, match="threshold is 2"):
        measure(MAP, blob(7), threshold=2.0)


def test_it_is_a_measure_whose_text_reads_back_and_whose_numbers_are_described():
    measure = Agreement(("relevance_mass", "ssim"), threshold=None)
    assert isinstance(measure, Measure)
    assert parse(repr(measure), {"Agreement": Agreement}) == measure
    assert {q.name for q in measure.columns} == {"human_relevance_mass", "human_ssim"}
    described = {q.name: q for q in Agreement().columns}
    assert list(described) == [f"human_{name}" for name in NAMES]
    assert all(q.direction == "higher" and q.high == 1 and q.meaning for q in described.values())
    assert [q.low for q in described.values()] == [-1, -1, 0, 0, 0]
