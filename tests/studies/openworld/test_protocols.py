"""Protocols of OW-DFA: counts of the paper, and images drawn from folders."""

import numpy as np
import pytest
from PIL import Image

from salix.studies.openworld.protocol_files import ProtocolSetting, protocol_files, read_protocol
from salix.studies.openworld.protocols import PROTOCOLS, ProtocolClass
from salix.typing import InputError

CLASSES = (
    ProtocolClass("A", "swap", "identity swap", 10, 5),
    ProtocolClass("B", "swap", "identity swap", 10, 5),
    ProtocolClass("A", "gan", "whole-face synthesis", 0, 5),
)


@pytest.mark.parametrize(
    ("protocol", "known", "novel", "labelled", "unlabelled"),
    [(1, 8, 12, 12_000, 22_000), (2, 9, 13, 27_000, 32_000)],
)
def test_counts_are_those_of_the_paper(protocol, known, novel, labelled, unlabelled):
    classes = PROTOCOLS[protocol]
    assert sum(c.known for c in classes) == known
    assert sum(not c.known for c in classes) == novel
    assert sum(c.labelled for c in classes) == labelled
    assert sum(c.unlabelled for c in classes) == unlabelled
    assert len({c.name for c in classes}) == known + novel
    assert [c.known for c in classes] == [True] * known + [False] * novel
    assert sum(c.method == "StyleGAN2" for c in classes) == 2


def test_images_are_drawn_from_folders_by_seed(tmp_path):
    for c in CLASSES:
        folder = tmp_path / c.source / c.method / "deep"
        folder.mkdir(parents=True)
        for i in range(18):
            Image.new("RGB", (12, 10), (i, 2 * i, 3 * i)).save(folder / f"{i:02d}.png")
    files = protocol_files(tmp_path, CLASSES, seed=1)
    assert np.bincount(files.labels).tolist() == [15, 15, 5]
    assert len(set(files.paths)) == 35
    for path, label in zip(files.paths, files.labels.tolist(), strict=True):
        assert path.parts[-4:-2] == (CLASSES[label].source, CLASSES[label].method)
    assert np.bincount(files.labels[files.test]).tolist() == [3, 3, 1]  # of 10 and of 5
    assert np.bincount(files.labels[files.labelled]).tolist() == [8, 8]
    assert not (files.labelled & files.test).any()
    assert files.known.tolist() == [True] * 30 + [False] * 5
    again, other = (protocol_files(tmp_path, CLASSES, seed=s) for s in (1, 2))
    assert again.paths == files.paths
    assert again.digest == files.digest != other.digest
    data = read_protocol(files, 16)
    assert data.names == ("A/swap", "B/swap", "A/gan")
    assert data.x.shape == (35, 16, 16, 3)
    shade = int(files.paths[4].stem)
    assert data.x[4].reshape(-1, 3).tolist() == [[shade, 2 * shade, 3 * shade]] * 256
    files.paths[4].write_text("text")
    with pytest.raises(InputError, match=r"\.png cannot be read.*replace or delete"):
        read_protocol(files, 16)


def test_all_that_is_missing_is_listed(tmp_path):
    (tmp_path / "A" / "gan").mkdir(parents=True)
    for i in range(5):
        Image.new("L", (4, 4)).save(tmp_path / "A" / "gan" / f"{i}.png")
    with pytest.raises(InputError, match="lacks images of 2 of 3 classes") as error:
        protocol_files(tmp_path, CLASSES)
    assert "A/swap: 0 of 15 images" in str(error.value)
    assert "B/swap: 0 of 15 images" in str(error.value)
    assert "A/gan" not in str(error.value)
    with pytest.raises(InputError, match="no protocol 3"):
        ProtocolSetting(3)
