"""Resumable training of one or several seeds, with validation and history."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from salix.data import Source
from salix.measurement import Callback
from salix.model import Model
from salix.preprocess import Preprocess
from salix.profiler import Profiler
from salix.progress import Progress
from salix.store import digest, open_run
from salix.store.claim import Claim
from salix.train.check import check_data, check_seeds
from salix.train.examples import TrainingImages, gather, warn
from salix.train.exchange import in_first, is_first
from salix.train.history import Record
from salix.train.manifest import about_training, configuration
from salix.train.network import Network
from salix.train.processes import check_batch_size, check_same_configuration, lost_processes
from salix.train.program import TrainingProgram
from salix.train.recipe import Recipe
from salix.train.reference_masks import uses_reference_masks
from salix.train.sampler import split_validation
from salix.train.streamed import Streamed
from salix.train.trainer import Trainer
from salix.typing import Params

MEMORY = 2 << 30  # bytes of decoded images in memory
SMALL = 2_000_000  # weights of a network whose seeds an accelerator trains together


@dataclass(frozen=True)
class Trained:
    """The result of one seed: parameters of its best epoch (`params`) and of its last.

    `model` accepts either. The best epoch, counted from 0, has the highest validation accuracy,
    the later of equals; without validation it is the last. `history` has a record of each epoch.
    """

    seed: int
    model: Model
    params: Params
    last_params: Params
    best_epoch: int
    history: tuple[Record, ...]


@lost_processes()
def train(
    build: Callable[[int], nnx.Module],
    data: Source | TrainingImages,
    recipe: Recipe,
    *,
    preprocess: Preprocess,
    seeds: Sequence[int] = (0,),
    validation: Source | TrainingImages | None = None,
    out: Path | str | None = None,
    classes: Sequence[str] = ("real", "fake"),
    name: str = "model",
    together: bool | None = None,
    memory: int = MEMORY,
    workers: int | None = None,
    title: str | None = None,
    progress: bool = False,
    log: Callable[[str], None] | None = None,
    callback: Callback | None = None,
    profile: Path | str | None = None,
) -> list[Trained]:
    """Train the module `build(seed)` for each seed; call it again to resume after a stop.

    The seed also decides the order of images and their augmentation. With `together` the seeds
    are one program, stacked; None does so on accelerators for several seeds of a small network
    (on the CPU, convolutions with separate weights for each seed are several times slower). With
    `out`, each seed (or all, together) has a directory there with a manifest, checkpoints, and
    the history as one Parquet part for each epoch. Data of at most `memory` bytes are decoded
    once. Over the processes of `jax.distributed` each loads its part of every batch; process 0
    alone writes and prints. `progress` shows a bar under `title`; `log` receives a line for each
    epoch, `callback` a `salix.callbacks.Measurement` for each epoch and about every ten seconds.
    `profile` is the folder of a trace of the steps 2 to 6.

    Raises `InputError` before any work for data of one class, missing reference masks that the
    loss needs, or an `out` of another configuration; and for a loss that is not finite, with its
    step and the ids of its batch.
    """
    seeds, classes = check_seeds(seeds), tuple(classes)
    check_batch_size(recipe.batch_size)
    log = log if log and is_first() else lambda text: None
    examples = gather(data, preprocess, classes=classes, memory=memory, workers=workers)
    validation_examples = None
    if validation is not None:
        validation_examples = gather(
            validation, preprocess, classes=classes, memory=memory, workers=workers
        )
    elif recipe.validation:
        parts = split_validation(examples.labels, examples.ids, recipe.validation)
        examples, validation_examples = (examples.subset(indices) for indices in parts)
    needs_reference_masks = uses_reference_masks(recipe.loss)
    check_data(
        examples,
        validation_examples,
        recipe=recipe,
        classes=classes,
        needs_reference_masks=needs_reference_masks,
    )
    network, first = Network.split(build(seeds[0]))
    if together is None:
        small = sum(leaf.size for leaf in jax.tree.leaves(first.params)) <= SMALL
        together = jax.default_backend() != "cpu" and len(seeds) > 1 and small
    count = len(examples.labels)
    rule = recipe.transformation(count)
    program = TrainingProgram(network, recipe, preprocess, rule, together, needs_reference_masks)
    groups = [seeds] if together else [(seed,) for seed in seeds]
    results: list[Trained] = []
    steps = recipe.batches(count) * recipe.epochs
    bar = Progress(
        title or name,
        steps * len(groups),
        show=progress and is_first(),
        unit="steps",
        callback=callback if is_first() else None,
    )
    with bar, Profiler(profile) as profiler:
        for group in groups:
            weights = [Network.split(build(seed))[1] for seed in group]
            path, owner = None, ""
            if out is not None:
                path = Path(out) / f"seed{'s' * together}-{'-'.join(map(str, group))}"
                config = configuration(
                    program,
                    weights=weights,
                    examples=examples,
                    validation=validation_examples,
                    seeds=group,
                    name=name,
                    classes=classes,
                )
                check_same_configuration(config)
                about = about_training(title or name)
                in_first(partial(open_run, path, config, about))
                owner = digest(config)
            with ExitStack() as stack:
                if path is not None:
                    in_first(partial(_claim, stack, path))
                trainer = Trainer(
                    program,
                    examples=examples,
                    validation=validation_examples,
                    seeds=group,
                    classes=classes,
                    path=path,
                    owner=owner,
                    bar=bar,
                    log=log,
                    profiler=profiler,
                )
                result = trainer.run(weights)
            about_model: dict[str, Any] = {
                "preprocess": preprocess,
                "classes": classes,
                "name": name,
            }
            for index, seed in enumerate(group):
                best, last = (
                    jax.tree.map(lambda a, i=index: a[i], w) if together else w
                    for w in (result.best, result.last)
                )
                model, params = network.model(best, **about_model)
                history = tuple(r for r in result.history if r["seed"] == seed)
                last_params = network.model(last, **about_model)[1]
                epoch = result.best_epochs[index]
                results.append(Trained(seed, model, params, last_params, epoch, history))
    for part in (examples, validation_examples):
        if isinstance(part, Streamed):
            warn(part.unread, part.black)
    return results


def _claim(stack: ExitStack, path: Path) -> None:
    """Claim a directory for the one training that writes to it, until the stack is closed."""
    stack.enter_context(Claim(path))
