"""Training examples: in memory or streamed alike, with warnings and errors for bad data."""

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp
from PIL import Image

from salix.data import Arrays, Folder
from salix.preprocess import Preprocess
from salix.train import CYBORG, CrossEntropy, Recipe, TrainingImages, train
from salix.train.evaluate import RANKING, classification_metrics, positive_class
from salix.train.examples import gather
from salix.train.losses import LOSSES
from salix.train.recipe import SGD
from salix.train.reference_masks import WithReferenceMasks, uses_reference_masks
from salix.train.streamed import Streamed
from salix.typing import InputError

TO = Preprocess((8, 8))
CLASSES = ("real", "fake")
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 8, 8, 3), np.uint8)
NAMES = [CLASSES[i % 2] for i in range(24)]
MARKS = [RNG.integers(0, 256, (8, 8), np.uint8) if i % 3 else None for i in range(24)]


class Net(nnx.Module):
    """A convolution and a linear layer."""

    def __init__(self, seed):
        rngs = nnx.Rngs(seed)
        self.conv = nnx.Conv(3, 4, (3, 3), strides=4, rngs=rngs)
        self.linear = nnx.Linear(4, 2, rngs=rngs)

    def trunk(self, x):
        """Return features."""
        return jax.nn.relu(self.conv(x))

    def head(self, features):
        """Return logits."""
        return self.linear(jnp.mean(features, axis=(1, 2)))


@pytest.fixture
def folder(tmp_path):
    """A folder of faces, and one of reference masks for the fakes."""
    for i in range(24):
        for kind, image in (("data", PIXELS[i]), ("reference_masks", MARKS[i])):
            if image is not None:
                (tmp_path / kind / NAMES[i]).mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(tmp_path / kind / NAMES[i] / f"{i:02d}.png")
    return tmp_path


@pytest.mark.slow
def test_streams_and_memory_give_the_same_training(folder):
    recipe = Recipe(CYBORG(0.5), SGD(0.05), epochs=2, batch_size=5, partial=True, validation=0.25)
    source = WithReferenceMasks(Folder(folder / "data"), folder / "reference_masks")
    in_memory, streamed = (
        train(Net, source, recipe, preprocess=TO, memory=memory, workers=2)[0]
        for memory in (1 << 20, 0)
    )
    for a, b in zip(
        jax.tree.leaves(in_memory.params), jax.tree.leaves(streamed.params), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert (
        in_memory.history[-1]["train_has_reference_mask"]
        == streamed.history[-1]["train_has_reference_mask"]
        > 0.5
    )
    assert in_memory.history[-1]["validation_auc"] == streamed.history[-1]["validation_auc"]


def test_gathered_examples_are_those_of_the_source():
    examples = gather(
        Arrays(PIXELS, NAMES, reference_masks=MARKS), TO, classes=CLASSES, memory=1 << 20
    )
    assert (examples.pixels == PIXELS).all()
    assert examples.labels.tolist() == [i % 2 for i in range(24)]
    assert examples.reference_masks.any((1, 2)).tolist() == [i % 3 > 0 for i in range(24)]
    assert isinstance(
        gather(Arrays(PIXELS, NAMES), TO, classes=CLASSES, memory=24 * 64 * 3 - 1), Streamed
    )
    assert isinstance(
        gather(Arrays(PIXELS, NAMES), TO, classes=CLASSES, memory=24 * 64 * 3), TrainingImages
    )


def test_unreadable_images_are_left_out_or_replaced_with_a_warning(folder):
    (folder / "data" / "fake" / "01.png").write_bytes(b"")
    source = Folder(folder / "data")
    with pytest.warns(UserWarning, match=r"1 image cannot be read \(fake/01.png: empty file"):
        examples = gather(source, TO, classes=CLASSES, memory=1 << 20)
    assert len(examples.labels) == 23
    assert "fake/01.png" not in examples.ids
    streamed = gather(source, TO, classes=CLASSES, memory=0)
    ((pixels, reference_masks),) = streamed.take([np.array([0, 1, 2])])
    assert reference_masks is None
    assert (pixels == np.stack([PIXELS[3], PIXELS[3], PIXELS[5]])).all()  # the first of its batch
    assert streamed.unread == {"fake/01.png": "empty file"}
    ((pixels, _),) = streamed.take([np.array([12, 0])])  # a batch with another label beside it
    assert streamed.labels[[12, 0, 1]].tolist() == [0, 1, 1]
    assert (pixels == np.stack([PIXELS[0], PIXELS[3]])).all()
    with pytest.warns(UserWarning, match="1 image cannot be read"):
        train(Net, source, Recipe(CrossEntropy(), epochs=1, batch_size=8), preprocess=TO, memory=0)
    for file in (folder / "data" / "fake").iterdir():
        file.write_bytes(b"")
    with pytest.raises(InputError, match=r"no image of label 1 can be read \(fake/01.png, .*check"):
        list(streamed.take([np.array([12, 0])]))


@pytest.mark.slow
@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_all_zero_reference_masks_raise_a_warning_or_an_error(memory):
    recipe = Recipe(CYBORG(0.5), epochs=1, batch_size=8)
    some = [m if i else np.zeros((8, 8), np.uint8) for i, m in enumerate(MARKS)]
    with pytest.warns(UserWarning, match=r"1 reference masks are all zero .*\(00000000\)"):
        train(
            Net, Arrays(PIXELS, NAMES, reference_masks=some), recipe, preprocess=TO, memory=memory
        )
    none = Arrays(PIXELS, NAMES, reference_masks=[None] * 24)
    with pytest.raises(InputError, match="needs reference masks and no image has one"):
        train(Net, none, recipe, preprocess=TO, memory=memory)


def test_reference_masks_of_a_folder(folder):
    source = WithReferenceMasks(Folder(folder / "data"), folder / "reference_masks")
    ids = list(source.ids)
    assert (source.reference_mask(ids.index("fake/01.png")) == MARKS[1]).all()
    assert source.reference_mask(ids.index("real/00.png")) is None
    (folder / "reference_masks" / "fake" / "99.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"1 reference masks in .* have no image, fake/99 first"):
        WithReferenceMasks(Folder(folder / "data"), folder / "reference_masks")
    with pytest.raises(InputError, match="contains no reference mask"):
        WithReferenceMasks(Folder(folder / "data"), folder / "nothing")


def test_examples_that_do_not_match():
    with pytest.raises(InputError, match="23 reference masks for 24 images"):
        TrainingImages(PIXELS, np.arange(24) % 2, PIXELS[:23, ..., 0])
    with pytest.raises(InputError, match="23 labels for 24"):
        TrainingImages(PIXELS, np.arange(23) % 2)
    with pytest.raises(InputError, match="images of type float"):
        TrainingImages(PIXELS / 255, np.arange(24) % 2)
    with pytest.raises(InputError, match="ids are repeated"):
        TrainingImages(PIXELS, np.arange(24) % 2, ids=["a"] * 24)
    with pytest.raises(
        InputError, match=r"24 images have none of the classes a, b: 00000000 \(real\)"
    ):
        gather(Arrays(PIXELS, NAMES), TO, classes=("a", "b"), memory=0)


@pytest.mark.parametrize("name", LOSSES)
def test_which_losses_need_reference_masks(name):
    assert uses_reference_masks(LOSSES[name]()) == (name in ("CYBORG", "Blend", "Viser"))
    assert not uses_reference_masks(CYBORG(1.0))


def test_ranking_numbers():
    logits = RNG.normal(size=(50, 2)).astype(np.float32) * 30
    labels = (logits[:, 1] - logits[:, 0] + RNG.normal(size=50) * 20 > 0).astype(int)
    metrics = classification_metrics(logits, labels, 1)
    ahead = logits[labels == 1][:, None] - logits[labels == 0][None]
    wins = ahead[..., 1] - ahead[..., 0]
    assert metrics["auc"] == pytest.approx((wins > 0).mean() + (wins == 0).mean() / 2)
    assert metrics["accuracy"] == pytest.approx((logits.argmax(1) == labels).mean())
    other = classification_metrics(logits, labels, 0)
    assert other["auc"] == pytest.approx(metrics["auc"])
    zero = np.sort((logits[:, 0] - logits[:, 1])[labels == 1])
    level = zero[-int(0.05 * len(zero)) - 1]  # detected are those above it
    detected = (logits[:, 0] - logits[:, 1])[labels == 0] > level
    assert other["tdr_0.05"] == pytest.approx(detected.mean())
    three = classification_metrics(np.eye(3, dtype=np.float32), np.arange(3), 2)
    assert three["accuracy"] == 1
    assert np.isnan([three[n] for n in RANKING]).all()
    assert (positive_class(("Fake", "real")), positive_class(("a", "b", "c"))) == (0, 2)
