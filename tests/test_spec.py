"""Text of configured objects: the short form parses back to the same object."""

import pytest

from salix import spec
from salix.attribution import METHODS, GradCAM, Gradient, IntegratedGradients, SmoothGrad


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (GradCAM(), "GradCAM"),
        (IntegratedGradients(steps=64), "IntegratedGradients(steps=64)"),
        (IntegratedGradients(baseline=(0.5, 0.1)), "IntegratedGradients(baseline=(0.5, 0.1))"),
        (SmoothGrad(Gradient(), samples=4), "SmoothGrad(samples=4)"),
        (SmoothGrad(GradCAM(relu=False)), "SmoothGrad(method=GradCAM(relu=False))"),
    ],
)
def test_the_short_text_names_what_is_no_default_and_parses_back(method, text):
    assert spec.abbreviate(method) == text
    assert spec.parse(text, METHODS) == method


def test_other_objects_have_their_repr():
    assert spec.abbreviate("a") == "'a'"
    assert spec.abbreviate(Gradient) == repr(Gradient)
