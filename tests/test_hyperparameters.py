"""Hyper-parameters of methods, measures, metrics and scores: wrong types and ranges are refused."""

import inspect
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import config

from salix import margin
from salix.attribution import METHODS, GradCAM, IntegratedGradients, SmoothGrad
from salix.hyperparameters import FLAG, OPTIONAL_FLAG
from salix.measures import ARGUMENTS, MEASURES, Agreement, Curves, Geometry, Noise, Of
from salix.metrics import METRICS, Similarity
from salix.scores import SCORES, resolve
from salix.spec import parse
from salix.typing import Explainer, Explanation, InputError


@pytest.fixture(autouse=True)
def unchecked_types():
    """Turn the types off that tests check when a function is called: users have no such check."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


CLASSES = {**METHODS, **MEASURES, **SCORES, "Similarity": Similarity}
INVALID_TYPES = ("layer4", b"x", {}, {1}, object(), 1j, float("nan"), float("inf"), (), [None])
# Of the wrong types, those that a field does accept
TEXTS = {"prefix", "name", "target"}
EMPTY = {("Geometry", name) for name in ("transforms", "angles", "scales")}
EMPTY |= {("Regions", "embeddings"), ("AtCuts", "cuts")}
REQUIRED = {"Of", "Evaluation"}  # which have fields without a default, and tests of their own
PAIRS = [(n, f.name) for n, kind in CLASSES.items() if n not in REQUIRED for f in fields(kind)]


def accepted(owner, field, value):
    return (isinstance(value, str) and field in TEXTS) or (value == () and (owner, field) in EMPTY)


@pytest.mark.parametrize(("owner", "field"), PAIRS)
def test_every_field_refuses_what_it_cannot_be(owner, field):
    for value in INVALID_TYPES:
        if not accepted(owner, field, value):
            with pytest.raises(InputError, match=rf"{field} (is|has) "):
                CLASSES[owner](**{field: value})
    is_flag = isinstance(getattr(CLASSES[owner](), field), bool)
    for value in (0, 1) if is_flag else (True, np.True_):
        with pytest.raises(InputError, match=rf"{field} is .*(give|choose)"):
            CLASSES[owner](**{field: value})


OPTIONS = [(name, option) for name, info in METRICS.items() for option, _ in info.options]


def test_every_option_of_a_metric_is_in_its_table():
    for name, info in METRICS.items():
        parameters = inspect.signature(info.function).parameters.values()
        keywords = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        assert keywords == {option for option, _ in info.options}, name


@pytest.mark.parametrize(("metric", "option"), OPTIONS)
def test_every_option_of_a_metric_refuses_what_it_cannot_be(metric, option):
    function, map = METRICS[metric].function, np.linspace(0, 1, 81, dtype=np.float32).reshape(9, 9)
    image = np.zeros((9, 9, 3), np.float32)
    key, score = jax.random.key(0), lambda x: x.sum()
    explain = Explainer(
        lambda x, target: Explanation(x[0, 0], target, x[..., 0], attribution=x),
        trunk=lambda x: 2 * x,
    )
    explain = replace(explain, target=jnp.int32(0))
    arguments = {1: (map,), 2: (map, map), 3: (explain, image, key), 4: (score, image, map, key)}
    is_flag = dict(METRICS[metric].options)[option] in (FLAG, OPTIONAL_FLAG)
    for value in (*INVALID_TYPES, 1 if is_flag else True):
        with pytest.raises(InputError, match=rf"{option} (is|has) "):
            Of(function, **{option: value})
        with pytest.raises(InputError, match=rf"{option} (is|has) "):
            jax.eval_shape(lambda: function(*arguments[Of(function).arity], **{option: value}))  # noqa: B023


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('GradCAM("layer4")', r"relu is 'layer4': give True or False.*model.at"),
        ("GradCAM(relu=0)", "relu is 0"),
        ("GradCAM(target_layers=4)", r"it takes GradCAM\(relu"),
        ("SmoothGrad(samples=0)", "samples is 0: give a whole number, 1 or more"),
        ("SmoothGrad(samples=2.0)", r"samples is 2\.0"),
        ("SmoothGrad(GradCAM(None))", "relu is None"),
        ("IntegratedGradients(rule='simpson')", "choose one of midpoint, trapezoid, gauss_leg"),
        ("IntegratedGradients(steps=1, rule='trapezoid')", "steps is 1: .*2 or more"),
        ("IntegratedGradients(baseline=(0, 'a'))", "baseline has 'a'"),
        ("Noise(levels=(0.1, 'a'))", "levels has 'a'.*between 0 and 1"),
        ("Noise(levels=0.1)", "levels is 0.1"),
        ("Noise(similarity='ssim')", r"similarity is 'ssim': give a Similarity"),
        ("Noise(prefix=3)", "prefix is 3: give a text"),
        ("Geometry(transforms='flip_lr')", "transforms is 'flip_lr': choose from"),
        ("Geometry(transforms=('flip_lr', 'flip_lr'))", "each once"),
        ("Geometry(scales=(-1,))", "scales has -1: give factors above 0"),
        ("Geometry(shift=True)", "shift is True: give whole pixels"),
        ("COSE(magnitudes=6.0)", r"magnitudes is 6\.0: .*from 1 to 60"),
        ("Curves(chunk=1.0)", r"chunk is 1\.0"),
        ("Curves(fractions=(0, True))", "fractions has True"),
        ("Degradation(change=1)", "change is 1: .*or None"),
        ("Similarity(side=0)", "side is 0: .*or None"),
        ("Of(iou, threshold=2)", r"threshold is 2: give a share of the maximum, in \(0, 1\]"),
        ("Of(deletion, order='best')", "order is 'best': choose one of most, least, random"),
        ("Of(ssim, window='a')", "window is 'a'"),
        ("Of(gini, name=3)", "name is 3"),
        ("margin(1.0)", r"target is 1\.0: give a class by its index"),
        ("logit([0, 1])", r"target is \[0, 1\]"),
        ("probability(True)", "target is True"),
        ("logit(-1)", "target is -1"),
        ("logit('')", "target is ''"),
    ],
)
def test_the_message_names_value_and_remedy_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as error:
        parse(text, CLASSES, ARGUMENTS)
    assert "\n" not in str(error.value)


def test_scalars_and_lists_become_plain_python():
    made = {
        SmoothGrad(samples=np.int64(4), noise=jnp.float32(0.5)): "samples=4, noise=0.5)",
        IntegratedGradients(baseline=[0, np.float64(1)], steps=jnp.int32(8)): "(0, 1.0), steps=8",
        GradCAM(np.bool_(False)): "GradCAM(relu=False, before_relu=False)",
        Geometry(angles=np.array([5.0, 10.0])): "angles=(5.0, 10.0)",
        Noise(levels=[0.5, np.array(1)]): "levels=(0.5, 1)",
        Agreement(["ssim"], window=np.uint8(3)): "('ssim',), window=3",
        Curves(fractions=np.array([0.0, 0.5])): "fractions=(0.0, 0.5)",
        margin(np.array(1)): "margin(target=1)",
    }
    for instance, text in made.items():
        assert text in repr(instance)
        assert hash(instance) == hash(parse(repr(instance), CLASSES))


@pytest.mark.parametrize("score", SCORES.values())
def test_a_class_may_be_given_by_name(score):
    classes = ("real", "Fake", "fake", "0")
    for target, index in (("real", 0), ("FAKE", 1), ("fake", 2), ("0", 3), (1, 1), (None, None)):
        assert resolve(score(target), classes) == score(index)
    for target in ("dog", 4):
        with pytest.raises(InputError, match=r"no such class among 4, give real \(0\), Fake \(1\)"):
            resolve(score(target), classes)
    with pytest.raises(InputError, match="only a model knows the names"):
        score("fake")(np.zeros(4, np.float32))
    with pytest.raises(InputError, match="target is 4: give a whole number, from 0 to 3"):
        score(4)(np.zeros(4, np.float32))
