"""`salix audit`: properties that predict the labels without a face, and a detector on copies."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from salix.cli.data_options import DataOptions
from salix.cli.face_options import FaceOptions
from salix.cli.options import Classes, Data, Option
from salix.cli.preprocess_options import PreprocessOptions
from salix.cli.weight_options import WeightOptions
from salix.typing import InputError


@dataclass(frozen=True)
class AuditImages:
    """Test how well the labels are predicted by what needs no face: format, JPEG, size, pixels.

    Writes a page (audit.html), its numbers (audit.json) and the properties of each image
    (audit.parquet). With --boxes or --faces, the size of the faces is tested too, and pixels are
    theirs. With --model, the detector is also swept over copies of one JPEG coding and of one size.
    After a stop, the same command goes on.
    Example: salix audit real=photos fake=portraits --out audit --model meso4 --weights Meso4_DF.h5
    """

    data: tyro.conf.Positional[Data]
    out: Annotated[Path, Option(help="directory of the audit: a new one, or one to go on")]
    group_by: Annotated[
        str | None, Option(help="groups of dependent images, as --group-by of salix sweep")
    ] = None
    classes: Annotated[
        Classes, Option(help="names of the two classes, where folders are deep")
    ] = ()
    faces: Annotated[FaceOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=FaceOptions)
    table: Annotated[
        Path | None,
        Option(
            help="table with the column id or path and columns of numbers that are audited too, "
            "such as the boxes of faces: left, top, right, bottom"
        ),
    ] = None
    model: Annotated[
        str | None, Option(help="architecture of a detector, for example meso4 or xception")
    ] = None
    weights: Annotated[WeightOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=WeightOptions
    )
    preprocess: Annotated[PreprocessOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=PreprocessOptions
    )
    attribution: Annotated[str | None, Option(help="method of the maps; GradCAM() by default")] = (
        None
    )
    cut: Annotated[
        str | None, Option(help="place where CAM and GradCAM read features, for example layer3")
    ] = None
    quality: Annotated[
        int | None,
        Option(
            help="JPEG quality of the copies, 1 to 100; by default the 5th percentile of the "
            "images' own, within 20 to 90"
        ),
    ] = None
    side: Annotated[
        int | None,
        Option(
            help="pixels a side of the copies of one size; by default the 5th percentile of the "
            "short sides, within 32 to 512"
        ),
    ] = None
    batch_size: Annotated[int, Option(help="images in memory at once")] = 32
    workers: Annotated[int | None, Option(help="threads that decode images; one for each core")] = (
        None
    )
    seed: Annotated[int, Option(help="seed of exchanged labels and random methods")] = 0
    title: Annotated[str, Option(help="title of the page")] = "Shortcut audit"

    def run(self) -> int:
        """Audit the images, write the files and print the headline."""
        from salix import spec
        from salix.attribution import METHODS
        from salix.audit import audit_images, write_audit
        from salix.audit.sentences import headline, warnings
        from salix.models import load
        from salix.perturb.partition import PARTITIONS

        if self.model is None and (self.weights.path or self.attribution or self.cut):
            raise InputError("--weights, --attribution and --cut are of a --model: give it too")
        source = DataOptions(self.data, self.group_by, faces=self.faces).source()
        model = params = None
        if self.model is not None:
            model, params = load(self.model, self.weights.path, **self.weights.choice)
            model = model if self.cut is None else model.at(self.cut)
            model = replace(model, preprocess=self.preprocess.apply(model.preprocess))
            if self.weights.path is None:
                print(f"{self.model} has random weights: give --weights", file=sys.stderr)
        method = self.attribution and spec.parse(self.attribution, METHODS, PARTITIONS)
        audit = audit_images(
            source,
            out=self.out,
            model=model,
            params=params,
            classes=self.classes or None,
            table=self.table,
            attribution=method or None,
            quality=self.quality,
            side=self.side,
            batch_size=self.batch_size,
            workers=self.workers,
            seed=self.seed,
            name=self.model or "detector",
            progress=True,
        )
        page = write_audit(audit, self.out, title=self.title)
        for warning in warnings(audit):
            print(f"warning: {warning}", file=sys.stderr)
        print(headline(audit))
        counts = f"{sum(audit.screening.counts)} images, {audit.screening.tests} tests"
        print(f"{page}: {counts}, {len(audit.screening.alarms)} alarms")
        return 0
