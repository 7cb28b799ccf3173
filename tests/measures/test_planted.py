"""Models whose salience is known, through the whole engine: measures must rank them as it is."""

import jax
import numpy as np
import pytest

import salix
from salix.adapters import from_function
from salix.analysis import cross_stability, group_agreement, shared_maps, stability
from salix.data import Arrays
from salix.measures import RelevanceMass
from salix.measures.agreement import Agreement
from salix.measures.degradation import Degradation
from salix.measures.geometry import Geometry
from salix.measures.noise import Noise
from salix.metrics.comparison import Similarity
from salix.perturb.warps import TURNS
from salix.preprocess import Preprocess
from salix.scores import logit

pytestmark = pytest.mark.slow

SIDE, GRID, BLOCK, IMAGES = 64, 8, 8, 16
REGION = np.zeros((GRID, GRID), np.float32)
REGION[1:4, 4:7] = 1
AWAY = REGION[::-1, ::-1].copy()  # where nothing was marked


def faces():
    """Pictures whose texture is strong in some blocks and faint in others, one region marked."""
    rng = np.random.default_rng(0)
    strength = np.kron(rng.uniform(10, 60, (IMAGES, GRID, GRID)), np.ones((BLOCK, BLOCK)))
    signs = rng.choice([-1, 1], strength.shape)
    pixels = np.clip(np.rint(128 + strength * signs), 0, 255).astype(np.uint8)
    marked = np.kron(255 * REGION, np.ones((BLOCK, BLOCK))).astype(np.uint8)
    return Arrays(pixels, reference_masks=[marked] * IMAGES)


def texture(image):
    """Standard deviation of the pixels of each block: what every planted model sees."""
    blocks = image[..., 0].reshape(GRID, BLOCK, GRID, BLOCK)
    return blocks.std((1, 3))


def head(params, features):
    """One logit, from the mean of what the trunk lets through: its map is the features."""
    return params["gain"] * features.mean()[None] - params["bias"]


def planted(trunk, gain=60.0, bias=0.0, **params):
    """Return a model whose Grad-CAM is `trunk(params, texture)`, with its parameters."""
    values = {"gain": np.float32(gain), "bias": np.float32([bias])}
    return from_function(
        head,
        values | {k: np.float32(v) for k, v in params.items()},
        trunk=lambda params, image: trunk(params, texture(image))[..., None],
        preprocess=Preprocess((SIDE, SIDE), 1),
    )


def masked(params, features):
    return params["where"] * features


# What each looks at: one region, every block alike (so that its map moves as the image does), or,
# whatever the image shows, one and the same place.
MODELS = {
    "region": planted(masked, where=REGION, gain=200.0, bias=2.5),
    "equivariant": planted(masked, where=np.ones((GRID, GRID)), bias=5.0),
    "blind": planted(lambda params, features: params["where"] + 0 * features, where=AWAY),
}
LIKE = Similarity("pearson")
NOISE = Noise(levels=(0.0, 0.05, 0.5), similarity=LIKE, repredict=False)
GEOMETRY = Geometry(shift=BLOCK, similarity=LIKE, repredict=False)
DEGRADATION = Degradation(similarity=LIKE, repredict=False)
MEASURES = {  # an answer known beforehand for each
    "region": (RelevanceMass(), Agreement()),
    "equivariant": (RelevanceMass(), Agreement(), NOISE, GEOMETRY),
    "blind": (RelevanceMass(), Agreement(), NOISE, GEOMETRY),
}


def run(model, folder, measures=(), group=None):
    return salix.sweep(
        *model,
        faces(),
        measures=measures,
        out=folder,
        score=logit(1),
        batch_size=IMAGES,
        name=folder.name,
        group=group,
        thumbs=0,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run of each planted model, with the measures that are known of it."""
    folder = tmp_path_factory.mktemp("planted")
    return {name: run(MODELS[name], folder / name, MEASURES[name]) for name in MODELS}


def means(runs, column):
    """Mean of a column over the images, model by model."""
    return {n: np.mean(r.rows[column], axis=0) for n, r in runs.items() if column in r.rows}


def test_maps_are_what_was_planted(runs):
    maps = {name: r.rows["map"] for name, r in runs.items()}
    assert not any(r.rows["constant_map"].any() for r in runs.values())
    assert not maps["region"][:, REGION == 0].any()
    assert (maps["region"][:, REGION > 0] > 20).all()
    assert (maps["blind"] == 255 * AWAY).all()
    features = np.stack([np.asarray(texture(p[..., None] / 255)) for p in faces().images])
    low, high = (f(features, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    expected = np.floor(255 * (features - low) / (high - low))
    assert np.abs(maps["equivariant"] - expected).max() <= 1


def test_both_entropies_tell_a_region_from_everywhere(runs):
    spatial, histogram = means(runs, "spatial_entropy"), means(runs, "histogram_entropy")
    assert spatial["region"] < spatial["equivariant"] - 0.3
    assert spatial["region"] <= np.log2(9) / np.log2(64) + 1e-6  # nine blocks at most
    assert spatial["blind"] == pytest.approx(np.log2(9) / np.log2(64), abs=1e-5)
    assert spatial["equivariant"] > 0.9
    # Grey values alone: two for the blind map, nearly all different for every block's own texture.
    assert histogram["blind"] < histogram["region"] - 0.05 < histogram["equivariant"] - 0.6
    assert histogram["equivariant"] > 0.85


@pytest.mark.parametrize(
    ("column", "margin"),
    [
        ("relevance_mass", 0.1),
        ("human_relevance_mass", 0.1),
        ("human_iou", 0.1),
        ("human_pointing", 0.1),
        ("human_pearson", 0.15),
        ("human_ssim", 0.15),
    ],
)
def test_agreement_ranks_the_region_first_and_the_place_away_from_it_last(runs, column, margin):
    result = means(runs, column)
    assert result["region"] - 0.4 > result["equivariant"] > result["blind"] + margin


def test_agreement_of_no_preference_is_chance_and_of_a_place_away_is_none(runs):
    share = REGION.mean()
    everywhere = {
        c: means(runs, f"human_{c}")["equivariant"] for c in ("relevance_mass", "iou", "pearson")
    }
    assert everywhere["relevance_mass"] == pytest.approx(share, abs=0.03)
    assert everywhere["iou"] == pytest.approx(share, abs=0.03)
    assert everywhere["pearson"] == pytest.approx(0, abs=0.1)
    assert means(runs, "human_pointing")["region"] == 1
    assert means(runs, "human_pointing")["blind"] == means(runs, "human_iou")["blind"] == 0


def group(folder, spread, count):
    """Runs that react to every block, each with a map of its own, `spread` times as strong."""
    result = []
    for seed in range(count):
        own = np.random.default_rng(seed).uniform(0, spread, (GRID, GRID))
        model = planted(lambda params, features: features + params["own"], own=own, bias=5.0)
        result.append(run(model, folder / f"{spread}-{seed}", group=f"spread {spread}"))
    return result


def test_stability_falls_as_the_runs_spread(tmp_path):
    groups = {s: group(tmp_path, s, count) for s, count in ((0.0, 2), (0.05, 2), (0.2, 3))}
    result = group_agreement([r for members in groups.values() for r in members])
    values = [result[f"spread {spread}"].value for spread in groups]
    assert values[0] == 1  # the same map again, to the last bit
    assert values[0] - 0.02 > values[1] > values[2] + 0.2
    assert all(interval.n == IMAGES for interval in result.values())
    # Pair by pair: runs of wide spread are less like each other than like those of none.
    every = shared_maps([*groups[0.0], *groups[0.2]])
    complete = stability(every.maps, kind="spearman").mean
    block = cross_stability(every.maps[:2], every.maps[2:], kind="spearman").mean
    np.testing.assert_array_equal(complete[:2, 2:], block)
    assert complete[0, 1] == 1
    assert block.min() > complete[2:, 2:][np.triu_indices(3, 1)].max() + 0.02


def test_a_stable_map_need_not_be_a_right_one(runs, tmp_path):
    again = run(MODELS["blind"], tmp_path / "blind again", group="blind")
    assert group_agreement([runs["blind"], again])["blind"].value == 1
    assert means(runs, "human_relevance_mass")["blind"] < 0.01


def test_noise_leaves_a_blind_map_and_moves_a_seeing_one(runs):
    similarity = means(runs, "salt_and_pepper_similarity")
    assert (runs["blind"].rows["salt_and_pepper_similarity"] > 1 - 1e-6).all()
    seeing = similarity["equivariant"]
    assert seeing[0] == pytest.approx(1, abs=1e-6)  # no noise
    assert seeing[0] - 0.05 > seeing[1] > seeing[2] + 0.2
    area = means(runs, "salt_and_pepper_area")
    assert area["equivariant"] < area["blind"] - 0.1
    assert not means(runs, "salt_and_pepper_flip")["blind"].any()


def test_equivariance_alone_is_steady_under_geometry(runs):
    similarity = means(runs, "geometry_similarity")
    turns = [GEOMETRY.names.index(name) for name in TURNS]
    assert (runs["equivariant"].rows["geometry_similarity"][:, turns] > 1 - 1e-4).all()
    assert (similarity["equivariant"] > 0.9).all()  # what a shift lets in has another range
    assert (similarity["blind"] < 0.7).all()
    assert (similarity["blind"][turns] < 0).all()
    mean = means(runs, "geometry_mean")
    assert mean["equivariant"] > mean["blind"] + 0.5


def test_degradation_hurts_where_the_model_looks_and_nowhere_else(tmp_path):
    rows = run(MODELS["region"], tmp_path / "degraded", (DEGRADATION,)).rows
    clean = float(jax.nn.sigmoid(2 * rows["score"]).mean())
    left, like = (
        dict(zip(DEGRADATION.conditions, rows[f"degradation_{column}"].mean(0), strict=True))
        for column in ("probability", "similarity")
    )
    assert left["background"] == pytest.approx(clean, abs=0.02)
    assert left["object"] < left["background"] - 0.5
    assert left["object"] < min(left["background_moved"], left["object_moved"]) - 0.4
    assert like["background"] > 1 - 0.01 > like["object"] + 0.03
