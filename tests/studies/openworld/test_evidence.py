"""Similarity of maps against loops, and the shortcut audit of the benchmark."""

import numpy as np
import pytest

from salix.studies.openworld.cues import audit_families
from salix.studies.openworld.data import OpenWorldSetting, open_world_set
from salix.studies.openworld.evidence import map_similarity
from salix.studies.photographs import lfw_photographs


def test_similarity_is_the_mean_correlation_of_different_faces():
    rng = np.random.default_rng(0)
    maps = rng.random((9, 3, 4)).astype(np.float32)
    maps[4] = 0.5  # constant: not compared
    labels, faces = np.repeat([0, 1, 2], 3), np.tile([0, 1, 2], 3)
    result = map_similarity(maps, labels, faces)
    for a in range(3):
        for b in range(3):
            pairs = [
                np.corrcoef(maps[i].ravel(), maps[j].ravel())[0, 1]
                for i in np.flatnonzero(labels == a)
                for j in np.flatnonzero(labels == b)
                if faces[i] != faces[j] and 4 not in (i, j)
            ]
            assert result[a, b] == pytest.approx(np.mean(pairs), abs=1e-6)


@pytest.mark.slow
def test_only_traces_tell_the_families_apart(tmp_path):
    data = open_world_set(lfw_photographs("for this test"), OpenWorldSetting(), seed=0)
    cues = audit_families(data, tmp_path)
    assert len(cues) == 13
    alarms = {title for c in cues for title in c.areas}
    assert alarms <= {"All properties together", "Sharpness", "Contrast"}
    assert all(c.tested > 3 for c in cues)
