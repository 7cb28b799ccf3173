"""No measure writes over what another, or the sweep itself, has written."""

from dataclasses import dataclass

import pytest

import salix
from salix.measures import Noise, Of, RelevanceMass
from salix.metrics import gini
from salix.typing import InputError


@dataclass(frozen=True)
class Named:
    """Writes one column."""

    name: str

    def __call__(self, explain, image, clean, key):
        """Measure."""
        return {self.name: clean.map.mean()}


@pytest.mark.parametrize(
    ("measures", "message"),
    [
        (
            [Noise(), Noise(levels=(0.1,))],
            "Noise and Noise both write the column 'salt_and_pepper_.*': give one another prefix=…",
        ),
        (
            [Named("salt_and_pepper_area"), Noise()],
            "Named and Noise both write the column 'salt_and_pepper_area': give one another prefix",
        ),
        (
            [RelevanceMass(), RelevanceMass()],
            "both write the column 'relevance_mass': measure one in another run",
        ),
        ([Of(gini), Of(gini)], "both write the column 'map_gini': give one another name=…"),
        ([Named("score")], "Named writes the column 'score', as every sweep does: rename it"),
        ([Named("id")], "Named writes the column 'id', as every sweep does"),
    ],
)
def test_two_that_write_one_column_are_refused_before_any_work(
    tiny, pictures, tmp_path, measures, message
):
    with pytest.raises(InputError, match=message):
        salix.sweep(*tiny, pictures, measures=measures, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_prefix_keeps_two_of_a_kind_apart(tiny, pictures, tmp_path):
    measures = [Named("a"), Named("b"), Noise(levels=(0.0,)), Noise(levels=(0.5,), prefix="other")]
    rows = salix.sweep(*tiny, pictures, measures=measures, out=tmp_path / "run").rows
    assert {"a", "b", "salt_and_pepper_area", "other_area"} <= set(rows)
    assert (rows["salt_and_pepper_area"] != rows["other_area"]).any()
