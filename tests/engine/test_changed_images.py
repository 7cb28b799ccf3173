"""Images that changed under their ids: refused by name; runs without the list of inputs resume."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from salix import from_function
from salix.attribution import Gradient
from salix.engine import sweep
from salix.preprocess import Preprocess
from salix.store import inputs
from salix.store.inputs import changed_images, write_inputs
from salix.typing import InputError


def folder(path, changed=()):
    path.mkdir(exist_ok=True)
    for i in range(8):
        value = 9 if i in changed else 100 + i
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path / f"{i}.png")
    return path


def compute(path, out):
    model, params = from_function(
        lambda w, x: x.mean((0, 1)) @ w,
        np.eye(3, 2, dtype=np.float32),
        preprocess=Preprocess((8, 8)),
    )
    return sweep(model, params, str(path), Gradient(), out=out)


@pytest.mark.slow
def test_changed_images_are_named(tmp_path):
    run = compute(folder(tmp_path / "data"), tmp_path / "run")
    stored = pa.ipc.open_file(pa.OSFile(str(run.path / inputs.NAME))).read_all()
    assert stored["id"].to_pylist() == [f"{i}.png" for i in range(8)]
    folder(tmp_path / "data", changed=(2, 5))
    with pytest.raises(InputError, match=r"images differs.*since the run began: '2.png', '5.png'$"):
        compute(tmp_path / "data", tmp_path / "run")
    (run.path / inputs.NAME).unlink()  # a run of before
    with pytest.raises(InputError, match=r"content of the images differs\): use a new --out$"):
        compute(tmp_path / "data", tmp_path / "run")
    assert not (run.path / inputs.NAME).exists()
    folder(tmp_path / "data")
    assert compute(tmp_path / "data", tmp_path / "run").complete
    assert (run.path / inputs.NAME).exists()


def test_lists_of_inputs_are_compared_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "ROWS", 3)
    ids = [f"n{i}" for i in range(8)]
    digests = bytes(range(64))
    write_inputs(tmp_path, ids, b"")
    assert changed_images(tmp_path, ids, digests) == ""
    write_inputs(tmp_path, ids, digests)
    assert changed_images(tmp_path, ids, digests) == ""
    other = bytes(64)
    text = "changed since the run began: 'n0', 'n1', 'n2', 'n3', 'n4' and 3 more"
    assert changed_images(tmp_path, ids, other) == text
    assert changed_images(tmp_path, ids[::-1], other) == ""
    (tmp_path / inputs.NAME).write_bytes(b"ARROW1")
    assert changed_images(tmp_path, ids, other) == ""
