"""`salix similar`: why two sentences or two faces are similar, or all pairs of many."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional

from salix.cli.options import Option
from salix.typing import InputError


@dataclass(frozen=True)
class ExplainSimilarity:
    """Attribute the similarity of sentences to pairs of their words, of faces to pairs of parts.

    Of two items prints the similarity, the terms of the identity and the strongest pairs. With
    --out, or of more items, writes a row for each of all pairs and a page with heat maps
    to a directory; an interrupted run continues where it was.

    Example: salix similar "The coffee is bad." "This is not a good coffee."
    Example: salix similar --file pairs.tsv --reference searched --out salix-similar
    Example: salix similar --train pairs.tsv --out encoder
    Example: salix similar --faces one.png two.png --face-parts "FaceParts(eyes=0.4,mouth=0.75)"
    """

    items: Annotated[
        Positional[tuple[str, ...]],
        Option(help="sentences, or files of images with --faces; two or more"),
    ] = ()
    file: Annotated[
        Path | None,
        Option(
            help="text file: an item a line, of which all pairs are explained; or two divided "
            "by a tab, which the page draws"
        ),
    ] = None
    encoder: Annotated[
        Path | None,
        Option(
            help="folder with config.json, model.safetensors and tokenizer.json of a BERT, RoBERTa "
            "or MPNet encoder; by default all-MiniLM-L6-v2, fetched at first use"
        ),
    ] = None
    faces: Annotated[
        bool, Option(help="items are images of upright, aligned faces, encoded by identity")
    ] = False
    face_parts: Annotated[
        str,
        Option(
            help="places of the parts of the faces: heights of eyes and mouth and distance of the "
            "pupils, as shares of the image; by default those of ArcFace"
        ),
    ] = "FaceParts"
    layer: Annotated[
        int, Option(help="layer to whose input the similarity is attributed; -2: the last but one")
    ] = -2
    steps: Annotated[int, Option(help="nodes of the path integral")] = 20
    rule: Annotated[
        str,
        Option(help="gauss_legendre, midpoint (better at layer 0), trapezoid or rectangle"),
    ] = "gauss_legendre"
    residual: Annotated[
        float | None, Option(help="double the steps until the error of each side is below this")
    ] = None
    reference: Annotated[
        str,
        Option(
            help="padding or mask for each word (padding of a face: an even image), zeros, or "
            "searched: of an embedding about 0"
        ),
    ] = "padding"
    shifted: Annotated[
        bool, Option(help="explain the similarity of embeddings less those of the references")
    ] = False
    dot: Annotated[bool, Option(help="explain the dot product, not the cosine")] = False
    classes: Annotated[
        bool,
        Option(
            help="with the shares of nouns, verbs and other parts of speech in the attributions, "
            "of English sentences; a tagger is fetched at first use"
        ),
    ] = False
    train: Annotated[
        Path | None,
        Option(
            help="instead of explaining, train the encoder so that its --shifted similarity is "
            "that of --encoder: text file of two similar sentences a line, divided by a tab; the "
            "trained encoder is written to --out"
        ),
    ] = None
    train_steps: Annotated[int, Option(help="steps of --train, of 8 pairs each")] = 200
    out: Annotated[
        Path | None, Option(help="directory of rows and page; of two sentences none by default")
    ] = None
    seed: Annotated[int, Option(help="seed of the controls on the page")] = 0

    def run(self) -> int:
        """Attribute the similarities."""
        from salix.studies.siamese.attribution import PairAttribution
        from salix.studies.siamese.pairs import load_encoder, similarity
        from salix.studies.siamese.run import describe_pair, read_pairs, run_similar

        if self.train is not None:
            return self._train(self.train)
        if bool(self.items) == (self.file is not None):
            raise InputError('give two items or more, "A dog." "A cat.", or --file pairs.tsv')
        method = PairAttribution(
            layer=self.layer,
            steps=self.steps,
            rule=self.rule,
            reference=self.reference,
            normalise=not self.dot,
            shifted=self.shifted,
            residual=self.residual,
        )
        names, pairs = (list(self.items), []) if self.file is None else read_pairs(self.file)
        if len(names) < 2:
            raise InputError(f"one item, {names[0]!r}, has no pair: give two or more")
        if self.face_parts != "FaceParts" and not self.faces:
            raise InputError(f"--face-parts {self.face_parts!r} is of images: add --faces")
        if self.classes and self.faces:
            raise InputError("--classes is of sentences: leave it out with --faces")
        encoder = self._faces() if self.faces else load_encoder(self.encoder)
        if self.out is None and len(names) == 2 and not self.classes:
            a, b = (encoder.integrate(method, name) for name in names)
            print("\n".join(describe_pair(similarity(method, a, b))))
            return 0
        page = run_similar(
            self.out or Path("salix-similar"),
            method,
            encoder,
            names,
            pairs=pairs,
            classes=self.classes,
            seed=self.seed,
        )
        print(page)
        return 0

    def _train(self, path: Path) -> int:
        from salix.data.assets import fetch
        from salix.models.text_encoder_files import check_new_folder, save_text_encoder
        from salix.studies.siamese.pairs import load_encoder
        from salix.studies.siamese.run import read_pairs
        from salix.studies.siamese.training import train_shifted

        if self.items or self.file or self.faces or self.out is None:
            raise InputError("--train goes with --out, a new folder, and without items to explain")
        check_new_folder(self.out)
        if self.train_steps < 1:
            raise InputError(f"--train-steps is {self.train_steps}: give at least 1")
        pairs = read_pairs(path)[1]
        encoder = load_encoder(self.encoder)
        trained = train_shifted(
            encoder, pairs, steps=self.train_steps, seed=self.seed, progress=True
        )
        save_text_encoder(trained.encoder, self.out, self.encoder or fetch("minilm"))
        print(f'{self.out}: salix similar --encoder {self.out} --shifted "A dog." "A cat."')
        return 0

    def _faces(self) -> Any:
        from salix import spec
        from salix.perturb.face_parts import FaceParts
        from salix.studies.siamese.faces import FaceEncoder

        if self.encoder is not None:
            raise InputError("--encoder is of sentences: leave it out with --faces")
        layout = spec.parse(self.face_parts, {"FaceParts": FaceParts})
        return replace(FaceEncoder.load(), layout=layout)
