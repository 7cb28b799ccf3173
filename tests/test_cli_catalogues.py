"""`salix methods` and `salix metrics`: tables, filters, JSON and documentation."""

import contextlib
import json
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from salix import metrics
from salix.attribution import METHODS, IntegratedGradients
from salix.attribution.catalogue import CATALOGUE
from salix.cli import main
from salix.typing import InputError


def listed(capsys, *words):
    assert main(list(words)) == 0
    return capsys.readouterr().out


def names(capsys, *words):
    return [record["name"] for record in json.loads(listed(capsys, *words, "--json"))]


def test_every_member_is_listed_once(capsys):
    assert names(capsys, "methods") == list(CATALOGUE)
    assert set(CATALOGUE) == set(METHODS)
    assert names(capsys, "metrics") == list(metrics.METRICS)


def test_costs_are_those_of_the_shape_and_the_default_settings(capsys):
    records = {r["name"]: r for r in json.loads(listed(capsys, "methods", "--json"))}
    cost = IntegratedGradients().passes((224, 224, 3))
    assert records["IntegratedGradients"]["passes"]["gradients"] == cost.gradients == 32
    assert records["GradCAM"]["needs"] == ["trunk"]
    assert records["XRAI"]["needs"] == ["segments"]
    assert records["AttentionRollout"]["needs"] == ["attention weights"]
    assert records["ExpectedGradients"]["needs"] == ["reference images"]
    table = listed(capsys, "methods").splitlines()
    row = next(line for line in table if line.startswith("IntegratedGradients "))
    assert "32 gradients" in row
    assert "arXiv:1703.01365" in row


@pytest.mark.parametrize(
    ("words", "inside", "outside"),
    [
        (("methods", "--family", "path"), "IntegratedGradients", "GradCAM"),
        (("methods", "--needs", "trunk"), "GradCAM", "Gradient"),
        (("methods", "--needs", "none"), "Gradient", "GradCAM"),
        (("methods", "--needs", "attention"), "AttentionGradient", "GradCAM"),
        (("methods", "--needs", "reference"), "DeepLIFTSHAP", "DeepLIFT"),
        (("methods", "--needs", "Segments"), "LIME", "Occlusion"),
        (("methods", "--needs", "cuts"), "AtCuts", "CAM"),
        (("metrics", "--group", "Localis"), "iou", "deletion"),
        (("metrics", "--needs", "mask"), "iou", "gini"),
    ],
)
def test_filters_choose(capsys, words, inside, outside):
    chosen = names(capsys, *words)
    assert inside in chosen
    assert outside not in chosen


def test_costs_that_depend_on_the_model_are_words(capsys):
    records = {r["name"]: r for r in json.loads(listed(capsys, "methods", "--json"))}
    unknown = {name for name, r in records.items() if r["passes"] is None}
    assert unknown == {name for name, r in records.items() if r["cost"]}
    lines = listed(capsys, "methods").splitlines()
    row = next(line for line in lines if line.startswith("AtCuts "))
    assert "1 gradient for each cut" in row
    assert "each channel of the trunk" in listed(capsys, "methods", "ScoreCAM")


@pytest.mark.parametrize("name", METHODS)
def test_a_plain_function_is_enough_for_methods_without_needs(name):
    """Methods that read a part of the model refuse a function of the image; others take it."""
    refuses = set(CATALOGUE[name].needs) - {"segments", "reference images"}
    assert ("trunk" in refuses) == bool(getattr(METHODS[name](), "reads_trunk", False))
    assert ("segments" in CATALOGUE[name].needs) == (CATALOGUE[name].family == "segment")
    image = jnp.linspace(0, 1, 192).reshape(8, 8, 3)
    explain = partial(METHODS[name](), lambda x: jnp.tanh(x).sum())
    with pytest.raises(InputError) if refuses else contextlib.nullcontext():
        assert jax.eval_shape(explain, image, jax.random.key(0)).shape[:-1] == (8, 8)


def test_range_direction_and_arguments_of_metrics(capsys):
    lines = listed(capsys, "metrics").splitlines()
    row = next(line for line in lines if line.startswith("deletion ")).split()
    assert row[:6] == ["deletion", "faithfulness", "0", "to", "1", "lower"]
    assert "score, image, map, key" in next(line for line in lines if line.startswith("deletion"))


def test_a_name_prints_its_documentation(capsys):
    text = listed(capsys, "methods", "IntegratedGradients", "GradCAM")
    assert text.startswith("IntegratedGradients(baseline=")
    assert "path; passes: 32 gradients; needs: none" in text
    assert "arXiv:1703.01365, sec." in text
    assert "Grad-CAM: Selvaraju" in text
    assert "lower" not in listed(capsys, "metrics", "gini").split("\n")[0]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("methods", "--family", "tree"), "--family tree: choose one of "),
        (("metrics", "--group", "zz"), "--group zz: choose one of "),
        (("methods", "GradCam"), "unknown 'GradCam': choose one of Gradient"),
        (("metrics", "auc"), "unknown 'auc': choose one of"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(capsys, words, text):
    assert main(list(words)) == 2
    assert text in capsys.readouterr().err
