"""Study of detectors whose training files differ in their coding by class.

    python -m salix.studies.coding --portraits DIR --out DIR

The faces of the guidance study (photographs of CelebA, forgeries of them, a DCGAN, portraits by
Stable Diffusion 3, an autoencoder of Olivetti), all of 64 x 64 pixels, become files in two codings:
"own", as collections are published, with photographs as JPEG of quality 75 and fakes as PNG; and
"one", every image as JPEG of a quality drawn alike for both classes. Detectors of three
architectures are trained on either. Each is swept over the test faces in five codings and over
short videos of them; the training files are audited, and so is the first detector of each kind. Run
it again to resume after a stop.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from salix import report
from salix.attribution import Gradient
from salix.audit import audit_images, write_audit
from salix.audit.page import as_data
from salix.data import Folder, Grouped, Joined, open_source
from salix.engine import sweep
from salix.measures import Regions
from salix.perturb.face_parts import FaceParts
from salix.scores import logit
from salix.store import Run
from salix.studies.coding.files import CLASSES, TEST, TRAINING, write_images, write_videos
from salix.studies.coding.results import (
    areas,
    of_videos,
    part_shares,
    print_summary,
    summary,
)
from salix.studies.guidance.data import SIDE, StudyFaces, study_faces
from salix.train import Recipe, TrainingImages, train
from salix.train.augment import Augment
from salix.train.initialise import initialiser
from salix.train.loop import Trained
from salix.train.losses import CrossEntropy
from salix.train.recipe import AdamW

NETWORKS = ("small", "cifar_resnet8", "mobilenet_v3_small")
FAKE = CLASSES.index("fake")
PARTS = FaceParts(eyes=0.436, mouth=0.729, distance=0.325)  # of the box of CelebA's faces
PHOTOGRAPHS = r"/(?:celeba|forged)/(\d{6})"  # a photograph and its forgery are one group
VIDEOS = 40  # of each of these sets, a fourth of a minute to write
FILMED = ("celeba", "forged", "dcgan")


@dataclass(frozen=True)
class CodingStudy:
    """Train detectors on two codings of the same faces, sweep, audit, and write the results.

    `portraits` is a folder of portraits of 256 pixels by Stable Diffusion 3.
    """

    portraits: Path
    out: Path
    results: Path = Path("benchmarks/results/coding-study.json")
    seeds: int = 2
    epochs: int = 12

    def run(self) -> dict[str, Any]:
        """Run or resume the study; returns the results."""
        training = {coding: self.training_files(coding) for coding in TRAINING}
        audits = {coding: self.audit(coding, source) for coding, (source, _) in training.items()}
        detectors = [
            self.detector(network, coding, trained)
            for coding, (images, validation) in training.items()
            for network in NETWORKS
            for trained in self.train(network, coding, images, validation)
        ]
        values = self.about() | {
            "training_audits": audits,
            "summary": summary(detectors),
            "detectors": detectors,
        }
        self.results.parent.mkdir(parents=True, exist_ok=True)
        self.results.write_text(json.dumps(values, indent=1) + "\n")
        runs = [Run(self.out / "runs" / detector["name"]) for detector in detectors]
        page = report.write(runs, self.out / "report.html", title="The face, or the file?")
        print_summary(values["summary"], TEST)
        self.log(f"{self.results}; open {page}")
        return values

    @cached_property
    def faces(self) -> StudyFaces:
        """The faces of the study, 8-bit [n 64 64 3]."""
        return study_faces(self.portraits)

    def training_files(self, coding: str) -> tuple[Folder, Folder]:
        """Write the training and validation images in a coding."""
        parts = {"train": self.faces.train, "validation": self.faces.validation}
        return tuple(  # pyright: ignore[reportReturnType]
            write_images(
                self.out / "files" / f"{coding}-{name}",
                TRAINING[coding],
                part.pixels,
                (part.labels == FAKE).tolist(),
                part.ids,
            )
            for name, part in parts.items()
        )

    @cached_property
    def test(self) -> Joined:
        """The test faces in each coding, whose ids begin with it."""
        sources, (pixels, fake, ids) = {}, self._test_faces()
        for name, coding in TEST.items():
            folder = self.out / "files" / f"test-{name.replace(' ', '-')}"
            sources[name] = write_images(folder, coding, pixels, fake, ids)
        return Joined(sources)

    def _test_faces(self) -> tuple[np.ndarray, list[bool], list[str]]:
        sets = self.faces.test
        pixels = np.concatenate([faces.pixels for faces in sets.values()])
        fake = [faces.fake for faces in sets.values() for _ in faces.keys]
        return pixels, fake, [f"{n}/{key}" for n, faces in sets.items() for key in faces.keys]

    @cached_property
    def videos(self) -> Any:
        """Frames of short videos of the first test faces of some sets."""
        sets = {name: self.faces.test[name] for name in FILMED}
        folder = write_videos(
            self.out / "files" / "videos",
            np.concatenate([faces.pixels[:VIDEOS] for faces in sets.values()]),
            [faces.fake for faces in sets.values() for _ in faces.keys[:VIDEOS]],
            [f"{name}/{key}" for name, faces in sets.items() for key in faces.keys[:VIDEOS]],
        )
        return open_source([f"videos:{folder}"], frames="8")

    def audit(self, coding: str, source: Folder) -> dict[str, Any]:
        """Audit training files, and return the properties that predict the class."""
        out = self.out / "audits" / f"{coding}-train"
        audit = audit_images(source, out=out, classes=CLASSES)
        write_audit(audit, out, title=f"Training files, {coding} coding")
        data = as_data(audit, coding)
        return {name: data[name] for name in ("headline", "alarms", "images", "properties")}

    def train(
        self, network: str, coding: str, images: Folder, validation: Folder
    ) -> Iterator[Trained]:
        """Train the detectors of one kind."""
        build, about = initialiser(network, classes=CLASSES)
        # The faces as they are: networks of photographs would cut the centre of an enlarged image.
        about["preprocess"] = replace(
            about["preprocess"], size=(SIDE, SIDE), fit="stretch", resize=None
        )
        yield from train(
            build,
            images,
            Recipe(
                CrossEntropy(),
                AdamW(3e-3),
                self.epochs,
                batch_size=32,
                augment=Augment(flip=0.5),
                balance=True,
            ),
            seeds=range(1, self.seeds + 1),
            validation=validation,
            out=self.out / "training" / f"{network}-{coding}",
            title=f"{network}, {coding} coding",
            log=self.log,
            **about,
        )

    def detector(self, network: str, coding: str, trained: Trained) -> dict[str, Any]:
        """Sweep one detector over faces and videos, audit the first seed; returns results."""
        name = f"{network}-{coding}-{trained.seed}"
        run = self.sweep(Grouped(self.test, PHOTOGRAPHS), trained, "runs", name)
        filmed = self.sweep(self.videos, trained, "video-runs", name)
        result = {"name": name, "network": network, "coding": coding, "seed": trained.seed}
        result |= {"auc": areas(run), "parts": part_shares(run), "video": of_videos(filmed)}
        if trained.seed == 1:
            out = self.out / "audits" / name
            files = Folder(self.out / "files" / f"{coding}-validation")
            audit = audit_images(
                files, out=out, model=trained.model, params=trained.last_params, name=name
            )
            write_audit(audit, out, title=f"{network}, {coding} coding")
            result["audit"] = as_data(audit, name)["detector"]
        return result

    def sweep(self, source: Any, trained: Trained, folder: str, name: str) -> Run:
        """Explain the logit of the class fake of every image."""
        self.log(f"sweeping {name}, {len(source.ids)} images")
        return sweep(
            trained.model,
            trained.last_params,
            source,
            Gradient(),
            [Regions(PARTS, occlusion=False, embeddings=(), side=8)],
            out=self.out / folder / name,
            score=logit(FAKE),
            batch_size=64,
            name=name,
            group=name.rpartition("-")[0],
            thumbs=20,
        )

    def about(self) -> dict[str, Any]:
        """Return the configuration, the number of images, versions and device."""
        device = jax.devices()[0]
        counts = {name: len(faces.keys) for name, faces in self.faces.test.items()}

        def by_class(part: TrainingImages) -> list[int]:
            return np.bincount(part.labels).tolist()

        return {
            "versions": {p: version(p) for p in ("jax", "flax", "pillow", "numpy")},
            "device": f"{device.device_kind} ({device.platform})",
            "networks": NETWORKS,
            "epochs": self.epochs,
            "weights": "of the last epoch",
            "images": {
                "train": by_class(self.faces.train),
                "validation": by_class(self.faces.validation),
                "test": counts,
            },
            "codings": {"training": list(TRAINING), "test": list(TEST)},
            "maps": "Gradient() of the logit of the class fake",
            "intervals": "95 %, over photographs: one and its forgery are a cluster",
            "summary_is": "mean AUC of forgeries and DCGAN faces against photographs, over seeds",
            "part_areas": _part_areas(),
        }

    def log(self, line: str) -> None:
        """Print a line to the standard error."""
        print(line, file=sys.stderr, flush=True)


def _part_areas() -> dict[str, float]:
    labels = PARTS(None)[0]
    return {part: round(float((labels == i).mean()), 4) for i, part in enumerate(PARTS.parts, 1)}
