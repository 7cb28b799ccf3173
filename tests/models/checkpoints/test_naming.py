"""Layouts and names of published weights."""

import numpy as np

from salix.models.checkpoints import naming


def test_layouts() -> None:
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert naming.conv(array)[1, 2, 0, 1] == array[1, 0, 1, 2]
    assert naming.transposed(array)[1, 2, 0, 1] == array[0, 1, 4 - 1 - 1, 5 - 1 - 2]
    assert naming.dense(array[0, 0]).shape == (5, 4)


def test_conversion_keeps_unknown_arrays() -> None:
    table = {"k": ("net.weight", naming.conv), **naming.batch_norm("n", "net.1")}
    arrays = {
        "net.weight": np.zeros((1, 2)),
        "net.1.running_var": np.ones(3),
        "net.1.num_batches_tracked": np.array(7),
        "other": np.ones(2),
    }
    converted = naming.convert(table, arrays)
    assert {name: array.shape for name, array in converted.items()} == {
        "k": (1, 2),
        "n.var": (3,),
        "other": (2,),
    }
