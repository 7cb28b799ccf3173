"""Sweeps and report of the detectors that the guidance study trained.

    python benchmarks guidance_sweeps --portraits DIR --models DIR

Sweeps the detectors of `python -m salix.studies.guidance` (5 seeds of each loss) over its 2,018
test faces with the measures of a preset and the agreement with forgery masks, writes the report,
and records images per second of the sweeps.
"""

import argparse
import json
import time
from pathlib import Path

from salix import report
from salix.attribution import GradCAM
from salix.engine import sweep
from salix.measures import Agreement, RelevanceMass
from salix.measures.presets import PRESETS
from salix.models import load
from salix.studies.guidance.data import study_faces

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--portraits", type=Path, required=True, help="generated portraits")
    parser.add_argument("--models", type=Path, required=True, help="folder of LOSS-SEED weights")
    parser.add_argument(
        "--out", type=Path, default=Path("guidance-sweeps"), help="runs and report.html"
    )
    parser.add_argument("--losses", nargs="+", default=["cross-entropy", "cyborg"])
    parser.add_argument("--preset", choices=list(PRESETS), default="standard")
    parser.add_argument("--network", default="cifar_resnet8")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "guidance-sweeps.json")
    options = parser.parse_args()
    faces = study_faces(options.portraits).source()
    measures = (*PRESETS[options.preset], RelevanceMass(), Agreement())
    runs, result = [], {}
    for loss in options.losses:
        for weights in sorted(options.models.glob(f"{loss}-*.safetensors")):
            name = weights.stem
            model, params = load(options.network, weights)
            out = options.out / "runs" / name
            options_of_run = {
                "name": name,
                "group": loss,
                "progress": True,
                "batch_size": 64,
                "thumbs": 20,
            }
            run = sweep(model, params, faces, GradCAM(), measures, out=out, **options_of_run)
            about = run.manifest["about"]
            result[name] = {k: about[k] for k in about if "second" in k or "flops" in k}
            runs.append(run)
    started = time.perf_counter()
    page = report.write(
        runs,
        options.out / "report.html",
        title="What detectors of generated faces look at",
        region="forged region",
        in_set=("celeba", "forged", "dcgan"),
    )
    summary = {"images": len(faces.ids), "measures": [repr(m) for m in measures]}
    summary |= {"report_s": time.perf_counter() - started, "report_bytes": page.stat().st_size}
    options.results.write_text(json.dumps(summary | {"sweeps": result}, indent=1) + "\n")
    print(f"{page}: {len(runs)} runs")


if __name__ == "__main__":
    main()
