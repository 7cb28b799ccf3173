"""Shifts between small language models before and after tuning, beside three controls."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from salix.models.checkpoints.module_state import abstract
from salix.models.decoder import Decoder
from salix.stats import mean_interval
from salix.studies.instruction.attribution import AnswerAttribution
from salix.studies.instruction.concepts import layer_concepts, subspace_overlap
from salix.studies.instruction.densities import THRESHOLD
from salix.studies.instruction.measure import PromptRows, condition_densities
from salix.studies.instruction.prompts import InstructionPrompt
from salix.studies.instruction.states import LanguageState, PromptTrial, measure_prompt
from salix.studies.instruction.tables import plain_interval
from salix.studies.instruction.tuning import (
    CONDITIONS,
    TunedModels,
    TuningSetting,
    answer_loss,
    tune_models,
)
from salix.studies.instruction.tuning_data import (
    FIXED,
    TuningData,
    TuningPair,
    draw_pairs,
    pack_texts,
    tuning_data,
)
from salix.studies.instruction.words import Vocabulary
from salix.studies.trial_files import (
    methods_digest,
    read_arrays,
    read_json,
    write_arrays,
    write_json,
)

VERSION = 1  # of numbers: raised where they change
PROMPTS, TOKENS, SHORTEST, TEXTS = 40, 14, 4, 200


def run_tuning(
    out: Path, setting: TuningSetting, *, seeds: int, log: Callable[[str], None]
) -> Mapping[str, Any]:
    """Return what shifts by tuning, means with intervals over seeds, as plain data.

    Networks and measurements that are in `out` already are not computed again.
    """
    data = tuning_data()
    digest = methods_digest(VERSION, {"setting": setting, "seeds": seeds})
    folder = out / "tuning" / digest
    tuned = read_models(folder, data, setting)
    if tuned is None:
        tuned = tune_models(data, setting, seeds=seeds, log=log)
        for name, params in tuned.params.items():
            leaves = jax.tree.leaves(params)
            arrays = {str(i): np.asarray(leaf) for i, leaf in enumerate(leaves)}
            write_arrays(folder / f"{name}.npz", arrays)
    records = []
    for seed in range(seeds):
        path = folder / f"seed-{seed}.json"
        if (record := read_json(path)) is None:
            record = measure_seed(tuned, data, seed)
            write_json(path, record)
            log(f"measured seed {seed + 1} of {seeds}")
        records.append(record)
    numbers = {
        condition: {
            name: plain_interval(mean_interval([r[condition][name] for r in records]))
            for name in records[0][condition]
        }
        for condition in CONDITIONS
    }
    return {"setting": asdict(setting), "seeds": seeds, "numbers": numbers, "records": records}


def read_models(folder: Path, data: TuningData, setting: TuningSetting) -> TunedModels | None:
    """Return the models of a folder, None where one is missing."""
    config = setting.config(data.tokenizer.fast.get_vocab_size())
    graph, state = nnx.split(abstract(lambda rngs: Decoder(config, rngs=rngs)))
    structure = jax.tree.structure(state)
    params = {}
    for name in ("before", *CONDITIONS):
        arrays = read_arrays(folder / f"{name}.npz")
        if arrays is None or len(arrays) != structure.num_leaves:
            return None
        leaves = [jnp.asarray(arrays[str(i)]) for i in range(len(arrays))]
        params[name] = jax.tree.unflatten(structure, leaves)
    return TunedModels(graph, params, data.tokenizer)


def measure_seed(tuned: TunedModels, data: TuningData, seed: int) -> dict[str, dict[str, float]]:
    """Return the numbers of a seed after tuning in each condition, and their shifts from before.

    Prompts have nouns that no training pair has. `density` and `density shift` are of the
    instruction; `same answer` is the shift with the answer after tuning in both; `right` the share
    of answers word for word, `right form` without nouns and kinds; `text loss` in nats a token;
    `overlap` of the first ten feed-forward directions before and after, the mean over layers.
    """
    pairs = draw_pairs(data.tested, PROMPTS, np.random.default_rng((seed, 99)))
    texts = pack_texts(data.texts[:TEXTS], data.tokenizer)
    before = LanguageState("before", tuned.model("before", seed), shortest=SHORTEST)
    numbers = {}
    for condition in CONDITIONS:
        after = LanguageState(condition, tuned.model(condition, seed), shortest=SHORTEST)
        rows = _rows(pairs, (before, after))
        densities = [condition_densities(rows, i, threshold=THRESHOLD) for i in range(3)]
        all_levels = [condition_densities(rows, i, threshold=0) for i in range(3)]
        losses = [_text_loss(state, texts) for state in (before, after)]
        numbers[condition] = {
            "density before": float(densities[0].mean()),
            "density": float(densities[1].mean()),
            "density shift": float((densities[1] - densities[0]).mean()),
            "density shift, same answer": float((densities[1] - densities[2]).mean()),
            "density shift, threshold 0": float((all_levels[1] - all_levels[0]).mean()),
            "right": float(np.mean([_is_right(after, pair) for pair in pairs])),
            "right form": float(np.mean([_is_right(after, pair, form=True) for pair in pairs])),
            "text loss shift": losses[1] - losses[0],
            "overlap": _overlap(before.model.decoder, after.model.decoder),
        }
    return numbers


def _rows(pairs: list[TuningPair], states: tuple[LanguageState, LanguageState]) -> PromptRows:
    prompts: tuple[InstructionPrompt, ...] = tuple(pair.prompt for pair in pairs)
    attribution = AnswerAttribution()
    arrays = [
        measure_prompt(
            PromptTrial(prompt=p, states=("", ""), attribution=attribution, tokens=TOKENS), states
        )
        for p in prompts
    ]
    return PromptRows((states[0].name, states[1].name), prompts, tuple(arrays), ())


def _is_right(state: LanguageState, pair: TuningPair, *, form: bool = False) -> bool:
    """Return whether an answer is the pair's, with `form` in the words that no noun decides."""
    tokenizer = state.model.tokenizer
    ids = state.model.answer(tokenizer(pair.prompt.text).ids, tokens=TOKENS)
    words = [tokenizer.decode(ids).split(), pair.answer.split()[:-1]]  # without the full stop
    if form:
        words = [[w if w in FIXED else "" for w in answer] for answer in words]
    return words[0] == words[1]


def _text_loss(state: LanguageState, texts: Any) -> float:
    graph, params = state.model.split
    return float(_loss(graph, params, *texts))


_loss = jax.jit(
    lambda graph, params, ids, mask: answer_loss(nnx.merge(graph, params), ids, mask),
    static_argnums=0,
)


def _overlap(before: Decoder, after: Decoder) -> float:
    layers = range(before.config.depth)
    table = np.asarray(before.words[...])
    words = Vocabulary(tuple(map(str, range(len(table)))), table, table)
    pairs = [[layer_concepts(d, words, layer) for d in (before, after)] for layer in layers]
    return float(np.mean([subspace_overlap(*pair) for pair in pairs]))
