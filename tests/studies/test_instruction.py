"""Instruction tuning study: attributions, densities, views of weights, tables and the command."""

import json
import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import stats

from salix.cli import main
from salix.models import Decoder, DecoderConfig, LanguageModel
from salix.studies.instruction import matrices, run, states
from salix.studies.instruction.attention_pairs import head_pairs, rising_share
from salix.studies.instruction.attribution import AnswerAttribution
from salix.studies.instruction.concepts import coherence, layer_concepts, subspace_overlap
from salix.studies.instruction.densities import instruction_density, sparsify, word_density
from salix.studies.instruction.measure import condition_densities, measure_prompts
from salix.studies.instruction.prompts import InstructionPrompt, read_prompts, study_prompts
from salix.studies.instruction.states import LanguageState
from salix.studies.instruction.tables import density_rows
from salix.studies.instruction.tuning import TuningSetting, tune_models
from salix.studies.instruction.tuning_data import (
    draw_pairs,
    make_data,
    pack_pairs,
    shuffle_answers,
    shuffle_instructions,
    word_tokenizer,
)
from salix.studies.instruction.words import Vocabulary, read_vectors, related_words
from salix.typing import InputError

WORDS = ["the", "a", "write", "name", "poem", "list", "of", "cat", "dog", "sea", "end", "."]
WORDS += ["yes", "no", "it", "is"]


@pytest.fixture(scope="module")
def model():
    """A random model of 17 words, whose probabilities are far from equal."""
    config = DecoderConfig(
        vocabulary=17, width=8, depth=2, heads=2, groups=1, head_width=4, hidden=12, context=40
    )
    decoder = Decoder(config, rngs=nnx.Rngs(0))
    graph, params = nnx.split(decoder)
    params = jax.tree.map(lambda leaf: 8 * leaf if leaf.ndim > 2 else leaf, params)
    return LanguageModel(nnx.merge(graph, params), word_tokenizer(WORDS), "toy")


PROMPT, ANSWER = np.array([2, 4, 6, 9, 1]), np.array([7, 3, 8])


def token_by_token(model, steps=0):
    """Attributions by a gradient of its own for each token, on exactly its text."""
    decoder, values = model.decoder, []
    for m, target in enumerate(ANSWER):
        tokens = decoder.embed(np.array([*PROMPT, *ANSWER[:m]]))
        own = jnp.arange(len(tokens)) < len(PROMPT)

        def chance(tokens, target=target):
            return jax.nn.softmax(decoder.logits(decoder.read(tokens)[-1:]))[0, target]

        gradient = jax.jit(jax.grad(chance))  # not operation by operation, which is slow
        nodes = (np.arange(steps) + 0.5) / steps if steps else [1.0]
        gradients = [gradient(jnp.where(own[:, None], jnp.float32(t), 1) * tokens) for t in nodes]
        values.append((np.mean(gradients, 0) * tokens).sum(-1)[: len(PROMPT)])
    return np.stack(values, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "steps"), [("backward", 0), ("forward", 0), ("fewer", 2)])
def test_attributions_are_those_of_a_gradient_for_each_token(model, mode, steps):
    values, chances = AnswerAttribution(mode=mode, steps=steps)(model, PROMPT, ANSWER)
    single = token_by_token(model, steps)
    np.testing.assert_allclose(values, single, atol=1e-5 * np.abs(single).max())
    scores = jax.nn.softmax(model.decoder(np.array([*PROMPT, *ANSWER])))
    np.testing.assert_allclose(chances, [scores[4 + m, y] for m, y in enumerate(ANSWER)], rtol=1e-4)


@pytest.mark.slow
def test_integrated_gradients_sum_to_the_change_of_probability(model):
    decoder, errors = model.decoder, []
    texts = decoder.embed(np.array([*PROMPT, *ANSWER]))
    read = jax.jit(lambda tokens: decoder.logits(decoder.read(tokens)))
    without = read(texts.at[: len(PROMPT)].set(0))
    without = [jax.nn.softmax(without)[4 + m, y] for m, y in enumerate(ANSWER)]
    for steps in (16, 64):
        values, chances = AnswerAttribution(steps=steps)(model, PROMPT, ANSWER)
        errors.append(np.abs(values.sum(0) - (chances - np.array(without))).max())
    assert errors[1] < 0.02
    assert errors[1] < errors[0] / 2


def test_empty_or_long_texts_are_refused(model):
    for prompt, answer in ((PROMPT[:0], ANSWER), (PROMPT, ANSWER[:0])):
        with pytest.raises(InputError, match="nothing to attribute"):
            AnswerAttribution()(model, prompt, answer)
    with pytest.raises(InputError, match="39 tokens, and 3 are to be answered: toy reads 40"):
        AnswerAttribution()(model, np.zeros(39, int), ANSWER)


def test_densities_of_a_matrix_worked_by_hand():
    importance = np.array([[2.0, 1, 0], [1.0, -4, 0], [0.21, 0.75, -1]])
    levels = [[10, 10, 0], [5, 0, 0], [2, 8, 0]]  # 1.05 and 7.5 are rounded up
    np.testing.assert_array_equal(sparsify(importance, threshold=0), levels)
    sparse = sparsify(importance)
    np.testing.assert_array_equal(sparse, [[10, 10, 0], [0, 0, 0], [0, 8, 0]])
    # 20 / (2 * 10^4)^(1/4) = 2^(3/4) is the greatest, 8 / 8 = 1 is that of one output
    density = word_density(sparse)
    np.testing.assert_allclose(density, [1, 0, 2**-0.75], atol=1e-9)
    np.testing.assert_allclose(
        instruction_density(density, np.array([1, 2])), 2**-0.75 / 2, atol=1e-9
    )
    np.testing.assert_array_equal(word_density(np.zeros((2, 3), int)), [0, 0])
    with pytest.raises(InputError, match="the threshold is 10: expected 0 to 9"):
        sparsify(importance, threshold=10)
    with pytest.raises(InputError, match="no tokens"):
        instruction_density(density, np.array([], int))


def test_prompts_contain_their_instructions(tmp_path):
    prompts = study_prompts()
    assert len(set(prompts)) == len(prompts) == 64
    assert all(p.text[slice(*p.span())] == p.instruction for p in prompts)
    with pytest.raises(InputError, match="'Sing' is not in its prompt"):
        InstructionPrompt("Write a poem", "Sing", "").span()
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps([{"prompt": "Name it: cat", "instruction": "Name it"}]))
    assert read_prompts(file) == (InstructionPrompt("Name it: cat", "Name it", "Name it"),)
    for content, message in (("{}", "no list of objects"), ('[{"prompt": 1}]', "entry 0 lacks")):
        file.write_text(content)
        with pytest.raises(InputError, match=message):
            read_prompts(file)


@pytest.mark.slow
def test_prompts_are_measured_in_two_states_and_resumed(model, tmp_path, monkeypatch):
    prompts = [
        InstructionPrompt("write a poem of the sea", "write a poem", "write"),
        InstructionPrompt("cat : name it", "name it", "name"),
        InstructionPrompt("cat", "dog", "none"),
        InstructionPrompt("the " * 40, "the", "long"),
    ]
    halved = nnx.merge(model.split[0], jax.tree.map(lambda leaf: leaf * 0.7, model.split[1]))
    other = LanguageModel(halved, model.tokenizer, "other")
    pair = LanguageState("first", model, shortest=3), LanguageState("second", other, shortest=3)
    measure = partial(
        measure_prompts, tmp_path, prompts, pair, attribution=AnswerAttribution(), tokens=6
    )
    rows = measure(log=lambda line: None)
    assert [text for text, _ in rows.skipped] == ["cat", "the " * 40]
    assert rows.conditions == ("first", "second", "first, answer of second")
    arrays = rows.arrays[0]
    np.testing.assert_array_equal(arrays["0 instruction"], [0, 1, 2])
    np.testing.assert_array_equal(arrays["2 columns"], arrays["1 columns"])
    importance = arrays["1 importance"]
    levels = sparsify(importance)
    expected = instruction_density(word_density(levels), np.arange(3))
    assert condition_densities(rows, 1)[0] == expected
    table = {(r.condition, r.scope, r.threshold): r.mean.value for r in density_rows(rows)}
    shift = table["second", "text", 7] - table["first", "text", 7]
    assert table["second − first", "text", 7] == pytest.approx(shift)

    def refuse(*_):
        raise InputError("measured again")

    monkeypatch.setattr(states, "_attribute", refuse)
    again = measure(log=lambda line: None)
    assert len(again.prompts) == 2
    np.testing.assert_array_equal(again.arrays[1]["0 importance"], rows.arrays[1]["0 importance"])


def test_concepts_are_singular_vectors(model):
    rng = np.random.default_rng(0)
    table = rng.standard_normal((60, 8)).astype(np.float32)
    words = Vocabulary(tuple(map(str, range(60))), table, table)
    concepts = layer_concepts(model.decoder, words, 1, components=3)
    matrix = np.asarray(model.decoder.weights(1)["down"], np.float64)
    _, s, v = np.linalg.svd(matrix - matrix.mean(0))
    np.testing.assert_allclose(concepts.shares, (s**2 / (s**2).sum())[:3], rtol=1e-6)
    np.testing.assert_allclose(np.abs((concepts.directions * v[:3]).sum(1)), 1, rtol=1e-6)
    scores = np.abs(v[:3] @ (table / np.linalg.norm(table, axis=1)[:, None]).T)
    np.testing.assert_array_equal(concepts.words, np.argsort(-scores, 1)[:, :50])
    assert subspace_overlap(concepts, concepts, top=3) == pytest.approx(1)
    # The mean over pairs of different words, of the first two and of all
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    cosines = unit @ unit.T
    everywhere = cosines[np.triu_indices(60, 1)].mean()
    first = [cosines[a, b] - everywhere for a, b in concepts.words[:, :2]]
    np.testing.assert_allclose(coherence(concepts, table, top=2), first, atol=1e-6)


def test_word_pairs_are_those_of_loops():
    rng = np.random.default_rng(0)
    queries, keys = rng.standard_normal((2, 20, 6))
    related = rng.random((20, 20)) < 0.5
    counts = np.zeros((20, 20), int)
    for n in range(6):
        first, second = (np.argsort(-np.abs(x[:, n]))[:9] for x in (queries, keys))
        for a in first:
            for b in second:
                counts[a, b] += queries[a, n] * keys[b, n] > 0 and related[a, b]
    pairs = head_pairs(queries, keys, related, top=9)
    np.testing.assert_array_equal(pairs, np.argwhere(counts > 1))
    before, after = np.array([[1, 0, 2], [3, 0, 2]]), np.array([[2, 0, 1], [4, 0, 3]])
    np.testing.assert_array_equal(rising_share(before, after), [1, np.nan, 0.5])


def test_related_words_are_far_above_the_mean_of_both(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, 30)).astype(np.float32)
    vectors[1], vectors[5] = vectors[0] + 0.1 * vectors[1], 0
    related = related_words(vectors)
    assert related[0, 1]
    assert related[1, 0]
    assert not related.diagonal().any()
    assert not related[5].any()
    file = tmp_path / "glove.txt"
    file.write_text("cat 1 2\nsea 3 4\nmoon 5 6\n")
    np.testing.assert_array_equal(
        read_vectors(file, ["sea", "dog", "cat"]), [[3, 4], [0, 0], [1, 2]]
    )
    for text, message in (("moon 1\n", "none of the words"), ("cat 1\nsea 1 2\n", "several sizes")):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            read_vectors(file, ["cat", "sea"])


class Command:
    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


def release(folder, values):
    """Write a release of one prompt of each set, with these levels before and after."""
    for place in (matrices.PROMPTS, matrices.RATINGS):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
    names = ["user_task_0", "user_task_1", "user_task_2", "user_task_3", "lima_author_1"]
    lines = [f"{name}\tx\ty\tWrite it.|||of cats&&&material" for name in names]
    (folder / matrices.PROMPTS).write_text(
        "\n".join(["ID\tPrompt\tResponse\tInstruct&Context", *lines])
    )
    head = "File\tModel\tPrompt\tReference\tInstruct\tResponse\tRating"
    lines = [f"{n}.pkl\tvicuna_7B\tx\ty\tz\tr\t{r}" for n, r in zip(names, "14310", strict=False)]
    (folder / matrices.RATINGS).write_text("\n".join([head, *lines]))
    tokens = ["\u2581Write", "\u2581it", ".", "\u2581all", "<0x0A>", "of", "\u2581cats"]
    for model, levels in zip(matrices.MODELS, values, strict=True):
        place = folder / f"{matrices.MATRICES}{model}"
        place.mkdir(parents=True)
        for i, name in enumerate(names):
            record = {"Explain": np.roll(levels, i, 0), "Input": tokens, "Output": list("abcde")}
            (place / f"{name}.pkl").write_bytes(pickle.dumps(record))
    return folder


def test_published_tables_of_matrices_made_by_hand(tmp_path):
    rng = np.random.default_rng(0)
    before, after = rng.integers(0, 10, (2, 7, 5))
    before[0, 0] = after[0, 0] = 10
    folder = release(tmp_path, (before, after))
    bad = folder / f"{matrices.MATRICES}vicuna_7b"
    (bad / "lima_author_1.pkl").write_bytes(pickle.dumps({"Explain": Command()}))
    lines, skipped = matrices.table_lines(folder)
    assert [name for name, _ in skipped] == ["vicuna_7b/lima_author_1"]

    def density(levels, i, threshold):
        rows = np.roll(levels, i, 0)
        a = word_density(np.where(rows > threshold, rows, 0))
        return a[[0, 1, 2, 5, 6]].sum() / np.log2(7)

    assert sum(np.isfinite(line.p) for line in lines) >= 6
    for line in lines:
        if line.subset == "Self-Instruct":
            old, new = (
                [density(levels, i, line.threshold) for i in range(4)] for levels in (before, after)
            )
            groups = (old, new) if line.table == "2" else ([new[0], new[3]], [new[1], new[2]])
            assert line.first.value == pytest.approx(np.mean(groups[0]))
            assert line.second.value == pytest.approx(np.mean(groups[1]))
            if np.isfinite(line.p):
                p = stats.ttest_ind(*groups, equal_var=False, alternative="less")[1]
                assert line.p == pytest.approx(p)
            known = line.published == {"1": (0.8917, 1.2283), "2": (0.9394, 1.1302)}[line.table]
            assert known == (line.threshold == 7)
    (folder / f"{matrices.MATRICES}llama_7b").rename(folder / "moved")
    with pytest.raises(InputError, match=r"lacks results/attribution_interpret/ifa_llama_7b"):
        matrices.table_lines(folder)


NOUNS = [
    f"0000{i:04d} {kind} n 01 {noun} 0 001 @ 00001740 n 0000 | a {noun} of the house; \"x\"  "
    for i, (noun, kind) in enumerate(
        [("cat", "05"), ("dog", "05"), ("spoon", "06"), ("king", "18"), ("rose", "20")]
        + [(f"thing{c}", "06") for c in "abc"] + [("house", "06"), ("hen", "05")]
    )
]  # fmt: skip


def test_pairs_and_their_controls_have_the_same_texts():
    data = make_data(NOUNS)
    assert dict(data.nouns)["rose"] == "plant"
    assert data.texts[0] == "cat : a cat of the house ."
    assert not set(data.tested) & set(data.trained)
    rng = np.random.default_rng(0)
    pairs = draw_pairs(data.trained, 30, rng)
    assert all(pair.prompt.span() for pair in pairs)
    answers = shuffle_answers(pairs, rng)
    assert sorted(p.answer for p in answers) == sorted(p.answer for p in pairs)
    drawn = shuffle_instructions(pairs, rng)
    assert [p.answer for p in drawn] == [p.answer for p in pairs]
    assert any(
        p.prompt.instruction != q.prompt.instruction for p, q in zip(pairs, drawn, strict=True)
    )
    ids, mask = pack_pairs(pairs[:1], data.tokenizer)
    assert data.tokenizer.decode(ids[0][mask[0]]) == pairs[0].answer


@pytest.mark.slow
def test_seeds_are_tuned_at_once_as_alone():
    data, setting = make_data(NOUNS), TuningSetting(width=8, depth=1, heads=2, hidden=8)
    setting = TuningSetting(width=8, depth=1, heads=2, hidden=8, text_steps=3, tuning_steps=30)
    lines: list[str] = []
    two = tune_models(data, setting, seeds=2, log=lines.append)
    one = tune_models(data, setting, seeds=1, log=lambda line: None)
    ids = np.array([3, 5, 7])
    for state in ("before", "tuned"):
        np.testing.assert_allclose(
            two.model(state, 0).decoder(ids), one.model(state, 0).decoder(ids), atol=1e-3
        )
    losses = [float(line.rpartition(" ")[2]) for line in lines if line.startswith("t")]
    assert losses[1] < losses[0]


def test_options_that_make_no_sense_are_refused(tmp_path):
    for study, message in (
        (run.InstructionStudy(views=("heads",)), "--views heads: choose among answers"),
        (run.InstructionStudy(tokens=0), "at least 1"),
        (run.InstructionStudy(views=()), "nothing to run"),
        (run.InstructionStudy(model="none.gguf"), "none.gguf: no such file"),
    ):
        with pytest.raises(InputError, match=message):
            run.run_instruction(tmp_path, study)


@pytest.mark.slow
def test_the_command_writes_the_page(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "load_language_model", lambda path: model)
    file = tmp_path / "prompts.json"
    entries = [{"prompt": f"write a poem of the {n}", "instruction": "write a poem", "group": n}
               for n in ("sea", "cat", "dog")]  # fmt: skip
    file.write_text(json.dumps(entries))
    folder = release(tmp_path / "released", np.full((2, 7, 5), 10))
    arguments = ["--prompts", str(file), "--tokens", "8", "--matrices", str(folder)]
    arguments += ["--model", "a.gguf", "--compare", "b.gguf", "--out", str(tmp_path / "out")]
    assert main(["study", "instruction", *arguments]) == 0
    assert "second − first" in capsys.readouterr().out
    page = (tmp_path / "out" / "instruction.html").read_text()
    assert "No difference in instruction density is shown" in page
    assert "0.9394 / 1.1302" in page
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["answers"]["prompts"] == 3
    assert len(results["matrices"]["lines"]) == 30
