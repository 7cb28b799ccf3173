"""Views of the weights of a language model, or of two: feed-forward concepts and word pairs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from salix.models.language_model import LanguageModel
from salix.studies.instruction.attention_pairs import (
    LAYERS,
    compare_words,
    layer_pairs,
    rising_share,
    word_counts,
)
from salix.studies.instruction.concepts import coherence, layer_concepts, subspace_overlap
from salix.studies.instruction.words import (
    INSTRUCTION_VERBS,
    Vocabulary,
    encoder_vectors,
    model_vocabulary,
    read_vectors,
    related_words,
    wordnet_verbs,
)
from salix.typing import InputError

SHOWN, SHOWN_WORDS = 3, 8  # components of a layer, and words of a component, in results
GROUP = 4  # layers of a group of feed-forward layers, as published


def word_vectors(vocabulary: Vocabulary, path: Path | None) -> np.ndarray:
    """Return vectors of the words, from a user's file or by the fetched sentence encoder."""
    if path is None:
        return encoder_vectors(vocabulary.words)
    return read_vectors(path, vocabulary.words)


def concept_view(
    models: Sequence[LanguageModel], *, vectors: Path | None, log: Callable[[str], None]
) -> Mapping[str, Any]:
    """Return the feed-forward concepts of one model or of two, layer by layer, as plain data.

    Of two models also the overlap of their first components, and by groups of four layers the
    p-value of Welch's t-test between their components' coherence.
    """
    vocabularies = [model_vocabulary(model) for model in models]
    _check_depths(models)
    layers, values = [], [[], []]
    known = word_vectors(vocabularies[0], vectors)
    same = all(v.words == vocabularies[0].words for v in vocabularies)
    for layer in range(models[0].decoder.config.depth):
        line: dict[str, Any] = {"layer": layer, "models": []}
        concepts = []
        for i, (model, vocabulary) in enumerate(zip(models, vocabularies, strict=True)):
            concept = layer_concepts(model.decoder, vocabulary, layer)
            near = coherence(concept, known) if same else np.full(1, np.nan)
            values[i].append(near)
            words = [
                [vocabulary.words[w] for w in concept.words[r, :SHOWN_WORDS]]
                for r in range(min(SHOWN, len(concept.words)))
            ]
            share = float(concept.shares[:10].sum())
            mean = float(near.mean()) if same else None
            line["models"].append({"share": share, "coherence": mean, "words": words})
            concepts.append(concept)
        if len(concepts) == 2 and concepts[0].directions.shape == concepts[1].directions.shape:
            line["overlap"] = subspace_overlap(*concepts)
        layers.append(line)
    log(f"{len(layers)} feed-forward layers")
    groups = []
    for start in range(0, len(layers), GROUP) if len(models) == 2 and same else ():
        a, b = (np.concatenate(v[start : start + GROUP]) for v in values)
        p = float(np.asarray(stats.ttest_ind(a, b, equal_var=False))[1])
        line = {"layers": [start, min(start + GROUP, len(layers))], "p": p}
        groups.append(line | {"means": [float(a.mean()), float(b.mean())]})
    return {"models": [m.name for m in models], "layers": layers, "groups": groups}


def attention_view(
    models: Sequence[LanguageModel], *, vectors: Path | None, log: Callable[[str], None]
) -> Mapping[str, Any]:
    """Return the word pairs of the heads of one model or of two, by layers, as plain data.

    Of one model the mean number of pairs in a head of instruction verbs and of other verbs; of two
    the mean share of heads in which a verb's number rises, with Welch's t-test, by eight layers.
    """
    _check_depths(models)
    vocabulary = model_vocabulary(models[0])
    if any(model_vocabulary(model).words != vocabulary.words for model in models):
        raise InputError("the models have different vocabularies: their word pairs do not compare")
    related = related_words(word_vectors(vocabulary, vectors))
    special = vocabulary.among(INSTRUCTION_VERBS)
    others = vocabulary.among(sorted(wordnet_verbs())) & ~special
    depth, size = models[0].decoder.config.depth, len(vocabulary.words)
    counts: list[list[np.ndarray]] = [[] for _ in models]
    layers = []
    for layer in range(depth):
        of_layer = []
        for i, model in enumerate(models):
            own = model_vocabulary(model)
            pairs = layer_pairs(model.decoder, own, related, layer)
            counts[i].append(word_counts(pairs, size))
            examples = [[vocabulary.words[w] for w in pair] for pair in _evenly(pairs[0])]
            of_layer.append({"pairs": sum(map(len, pairs)), "examples": examples})
        layers.append({"layer": layer, "models": of_layer})
        log(f"word pairs of layer {layer + 1} of {depth}")
    groups = []
    for start in range(0, depth, LAYERS):
        parts = [np.concatenate(c[start : start + LAYERS]) for c in counts]
        values = rising_share(*parts) if len(parts) == 2 else parts[0].mean(0)
        first, second, p = compare_words(values, special, others)
        numbers = [v if np.isfinite(v) else None for v in (first, second, p)]
        line = {"layers": [start, min(start + LAYERS, depth)]}
        line |= {"means": numbers[:2], "p": numbers[2]}
        groups.append(line)
    sizes = {"instruction verbs": int(special.sum()), "other verbs": int(others.sum())}
    return {"models": [m.name for m in models], "layers": layers, "groups": groups} | sizes


def _evenly(pairs: np.ndarray) -> np.ndarray:
    """Return a few pairs, from the most frequent words to rare ones."""
    return pairs[np.linspace(0, len(pairs) - 1, min(6, len(pairs))).astype(int)]


def _check_depths(models: Sequence[LanguageModel]) -> None:
    depths = {model.decoder.config.depth for model in models}
    if len(depths) > 1:
        raise InputError(f"the models have {sorted(depths)} layers: their layers do not compare")
