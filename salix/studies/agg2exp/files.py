"""Files by which a study continues: the network, and the totals and qualities of each scan."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from salix.models import UNet3D
from salix.models.checkpoints.module_state import arrays, filled
from salix.progress import Progress
from salix.studies.agg2exp.aggregation import RegionTotals
from salix.studies.agg2exp.phantoms import CLASSES, PhantomSetting
from salix.studies.agg2exp.scans import Scan, write_nifti
from salix.studies.agg2exp.segmenter import Segmenter
from salix.studies.agg2exp.task import Task
from salix.studies.agg2exp.training import UNetSetting, train_network
from salix.studies.agg2exp.windows import SlidingWindows
from salix.studies.trial_files import read_arrays, read_json, write_arrays, write_json
from salix.typing import InputError, Method

VERSION = 2  # of the numbers: raised where they change
NETWORK = 1  # of the networks, in the same way


def trained_network(
    out: Path,
    phantoms: PhantomSetting,
    setting: UNetSetting,
    *,
    seed: int,
    log: Callable[[str], None],
) -> UNet3D:
    """Return the network of a study, trained unless its file is in `out`."""
    digest = _digest([NETWORK, asdict(phantoms), asdict(setting), seed])
    path = out / "networks" / f"{digest}.npz"
    if (known := read_arrays(path)) is not None:
        log(f"the network {path} is trained already")
        build = lambda rngs: UNet3D(1, len(CLASSES), setting.widths, rngs)  # noqa: E731
        return filled(build, known, path, "the U-Net of phantoms")
    with Progress("training", setting.steps, show=True, unit="steps") as progress:
        module = train_network(phantoms, setting, seed=seed, progress=progress.advance)
    write_arrays(path, arrays(nnx.state(module)))
    return module


class ScanFiles:
    """Totals and qualities of one scan by method, computed once.

    A file has the digest of the volume, the targets and regions, the parameters of the network, the
    windows and the method.
    """

    def __init__(
        self, out: Path, scan: Scan, segmenter: Segmenter, windows: SlidingWindows, task: Task
    ):
        self.folder, self.scan = out / "scans", scan
        parts = [scan.volume, task.regions, *jax.tree.leaves(segmenter.params)]
        setting = (VERSION, windows, task.target_of, len(task.names))
        digest = hashlib.sha256(repr(setting).encode())
        for part in parts:
            digest.update(np.ascontiguousarray(part).tobytes())
        self.digest = digest.hexdigest()[:12]

    def _path(self, name: str, method: Method, kind: str) -> Path:
        text = _digest([self.digest, name, repr(method)])
        return self.folder / f"{self.scan.name}-{text}.{kind}"

    def totals(
        self, name: str, method: Method, compute: Callable[[], RegionTotals]
    ) -> RegionTotals:
        """Return the totals of a method, from their file where there is one."""
        path = self._path(name, method, "npz")
        known = read_arrays(path)
        if known is None:
            known = asdict(compute())
            write_arrays(path, known)
        return RegionTotals(**known)

    def quality(
        self, name: str, method: Method, compute: Callable[[], Mapping[int, Any]]
    ) -> Mapping[int, Any]:
        """Return the qualities of a method by target, from their file where there is one."""
        path = self._path(name, method, "json")
        known = read_json(path)
        if known is None:
            known = {str(k): v for k, v in compute().items()}
            write_json(path, known)
        return {int(k): v for k, v in known.items()}

    def write_maps(self, maps: Mapping[str, np.ndarray], predicted: np.ndarray, of: str) -> None:
        """Write the prediction and maps as NIfTI files, where nibabel is installed.

        On the grid of the network's input, with the corner of the scan's affine matrix.
        """
        folder = self.folder.parent / "maps"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for name, array in {"prediction": predicted, **maps}.items():
                stem = self.scan.name + (f" {of} {name}" if name in maps else " prediction")
                stem = re.sub(r"[^\w.=]+", "-", stem).strip("-")
                write_nifti(folder / f"{stem}.nii.gz", array, self.scan.affine)
        except InputError:  # without the extra the page alone has the maps
            folder.rmdir()


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
