"""Files with several networks, prefixes, heads of other names and branches that are left out."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from salix import models
from salix.cli import main
from salix.model import LoadedWeights
from salix.models.checkpoints.module_state import arrays, expected
from salix.models.checkpoints.naming import torch_names
from salix.models.checkpoints.safetensors import read_metadata, write_safetensors
from salix.models.small import Small
from salix.report.sections.methods import initial_values
from salix.store import Run
from salix.train.initialise import initialiser
from salix.typing import InputError

Arrays = dict[str, np.ndarray]
CHANNELS = 64  # of the features of `tiny`


class Tiny(Small):
    """`Small` with any number of classes, cheap to build."""

    def __init__(self, rngs: nnx.Rngs, classes: int):
        super().__init__(rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.classifier = nnx.Linear(CHANNELS, classes, rngs=rngs)

    def classify(self, features: Any) -> Any:
        return self.classifier(features.mean((1, 2)))


@pytest.fixture(autouse=True)
def tiny(monkeypatch: Any) -> None:
    """Register an architecture `tiny` whose PyTorch names are its own."""
    small = models.MODELS["small"]
    tables = {"torch": lambda shapes: {"origin": torch_names(shapes, lambda name: name)}}
    about = replace(small, build=Tiny, tables=tables, head="classifier.bias", fixed=False)
    monkeypatch.setitem(models.MODELS, "tiny", about)


def drawn(seed: int, classes: int = 2) -> Arrays:
    """A state dict of `tiny` in PyTorch's names and layouts."""
    draw = np.random.default_rng(seed)
    shapes = expected(lambda rngs: Tiny(rngs, classes))
    state: Arrays = {}
    for ours, (theirs, _) in torch_names(shapes, lambda name: name).items():
        shape = shapes[ours].shape
        shape = {4: shape[::-1][:2] + shape[:2], 2: shape[::-1]}.get(len(shape), shape)
        state[theirs] = draw.normal(size=shape, scale=0.1).astype(np.float32)
    return state


def under(prefix: str, state: Arrays) -> Arrays:
    return {prefix + name: array for name, array in state.items()}


def renamed(state: Arrays, head: str, trunk: str = "") -> Arrays:
    """A state dict whose head has another name, and its trunk a prefix."""
    parts = ((n, n.removeprefix("classifier.")) for n in state)
    return {trunk + n if n == p else f"{head}.{p}": state[n] for n, p in parts}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def file(*states: Arrays) -> Path:
        path = tmp_path / "net.safetensors"
        write_safetensors(path, {n: a for state in states for n, a in state.items()}, {})
        return path

    return file


def is_network(params: Any, state: Arrays) -> bool:
    """Whether the kernels that were read are those of a state dict."""
    kernel = arrays(params)["convolutions.1.kernel"].transpose(3, 2, 0, 1)
    last = [a for a in state.values() if a.ndim == 2 and a.shape[1] == CHANNELS][-1]
    same_head = np.array_equal(arrays(params)["classifier.kernel"], last.T)
    return same_head and any(np.array_equal(kernel, a) for a in state.values())


def test_the_line_names_what_was_read(write: Any, capsys: Any) -> None:
    models.load("tiny", write(drawn(0)))
    assert capsys.readouterr().err == ""
    path = write(under("state_dict.module.", drawn(0)), {"criterion.weight": np.ones(2, "f")})
    model, _ = models.load("tiny", path)
    assert model.chosen == "state_dict.module"
    line = f"{path}: tiny under 'state_dict.module'; left out: criterion (1 array)\n"
    assert capsys.readouterr().err == line


PAIRS = [  # a pair of prefixes, and whether --ema and --raw tell them apart
    ("state_dict.", "state_dict_ema.", True),
    ("model.", "model_ema.", True),
    ("state_dict.model.", "state_dict.ema_model.module.", True),
    ("params.", "params_ema.", True),
    ("", "ema.", True),
    ("net.", "averaged_model.module.", True),
    ("module.encoder_q.", "module.encoder_k.", False),
    ("student.backbone.", "teacher.backbone.", False),
    ("online_encoder.net.", "target_encoder.net.", False),
    ("model_a.", "model_b.", False),
]


@pytest.mark.parametrize(("first", "second", "averaged"), PAIRS)
@pytest.mark.slow
def test_of_several_networks_none_is_read_until_one_is_chosen(
    write: Any, first: str, second: str, averaged: bool
) -> None:
    states = {first: drawn(0), second: drawn(1)}
    for order in permutations(states):
        path = write(*(under(prefix, states[prefix]) for prefix in order))
        with pytest.raises(InputError, match="contains 2 networks that fit tiny") as caught:
            models.load("tiny", path)
        assert second[:-1] in str(caught.value)
        assert ("--ema or --raw" in str(caught.value)) == averaged
        for prefix, state in states.items():
            model, params = models.load("tiny", path, prefix=prefix[:-1])
            assert is_network(params, state)
            assert model.chosen == prefix[:-1]
        if averaged:
            assert is_network(models.load("tiny", path, ema=False)[1], states[first])
            assert is_network(models.load("tiny", path, ema=True)[1], states[second])
        else:
            with pytest.raises(InputError, match=r"no tiny with an average .*--ema"):
                models.load("tiny", path, ema=True)


def test_a_part_of_a_prefix_is_enough_where_only_one_network_has_it(write: Any) -> None:
    path = write(under("state.student.net.", drawn(0)), under("state.teacher.net.", drawn(1)))
    assert is_network(models.load("tiny", path, prefix="teacher")[1], drawn(1))
    with pytest.raises(InputError, match="contains 2 networks"):
        models.load("tiny", path, prefix="net")
    with pytest.raises(InputError, match=r"no tiny under --prefix 'stud': it has 'state\.student"):
        models.load("tiny", path, prefix="stud")
    with pytest.raises(InputError, match="exclude each other"):
        models.load("tiny", path, prefix="teacher", ema=True)
    with pytest.raises(InputError, match="give weights"):
        models.load("tiny", ema=True)


def test_equal_copies_are_one_network(write: Any) -> None:
    path = write(under("module.model.", drawn(0)), under("best.", drawn(0)))
    model, params = models.load("tiny", path)
    assert (model.chosen, is_network(params, drawn(0))) == ("best", True)
    path = write(under("a.", drawn(0)), under("b.", drawn(0)), under("ema.", drawn(1)))
    with pytest.raises(InputError, match="2 networks that fit tiny, 'a', 'ema'"):
        models.load("tiny", path)


def test_an_incomplete_or_misshaped_network_and_moments_do_not_count(write: Any) -> None:
    other = under("ema.", drawn(1))
    del other["ema.norm.running_var"]
    path = write(under("model.", drawn(0)), other, under("optimizer.exp_avg.", drawn(2)))
    assert models.load("tiny", path)[0].chosen == "model"
    wrong = {n: np.ones((2, *a.shape), "f") for n, a in under("ema.", drawn(1)).items()}
    assert models.load("tiny", write(wrong, under("model.", drawn(0))))[0].chosen == "model"


def test_the_choice_stands_in_the_converted_file(write: Any, tmp_path: Path) -> None:
    path = write(under("model.", drawn(0)), under("ema.", drawn(1)))
    model, params = models.load("tiny", path, ema=True)
    out = tmp_path / "out.safetensors"
    models.save("tiny", out, params, chosen=model.chosen)
    assert read_metadata(out)["chosen"] == "ema"
    again, actual = models.load("tiny", out)
    assert again.chosen == "ema"
    assert is_network(actual, drawn(1))


def test_networks_of_orbax_are_chosen_alike(tmp_path: Path) -> None:
    ocp = pytest.importorskip("orbax.checkpoint")
    trees = {}
    for name, seed in (("weights", 0), ("ema", 1)):
        module = Tiny(nnx.Rngs(seed), 2)
        trees[name] = nnx.to_pure_dict(nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat)))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "step", trees)
    with pytest.raises(InputError, match="2 networks that fit tiny, 'ema', 'weights'"):
        models.load("tiny", tmp_path / "step")
    _, params = models.load("tiny", tmp_path / "step", ema=True)
    kernel = trees["ema"]["convolutions"][1]["kernel"]
    np.testing.assert_array_equal(arrays(params)["convolutions.1.kernel"], kernel)


HEADS = [  # names of the head, and the prefix of the trunk
    ("head", "backbone."),
    ("module.head", "module.backbone."),
    ("classifier.1", ""),
    ("fc.1", "encoder."),
    ("model.cls_head.fc", "model.backbone.net."),
    ("last_layer", "efficientnet."),
    ("logits", ""),
]


@pytest.mark.parametrize(("head", "trunk"), HEADS)
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_a_linear_head_of_any_name_is_read(
    write: Any, capsys: Any, head: str, trunk: str, classes: int
) -> None:
    state = drawn(0, classes)
    model, params = models.load("tiny", write(renamed(state, head, trunk)))
    assert f"its head is '{head}'" in capsys.readouterr().err
    assert is_network(params, state)
    names = {1: ("real", "fake"), 2: ("real", "fake"), 3: ("0", "1", "2")}
    assert model.classes == names[classes]


def test_each_of_several_networks_has_its_own_head(write: Any) -> None:
    one, two = drawn(0), drawn(1)
    path = write(
        renamed(one, "student.head", "student.backbone."),
        renamed(two, "teacher.head", "teacher.backbone."),
    )
    assert is_network(models.load("tiny", path, prefix="student")[1], one)
    assert is_network(models.load("tiny", path, prefix="teacher")[1], two)


def test_a_deeper_head_is_the_only_thing_named(write: Any) -> None:
    state = renamed(drawn(0), "head.2", "backbone.")
    path = write(state, {"head.0.weight": np.ones((64, 64), "f"), "head.0.bias": np.ones(64, "f")})
    with pytest.raises(InputError) as caught:
        models.load("tiny", path)
    text = str(caught.value)
    assert "the trunk of tiny fits 'backbone', but the head 'head' is not one linear layer" in text
    assert "head.0.bias [64], head.0.weight [64 64]" in text
    assert "convolutions" not in text
    second = {"right.weight": np.ones((2, 64), "f"), "right.bias": np.ones(2, "f")}
    path = write(renamed(drawn(0), "left", "backbone."), second)
    with pytest.raises(InputError, match="several heads: left, right"):
        models.load("tiny", path)


def test_a_network_without_a_head_says_so(write: Any) -> None:
    state = {n: a for n, a in drawn(0).items() if "classifier" not in n}
    with pytest.raises(InputError, match=r"fits 'encoder', but no head: no 'encoder\.classifier"):
        models.load("tiny", write(under("encoder.", state)))


DEAD = ["adjust_channel.0", "AuxLogits.conv", "projector.2", "aux_head", "prototypes", "loss_fn"]


@pytest.mark.parametrize("branch", DEAD)
def test_dead_branches_are_left_out_and_named(write: Any, capsys: Any, branch: str) -> None:
    dead = {f"net.{branch}.weight": np.ones((8, 64), "f"), f"net.{branch}.bias": np.ones(8, "f")}
    _, params = models.load("tiny", write(under("net.", drawn(0)), dead))
    assert is_network(params, drawn(0))
    module = branch.split(".")[0]
    assert f"left out: {module} (2 arrays)" in capsys.readouterr().err


def test_other_layers_of_the_network_are_refused(write: Any) -> None:
    for name in ("convolutions.1.se.weight", "neck.weight", "attention.query.weight"):
        with pytest.raises(InputError, match=f"unknown 1 \\({name}\\)"):
            models.load("tiny", write(under("net.", drawn(0)), {f"net.{name}": np.ones(9, "f")}))
    beside = {"neck.weight": np.ones(64, "f")}
    with pytest.raises(InputError, match=r"unknown 1 \(neck\.weight\)"):
        models.load("tiny", write(renamed(drawn(0), "head", "backbone."), beside))


def test_one_output_is_the_probability_of_the_second_class(write: Any, tmp_path: Path) -> None:
    path = write({"model." + n: a for n, a in drawn(0, 1).items()})
    model, params = models.load("tiny", path)
    assert model.classes == ("real", "fake")
    image = np.random.default_rng(0).uniform(size=(16, 16, 1)).astype(np.float32)
    z = model.head(params, model.features(params, image))
    assert z.shape == (1,)
    np.testing.assert_allclose(
        jax.nn.softmax(model.logits(params, image))[1], jax.nn.sigmoid(z[0]), rtol=1e-6
    )
    assert models.load("tiny", path, classes=("genuine", "forged"))[0].classes[1] == "forged"
    with pytest.raises(InputError, match=r"has 2 classes \(one output.*\), not 3"):
        models.load("tiny", path, classes=("a", "b", "c"))
    out = tmp_path / "out.safetensors"
    models.save("tiny", out, params, classes=("genuine", "forged"))
    assert json.loads(read_metadata(out)["classes"]) == ["genuine", "forged"]
    again, saved = models.load("tiny", out)
    assert again.classes == ("genuine", "forged")
    np.testing.assert_array_equal(again.logits(saved, image), model.logits(params, image))


def test_outputs_of_another_network_are_refused(write: Any, monkeypatch: Any) -> None:
    about = replace(models.MODELS["tiny"], unreadable={3: "another network"})
    monkeypatch.setitem(models.MODELS, "tiny", about)
    with pytest.raises(InputError, match="3 outputs are those of another network: tiny"):
        models.load("tiny", write(drawn(0, 3)))
    assert models.load("tiny", write(drawn(0, 4)))[0].classes == tuple("0123")
    assert 1008 in models.MODELS["inception_v3"].unreadable


def test_children_of_a_resnet_have_numbers() -> None:
    shapes = expected(lambda rngs: models.MODELS["resnet18"].build(rngs, 2))
    table = models.MODELS["resnet18"].tables["torch"]
    assert callable(table)
    rows = table(shapes)["children of torchvision's"]
    names = {ours: theirs for ours, (theirs, _) in rows.items()}
    assert names["conv1.kernel"] == "0.weight"
    assert names["norm1.mean"] == "1.running_mean"
    assert names["layer1.0.conv1.kernel"] == "4.0.conv1.weight"
    assert names["layer4.0.shortcut.norm.scale"] == "7.0.downsample.1.weight"


@pytest.mark.slow
def test_the_commands_choose_a_network(write: Any, tmp_path: Path, capsys: Any) -> None:
    path = str(write(under("model.", drawn(0)), under("model_ema.", drawn(1))))
    out = tmp_path / "out.safetensors"
    words = ["convert", "--model", "tiny", "--weights", path, "--out", str(out)]
    assert main(words) == 2
    assert "choose one with --ema or --raw" in capsys.readouterr().err
    for options in (["--ema", "--raw"], ["--ema", "--prefix", "model"]):
        assert main([*words, *options]) == 2
        assert "exclude each other" in capsys.readouterr().err
    assert main([*words, "--ema"]) == 0
    assert is_network(models.load("tiny", out)[1], drawn(1))
    assert main(["convert", "--model", "tiny", "--out", str(out)]) == 2
    assert "name it with --weights" in capsys.readouterr().err
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    (tmp_path / "images").mkdir()
    Image.fromarray(image).save(tmp_path / "images" / "a.png")
    run = tmp_path / "run"
    words = ["sweep", "--model", "tiny", "--weights", path, "--data", str(tmp_path / "images")]
    words += ["--ignore", "model_ema.*", "model.classifier.*", "--allow-missing", "classifier.*"]
    assert main([*words, "--no-labels", "--out", str(run)]) == 0
    about = json.loads((run / "manifest.json").read_text())["about"]
    assert about["chosen"] == "model"
    names = ["classifier.bias", "classifier.kernel"]
    counts = {"taken": 12, "ignored": 16, "left_out": 0, "initialised": names}
    assert about["weights"] | {"initialised": sorted(about["weights"]["initialised"])} == counts
    assert f"run: {', '.join(about['weights']['initialised'])}." in initial_values([Run(run)])


def test_training_starts_from_one_output_with_two(write: Any) -> None:
    path = write(under("a.", drawn(0, 1)), under("b.", drawn(1, 1)))
    build, about = initialiser("tiny", path, prefix="b")
    assert about["classes"] == ("real", "fake")
    module = build(0)
    model, params = models.load("tiny", path, prefix="b")
    image = np.random.default_rng(0).uniform(size=(16, 16, 1)).astype(np.float32)
    module.eval()
    np.testing.assert_allclose(
        module(image[None])[0], model.logits(params, image), rtol=1e-5, atol=1e-6
    )


def test_the_state_of_an_optimiser_is_never_the_network(write: Any) -> None:
    for prefix in ("optimizer.exp_avg.", "optimizer_states.0.exp_avg_sq.", "opt_state.mu."):
        with pytest.raises(InputError, match="does not fit tiny"):
            models.load("tiny", write(under(prefix, drawn(0))))


def test_several_networks_with_deeper_heads_are_named_with_them(write: Any) -> None:
    head = {"fc.0.weight": np.ones((64, 64), "f"), "fc.2.weight": np.ones((8, 64), "f")}
    trunk = {n: a for n, a in drawn(0).items() if "classifier" not in n}
    other = {n: a + 1 for n, a in trunk.items()}
    path = write(under("q.", trunk | head), under("k.", other | head))
    with pytest.raises(InputError, match=r"fits 'k', 'q', but the head 'k\.fc' is not one linear"):
        models.load("tiny", path)


def test_counters_are_not_named(write: Any, capsys: Any) -> None:
    counters = {"n_averaged": np.array(3.0, "f"), "best_acc1": np.array(0.5, "f")}
    models.load("tiny", write(under("module.", drawn(0)), counters))
    assert "left out" not in capsys.readouterr().err
    inside = {"module.temperature": np.array(2.0, "f")}
    with pytest.raises(InputError, match=r"unknown 1 \(temperature\)"):
        models.load("tiny", write(under("module.", drawn(0)), inside))


def test_a_file_of_very_many_networks_is_refused(write: Any) -> None:
    state = drawn(0)
    path = write(*(under(f"fold{i}.", state) for i in range(33)))
    with pytest.raises(InputError, match=r"net\.safetensors: contains 33 networks, more than 32"):
        models.load("tiny", path)


HEAD = {"classifier.kernel", "classifier.bias"}
NECK = {"net.neck.weight": np.ones(64, "f"), "net.neck.bias": np.ones(64, "f")}


def test_ignored_arrays_are_left_out_and_missing_ones_keep_initial_values(
    write: Any, tmp_path: Path, capsys: Any
) -> None:
    state = {n: a for n, a in drawn(0).items() if "classifier" not in n}
    path = write(under("net.", state), NECK)
    for options in ({"ignore": ["*.neck.*"]}, {"allow_missing": ["classifier.*"]}):
        with pytest.raises(InputError, match=r"no head: no|unknown 2 .*; salix inspect lists"):
            models.load("tiny", path, **options)
    choice: Any = {"ignore": ["*.neck.*"], "allow_missing": ["classifier.*"]}
    model, params = models.load("tiny", path, **choice)
    assert model.weights is not None
    assert set(model.weights.initialised) == HEAD
    assert replace(model.weights, initialised=()) == LoadedWeights(12, 2, 0)
    error = capsys.readouterr().err
    assert "ignored: neck (2 arrays); initial values of classifier." in error
    new = arrays(models.load("tiny")[1])
    shapes = expected(lambda rngs: Tiny(rngs, 2))
    for ours, (theirs, layout) in torch_names(shapes, str).items():
        value = new[ours] if ours in HEAD else layout(state[theirs])
        np.testing.assert_array_equal(arrays(params)[ours], value)
    three, _ = models.load("tiny", path, **choice, classes=("a", "b", "c"))
    assert three.classes == ("a", "b", "c")
    out = tmp_path / "out.safetensors"  # the converted file tells it too
    models.save("tiny", out, params, initialised=model.weights.initialised)
    again = models.load("tiny", out)[0].weights
    assert again == LoadedWeights(14, 0, 0, model.weights.initialised)
    build, _ = initialiser("tiny", path, **choice)
    seeds = [arrays(nnx.state(build(seed), nnx.Param)) for seed in (1, 2)]
    assert not np.array_equal(*(s["classifier.kernel"] for s in seeds))
    np.testing.assert_array_equal(*(s["convolutions.1.kernel"] for s in seeds))


def test_patterns_without_a_match_and_files_without_half_a_network_are_refused(write: Any) -> None:
    path = write(under("net.", drawn(0)))
    with pytest.raises(
        InputError, match=r"--ignore 'neck\.\*' matches no name in .*net\.classifier\.bias, net"
    ):
        models.load("tiny", path, ignore=["neck.*"])
    with pytest.raises(InputError, match=r"'fc\.\*' matches no name in the parameters of tiny"):
        models.load("tiny", path, allow_missing=["fc.*"])
    with pytest.raises(InputError, match="belong to a weight file"):
        models.load("tiny", ignore=["*"])
    few = {n: a for n, a in drawn(0).items() if n.startswith("norm.")}
    with pytest.raises(InputError, match=r"has 4 of the 14 arrays of tiny.*needs half"):
        models.load("tiny", write(few), allow_missing=["*"])
    wrong = drawn(0) | {"norm.weight": np.ones(4, "f")}
    with pytest.raises(InputError, match=r"misshaped 1 \(norm\.scale \(4,\)"):
        models.load("tiny", write(wrong), allow_missing=["norm.*"])
    trunk = {n: a for n, a in drawn(0).items() if not n.startswith("norm.")}
    ema = under("ema.", drawn(1))
    with pytest.raises(InputError, match="contains 2 networks"):
        models.load("tiny", write(under("net.", trunk), ema), allow_missing=["norm.*"])
    model, _ = models.load("tiny", write(under("net.", trunk)), allow_missing=["norm.*"])
    assert model.weights is not None
    assert len(model.weights.initialised) == 4


def test_a_head_without_a_bias_is_read_where_the_bias_may_be_missing(write: Any) -> None:
    state = {n: a for n, a in drawn(0, 3).items() if n != "classifier.bias"}
    with pytest.raises(InputError, match=r"missing 1 \(classifier\.bias\)"):
        models.load("tiny", write(state))
    model, params = models.load("tiny", write(state), allow_missing=["classifier.bias"])
    assert len(model.classes) == 3
    assert is_network(params, state)
    np.testing.assert_array_equal(arrays(params)["classifier.bias"], 0)


def test_the_listing_names_the_place_of_every_array(write: Any, capsys: Any) -> None:
    state = {n: a for n, a in drawn(0).items() if n != "classifier.bias"}
    moments = under("optimizer.exp_avg.", {"conv": np.ones(3, "f")})
    path = str(write(under("net.", state), NECK, moments))
    words = ["inspect", "--model", "tiny", "--weights", path]
    assert main([*words, "--ignore", "net.neck.weight"]) == 2
    output = capsys.readouterr()
    assert "unknown 1 (neck.bias)" in output.err
    last = output.out.strip().split("\n")[-1]
    assert last == "13 taken, 1 ignored, 1 left out, 1 no place, 1 missing"
    row = next(line for line in output.out.split("\n") if "net.classifier.weight" in line)
    assert " ".join(row.split()) == "net.classifier.weight 2 x 64 classifier.kernel 64 x 2 taken"
    words += ["--ignore", "*neck*", "--allow-missing", "classifier.bias", "--json"]
    assert main(words) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["counts"] == {"taken": 13, "ignored": 2, "left out": 1, "initial value": 1}
    assert record["fault"] is None
    two = str(write(under("a.", drawn(0)), under("b.", drawn(1))))
    assert main(["inspect", "--model", "tiny", "--weights", two]) == 2
    assert "28 not read" in capsys.readouterr().out
    assert main(["inspect", "--model", "tiny"]) == 2
