"""What the README's examples need: a folder to write to."""

import pytest


@pytest.fixture(autouse=True)
def _folder_for_examples(doctest_namespace, tmp_path):
    doctest_namespace["folder"] = tmp_path
