"""Named cuts: the head of the trunk is the network, wherever it is cut."""

from functools import cache
from itertools import accumulate
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp

from salix import models
from salix.models.checkpoints import module_state
from salix.models.registry_transformers import ENTRIES
from salix.models.vit import ViT
from salix.nn import Conv, StagedNetwork, fold
from salix.nn.staged import split_stages
from salix.typing import InputError

EXPECTED = {  # first and last cut, and their number
    "antispoof": ("conv1", "conv3", 3),
    "cifar_resnet8": ("stage1", "stage3", 3),
    "clip_vit_b16": ("block1", "attention12", 12),
    "convnext_b": ("stage1", "stage4", 4),
    "convnext_t": ("stage1", "stage4", 4),
    "deepfakebench_efficientnet_b4": ("stage1", "last_conv", 8),
    "deepfakebench_meso4": ("block1", "block4", 4),
    "deepfakebench_mesoinception4": ("block1", "block4", 4),
    "densenet121": ("block1", "block4", 4),
    "efficientnet_b0": ("stage1", "last_conv", 8),
    "efficientnet_b4": ("stage1", "last_conv", 8),
    "efficientnet_lite0": ("stage1", "last_conv", 8),
    "efficientnet_pytorch_b0": ("stage1", "last_conv", 8),
    "efficientnet_pytorch_b4": ("stage1", "last_conv", 8),
    "inception_v3": ("stem", "Mixed_7c", 12),
    "liveness": ("conv1", "conv4", 4),
    "meso4": ("block1", "block4", 4),
    "mesoinception4": ("block1", "block4", 4),
    "mobilenet_v3_large": ("stage1", "last_conv", 7),
    "mobilenet_v3_small": ("stage1", "last_conv", 6),
    "nsfwjs_inception_v3": ("stem", "Mixed_7c", 12),
    "nsfwjs_mobilenet_v2": ("stage1", "last_conv", 8),
    "resnet18": ("layer1", "layer4", 4),
    "resnet34": ("layer1", "layer4", 4),
    "resnet50": ("layer1", "layer4", 4),
    "resnet50_nodown": ("layer1", "layer4", 4),
    "small": ("conv1", "conv4", 4),
    "swin_t": ("stage1", "norm", 5),
    "tf_efficientnet_b0": ("stage1", "last_conv", 8),
    "tf_efficientnet_b4": ("stage1", "last_conv", 8),
    "timm_efficientnet_lite0": ("stage1", "last_conv", 8),
    "vgg16": ("conv1", "pool5", 6),
    "vgg19": ("conv1", "pool5", 6),
    "xception": ("block1", "conv4", 13),
}
QUICK = {"antispoof", "cifar_resnet8", "liveness", "meso4", "mesoinception4", "resnet18", "small"}


def test_every_network_is_expected_here_or_a_transformer() -> None:
    assert set(EXPECTED) == set(models.MODELS) - set(ENTRIES)


@cache
def abstract(name: str) -> tuple[Any, Any]:
    """Return an architecture without numbers, in evaluation, and an image of its size."""
    about = models.MODELS[name]
    module = module_state.abstract(lambda rngs: about.build(rngs, len(about.classes)))
    module.eval()
    return module, jax.ShapeDtypeStruct((1, *about.preprocess.size, about.preprocess.channels), "f")


def program(function: Any, module: Any, x: Any) -> str:
    """Return the jaxpr of a function of a module and images."""
    graph, state = nnx.split(module)
    return str(jax.make_jaxpr(lambda state, x: function(nnx.merge(graph, state), x))(state, x))


def stage_outputs(module: Any, x: Any) -> list[Any]:
    stages = module.named_stages().values()
    return list(accumulate(stages, lambda h, stage: stage(h), initial=x))[1:]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_cuts_are_in_order_and_end_at_the_default(name: str) -> None:
    module, x = abstract(name)
    cuts = module.cuts
    assert (cuts[0], cuts[-1], len(cuts)) == EXPECTED[name]
    assert len(set(cuts)) == len(cuts)
    ends = nnx.eval_shape(stage_outputs, module, x)
    if name != "clip_vit_b16":  # its stages before the last give tokens, not a grid: see below
        grids = [end.shape[1:3] for end in ends]
        assert grids == sorted(grids, reverse=True)
        # not overridden: tests of the small networks below cover all
        assert (type(module).trunk, type(module).head) == (StagedNetwork.trunk, StagedNetwork.head)


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in sorted(set(EXPECTED) - {"clip_vit_b16"})
    ],
)
def test_the_head_of_the_trunk_is_the_same_program_wherever_it_is_cut(name: str) -> None:
    module, x = abstract(name)
    logits = program(lambda m, x: m(x), module, x)
    # `trunk` and `head` are the same for all networks, as above: in large ones one cut shows it.
    cuts = module.cuts if name in QUICK else (module.cuts[len(module.cuts) // 2],)
    for cut in cuts:
        again = program(lambda m, x, cut=cut: m.head(m.trunk(x, cut), cut), module, x)
        assert again == logits, cut


@pytest.mark.slow
def test_a_transformer_shares_its_class_token_among_the_patches() -> None:
    module = ViT(width=16, depth=3, heads=2, embedding=8, grid=4, patch=4, rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
    assert module.cuts == ("block1", "block2", "attention3")
    for cut in module.cuts:
        features = module.trunk(x, cut)
        assert features.shape == (2, 4, 4, 16 if cut == "attention3" else 32)
        np.testing.assert_allclose(module.head(features, cut), module(x), rtol=1e-5, atol=1e-6)
    tokens = split_stages(module.named_stages(), "block2")[0](jnp.asarray(x))
    features = module.trunk(x, "block2")
    np.testing.assert_array_equal(features[..., :16].reshape(2, 16, 16), tokens[:, 1:])
    np.testing.assert_allclose(features[..., 16:].sum((1, 2)), tokens[:, 0], rtol=1e-5)
    assert np.ptp(features[..., 16:], axis=(1, 2)).max() == 0


@pytest.mark.slow
def test_a_folded_network_has_the_cuts_of_the_original() -> None:
    module: Any = models.build("cifar_resnet8")
    module.eval()
    for norm in (part for _, part in nnx.iter_modules(module) if isinstance(part, nnx.BatchNorm)):
        norm.mean[...] = norm.mean[...] + 0.1
    folded = fold(module)
    x = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    assert folded.cuts == module.cuts == ("stage1", "stage2", "stage3")
    for cut in module.cuts:
        np.testing.assert_allclose(folded.trunk(x, cut), module.trunk(x, cut), atol=1e-4)
        np.testing.assert_allclose(folded.head(folded.trunk(x, cut), cut), folded(x), rtol=1e-6)


@pytest.mark.parametrize("name", ["small", "resnet18", "clip_vit_b16"])
def test_an_unknown_cut_is_refused_with_the_known_ones(name: str) -> None:
    module, x = abstract(name)
    first, last, _ = EXPECTED[name]
    features = nnx.eval_shape(lambda m, x: m.trunk(x), module, x)
    for method, argument in (("trunk", x), ("head", features)):
        with pytest.raises(InputError, match=f"no cut 'middle': expected one of {first}.*{last}"):
            nnx.eval_shape(lambda m, x, f=method: getattr(m, f)(x, "middle"), module, argument)


def test_stages_and_a_classifier_are_all_that_a_network_defines() -> None:
    class Tiny(StagedNetwork):
        def __init__(self, rngs: nnx.Rngs):
            self.conv = Conv(3, 4, 3, 2, rngs=rngs)

        def named_stages(self) -> Any:
            return {"conv": self.conv, "relu": jax.nn.relu}

        def classify(self, features: Any) -> Any:
            return features.mean((1, 2))

    net, x = Tiny(nnx.Rngs(0)), np.ones((1, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(net.trunk(x, "conv"), net.conv(x))
    np.testing.assert_array_equal(net.trunk(x), jax.nn.relu(net.conv(x)))
    np.testing.assert_array_equal(net.head(net.conv(x), "conv"), net(x))
