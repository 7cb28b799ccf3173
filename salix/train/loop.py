"""The training loop: seeds in turn or together, validated, written down, and taken up again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from salix.data import Source
from salix.model import Model
from salix.preprocess import Preprocess
from salix.progress import Progress
from salix.store import digest, open_run
from salix.train.about import about_training, configuration
from salix.train.check import check_data, check_seeds
from salix.train.examples import Examples, Streamed, gather, warn
from salix.train.history import Record
from salix.train.network import Network, Weights
from salix.train.program import Program
from salix.train.recipe import Recipe
from salix.train.reference_masks import uses_reference_masks
from salix.train.sampling import split
from salix.train.trainer import Track
from salix.typing import Params

MEMORY = 2 << 30  # bytes of decoded images that are kept
SMALL = 2_000_000  # weights of a network whose seeds an accelerator trains together


@dataclass(frozen=True)
class Trained:
    """What one seed came to: the weights of its best epoch, and of its last.

    `model` takes either. The best epoch, counted from 0, is the one of the highest validation
    accuracy, the later one of equals; without validation it is the last. `history` holds the
    numbers of each epoch.
    """

    seed: int
    model: Model
    params: Params
    last: Params
    epoch: int
    history: tuple[Record, ...]


def train(
    build: Callable[[int], nnx.Module],
    data: Source | Examples,
    recipe: Recipe,
    *,
    preprocess: Preprocess,
    seeds: Sequence[int] = (0,),
    validation: Source | Examples | None = None,
    out: Path | str | None = None,
    classes: Sequence[str] = ("real", "fake"),
    name: str = "model",
    together: bool | None = None,
    memory: int = MEMORY,
    workers: int | None = None,
    title: str | None = None,
    progress: bool = False,
    tell: Callable[[str], None] | None = None,
) -> list[Trained]:
    """Train the module that `build` makes of each seed; run it again to go on after a stop.

    Seed k builds by k and shuffles and augments by k. With `together` the seeds are one program,
    stacked; None does so on accelerators where there are several seeds of a small network (on the
    CPU, convolutions with weights of their own for each seed are several times slower). `out`
    then holds a directory for each seed (or for all, together): a manifest, checkpoints, and the
    history as a Parquet part for each epoch. Data of at most `memory` bytes are decoded once.
    `progress` shows a bar under `title`, `tell` gets a line for each epoch.

    Raises `InputError` before any work for data of one class, reference masks that the loss needs and does
    not get, or an `out` of another configuration; and on a loss that is not finite, with its step
    and the ids of its batch.
    """
    seeds, classes = check_seeds(seeds), tuple(classes)
    examples = gather(data, preprocess, classes, memory, workers)
    if validation is not None:
        held = gather(validation, preprocess, classes, memory, workers)
    elif recipe.validation:
        kept, out_of = split(examples.labels, examples.ids, recipe.validation)
        examples, held = examples.at(kept), examples.at(out_of)
    else:
        held = None
    guided = uses_reference_masks(recipe.loss)
    check_data(examples, held, recipe, classes, guided)
    network, first = Network.of(build(seeds[0]))
    together = _together(first, seeds) if together is None else together
    count = len(examples.labels)
    rule = recipe.transformation(count)
    program = Program(network, recipe, preprocess, rule, together, guided)
    groups = [seeds] if together else [(seed,) for seed in seeds]
    finished: list[Trained] = []
    steps = recipe.batches(count) * recipe.epochs
    with Progress(title or name, steps * len(groups), show=progress, unit="steps") as bar:
        for of in groups:
            weights = [Network.of(build(seed))[1] for seed in of]
            path, owner = None, ""
            if out is not None:
                path = Path(out) / f"seed{'s' * together}-{'-'.join(map(str, of))}"
                config = configuration(program, weights, examples, held, of, name, classes)
                open_run(path, config, about_training(title or name))
                owner = digest(config)
            track = Track(program, examples, held, of, classes, path, owner)
            run = track.run(weights, bar, tell or (lambda text: None))
            about: dict[str, Any] = {"preprocess": preprocess, "classes": classes, "name": name}
            for at, seed in enumerate(of):
                best, last = (_of_seed(w, at, together) for w in (run.best, run.last))
                model, params = network.model(best, **about)
                history = tuple(r for r in run.history if r["seed"] == seed)
                last = network.model(last, **about)[1]
                finished.append(Trained(seed, model, params, last, run.epochs[at], history))
    for of in (examples, held):
        if isinstance(of, Streamed):
            warn(of.unread, of.black)
    return finished


def _of_seed(weights: Weights, at: int, together: bool) -> Weights:
    return jax.tree.map(lambda a: a[at], weights) if together else weights


def _together(weights: Weights, seeds: tuple[int, ...]) -> bool:
    size = sum(leaf.size for leaf in jax.tree.leaves(weights.params))
    return jax.default_backend() != "cpu" and len(seeds) > 1 and size <= SMALL
