"""Pairs of sentences: a small encoder against brute force, padding, words, and the command."""

import html
import json
import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp
from scipy import stats

from salix.cli import main
from salix.models import TextEncoder, TextEncoderConfig, Tokenizer
from salix.report import write
from salix.report.sections import pairs
from salix.store import Run
from salix.studies.siamese import PairAttribution, attribute
from salix.studies.siamese.attribution import IntegratedSide
from salix.studies.siamese.controls import run_controls
from salix.studies.siamese.items import Item
from salix.studies.siamese.pairs import similarity
from salix.studies.siamese.problem import SimilarityProblem, stack_items
from salix.studies.siamese.run import class_shares, read_pairs, run_similar
from salix.studies.siamese.sentences import SentenceEncoder
from salix.typing import InputError

CONFIG = TextEncoderConfig(
    width=8, depth=2, heads=2, hidden=12, vocabulary=40, positions=32, epsilon=1e-3
)


class WordPieces:
    """Stands for a tokenizer of Hugging Face: long words are two pieces; 1 and 2 are special."""

    def encode(self, text):
        tokens, words, offsets = ["[CLS]"], [None], [(0, 0)]
        for number, word in enumerate(re.finditer(r"\S+", text)):
            cuts = [0, 3, len(word[0])] if len(word[0]) > 3 else [0, len(word[0])]
            tokens += [word[0][a:b] if a == 0 else f"##{word[0][a:b]}" for a, b in pairwise(cuts)]
            offsets += [(word.start() + a, word.start() + b) for a, b in pairwise(cuts)]
            words += [number] * (len(cuts) - 1)
        ids = [4 + sum(i * ord(c) for i, c in enumerate(t, 1)) % 36 for t in tokens[1:]]
        return SimpleNamespace(
            ids=[1, *ids, 2],
            tokens=[*tokens, "[SEP]"],
            word_ids=[*words, None],
            special_tokens_mask=[1, *[0] * len(ids), 1],
            offsets=[*offsets, (0, 0)],
        )

    def to_str(self):
        return "word pieces"


def in_doubles(module):
    def widen(leaf):
        values = jnp.asarray(np.asarray(leaf, np.float64))
        return 3 * values if leaf.ndim == 2 else values  # attention that depends on its input

    nnx.update(module, jax.tree.map(widen, nnx.state(module)))
    return module


@pytest.fixture(scope="module")
def encoder():
    with jax.enable_x64():
        module = in_doubles(TextEncoder(CONFIG, rngs=nnx.Rngs(0)))
        return SentenceEncoder(module, Tokenizer(WordPieces(), 0, 32, 3), "small")


@pytest.fixture
def doubles():
    # Flax's normalisation promotes its own types in float64.
    with jax.enable_x64(), jax.numpy_dtype_promotion("standard"):
        yield


pytestmark = pytest.mark.usefixtures("doubles")
A, B = "a cat sat on the mat", "dogs run in parks"


@pytest.mark.slow
def test_token_matrices_equal_those_of_full_jacobians(encoder):
    method = PairAttribution(layer=1, steps=5, normalise=False)
    pair = similarity(method, encoder.integrate(method, A), encoder.integrate(method, B))

    def brute_force(text):
        tokens = encoder.tokenizer(text)
        mask = np.ones((1, len(tokens.ids)), bool)
        others = np.where(tokens.special, tokens.ids, 0)
        x, r = (encoder.encoder.layer(i[None], mask, 1)[0] for i in (tokens.ids, others))
        nodes, weights = np.polynomial.legendre.leggauss(5)
        jacobian = jax.jit(jax.jacrev(lambda h: encoder.encoder.embed(h[None], mask, 1)[0]))
        mean = sum(w / 2 * jacobian(r + (t + 1) / 2 * (x - r)) for t, w in zip(nodes, weights))  # noqa: B905
        return jnp.einsum("dnw,nw->nd", mean, x - r)

    np.testing.assert_allclose(pair.tokens, brute_force(A) @ brute_force(B).T, atol=1e-12)
    assert pair.a.word_names == ("[CLS]", *A.split(), "[SEP]")
    assert pair.b.words.tolist() == [0, 1, 1, 2, 3, 4, 4, 5]  # do|gs, run, in, pa|rks
    np.testing.assert_allclose(pair.words[:, 1], pair.tokens[:, 1:3].sum(1))
    np.testing.assert_allclose(pair.words.sum(), pair.tokens.sum())
    word_a, word_b, value = pair.strongest(1)[0]
    assert abs(value) == np.abs(pair.words).max()
    assert pair.words[pair.a.word_names.index(word_a), pair.b.word_names.index(word_b)] == value


FAMILIES = {
    "roberta": {"offset": 2, "types": 1},
    "mpnet": {"offset": 2, "types": 0, "relative": True},
}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_satisfy_the_identity_on_padding(family, encoder):
    module = in_doubles(TextEncoder(replace(CONFIG, **FAMILIES[family]), rngs=nnx.Rngs(1)))
    other = replace(encoder, encoder=module)
    tokens = encoder.tokenizer(A), encoder.tokenizer(B)
    method = PairAttribution(layer=1, steps=4)
    sides = [other.sums(method, t, length=16) for t in tokens]
    # One product of the full Jacobian a node, without padding
    for side, t in zip(sides, tokens, strict=True):
        mask = np.ones((1, len(t.ids)), bool)
        x, r = (module.layer(i[None], mask, 1)[0] for i in (t.ids, np.where(t.special, t.ids, 0)))
        nodes, weights = np.polynomial.legendre.leggauss(4)
        jacobian = jax.jit(jax.jacrev(lambda h, m=mask: module.embed(h[None], m, 1)[0]))
        mean = sum(w / 2 * jacobian(r + (n + 1) / 2 * (x - r)) for n, w in zip(nodes, weights))  # noqa: B905
        np.testing.assert_allclose(side.sums, jnp.einsum("dnw,nw->nd", mean, x - r), atol=1e-11)
    a, b = (np.asarray(module(t.ids[None], np.ones((1, len(t.ids)), bool))[0]) for t in tokens)
    for normalise, norm in ((False, 1.0), (True, np.linalg.norm(a) * np.linalg.norm(b))):
        chosen = replace(method, normalise=normalise)
        forward, backward = chosen.combine(*sides), chosen.combine(*sides[::-1])
        assert float(forward.score) == pytest.approx(a @ b / norm, abs=1e-12)
        np.testing.assert_allclose(
            forward.matrix, sides[0].sums @ sides[1].sums.T / norm, atol=1e-12
        )
        np.testing.assert_allclose(forward.matrix, backward.matrix.T, atol=1e-12)
        total = forward.score - forward.a_reference - forward.reference_b + forward.references
        assert abs(forward.matrix.sum() - total - forward.residual) < 1e-12


@pytest.mark.slow
def test_padding_has_no_influence(encoder):
    method, tokens = PairAttribution(layer=1, steps=4), encoder.tokenizer(B)
    exact, padded = (encoder.sums(method, tokens, length=n) for n in (len(tokens.ids), 29))
    for name in ("embedding", "reference", "sums", "residual"):
        np.testing.assert_allclose(getattr(exact, name), getattr(padded, name), atol=1e-14)


@pytest.mark.slow
def test_the_residual_is_below_a_millionth_with_enough_steps(encoder):
    method = PairAttribution(layer=1, steps=32, residual=1e-8)
    pair = attribute(A, B, encoder=encoder, method=method)
    assert abs(float(pair.scores.residual)) < 1e-8
    shifted = replace(method, shifted=True)
    pair = attribute(A, B, encoder=encoder, method=shifted)  # in the same program
    assert abs(pair.tokens.sum() - float(pair.scores.score)) < 1e-7


@pytest.mark.slow
def test_a_searched_reference_makes_the_sum_the_score(encoder):
    method = PairAttribution(layer=1, steps=24, reference="searched")
    row = attribute(A, B, encoder=encoder, method=method).row()
    assert max(abs(row[n]) for n in ("a_reference", "reference_b", "references")) < 0.05
    assert row["sum"] == pytest.approx(row["score"], abs=0.1)
    others = {r: encoder.integrate(replace(method, reference=r), A).side for r in ("zeros", "mask")}
    assert not np.allclose(others["zeros"].reference, others["mask"].reference)


def check_section(run, path, strongest):
    """The section of the report against the rows, and against the strongest drawn pair."""
    report = write([run], path, sections=(pairs.build,)).read_text()
    data = json.loads(path.with_suffix(".json").read_text())["pairs"][0]
    rows = run.read()
    different = np.array([a != b for a, b in zip(rows["a"], rows["b"], strict=True)])
    assert (data["items"], data["pairs"]) == (4, 12)
    for name in ("score", "references", "pairs_50"):
        assert data["means"][name]["value"] == pytest.approx(rows[name][different].mean())
    of_items = [
        rows["score"][different & (rows["a"] == a)].mean() for a in dict.fromkeys(rows["a"])
    ]
    half = stats.t.ppf(0.975, 3) * np.std(of_items, ddof=1) / 2  # of four clusters of one size
    assert data["means"]["score"]["low"] == pytest.approx(np.mean(of_items) - half)
    a, b, value = strongest["strongest"][0]
    assert f"{a}, {b}: {value:+.4f}" in html.unescape(report)
    (run.path / "drawn_pairs.json").write_text('{"pairs": [{"matrix": [[1]], "rows": []}]}')
    assert 'class="heat"' not in write([run], path, sections=(pairs.build,)).read_text()


@pytest.mark.slow
def test_rows_of_all_pairs_equal_those_of_single_pairs_and_continue(encoder, tmp_path, capsys):
    method, names = PairAttribution(layer=1, steps=6), (A, B, "the cat", "a mat")
    page = run_similar(tmp_path, method, encoder, names)
    rows = Run(tmp_path / "pairs").read()
    assert len(rows["score"]) == 16
    sides = [encoder.integrate(method, name) for name in names]
    for index in (1, 6, 11):
        single = similarity(method, sides[index // 4], sides[index % 4]).row()
        assert (rows["a"][index], rows["b"][index]) == (single["a"], single["b"])
        for name in ("score", "a_reference", "references", "sum", "residual"):
            np.testing.assert_allclose(rows[name][index], single[name], atol=1e-6)
        for share in (50, 80, 95):
            assert rows[f"pairs_{share}"][index] == single[f"pairs_{share}"]
    results = json.loads((tmp_path / "results.json").read_text())
    assert [c["name"] for c in results["controls"]][-1] == "shuffled matrix"
    text = page.read_text()
    assert "[CLS], cat: " in text or "the, cat: " in text
    check_section(Run(tmp_path / "pairs"), tmp_path / "report.html", results["pairs"][0])
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "items").iterdir()}
    assert run_similar(tmp_path, method, encoder, names).read_text() == text
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "items").iterdir()} == files
    assert len(files) == 4
    capsys.readouterr()


def test_shares_of_classes_are_those_of_absolute_attributions():
    rng, method = np.random.default_rng(0), PairAttribution(normalise=False)
    items = []
    for name, words in (("a", [0, 1, 1, 2]), ("b", [0, 1])):
        names, sums = tuple(map(str, range(max(words) + 1))), rng.standard_normal((len(words), 3))
        side = IntegratedSide(*rng.standard_normal((2, 3)), sums, np.float64(0), 1)
        items.append(Item(name, names, np.array(words), names, side))
    classes = {"a": np.array([5, 0, 1]), "b": np.array([0, 0])}
    problem = SimilarityProblem(method, classes=True)
    row = problem.row(stack_items(items, classes), jnp.array([0, 1]), jax.random.key(0))
    sizes = np.abs(similarity(method, *items).words)
    expected = np.zeros(6)
    for i, j in np.ndindex(sizes.shape):
        expected[classes["a"][i]] += sizes[i, j] / 2 / sizes.sum()
        expected[classes["b"][j]] += sizes[i, j] / 2 / sizes.sum()
    values = [row[c.name] for c in problem.columns if c.name.startswith("share_")]
    np.testing.assert_allclose(values, expected, atol=1e-12)
    rows = {n: np.array([0.0, 0.25]) for n in row} | {
        "a": np.array(["a", "a"]),
        "b": np.array(["a", "b"]),
    }
    shares = class_shares(rows, classes)
    assert [s["share"] for s in shares] == [0.25] * 6
    np.testing.assert_allclose([s["words"] for s in shares], [2 / 3, 1 / 6, 0, 0, 0, 1 / 6])


@pytest.mark.slow
def test_shuffled_words_change_nothing_without_positions(encoder):
    module = nnx.clone(encoder.encoder)
    module.positions.set_value(0 * module.positions[...])
    unordered = replace(encoder, encoder=module)
    method = PairAttribution(layer=1, steps=2)
    shuffled, drawn, permuted = run_controls(method, unordered, [(A, B)])
    assert shuffled.mean == pytest.approx(1, abs=1e-9)
    assert max(drawn.mean, permuted.mean) < 0.9
    assert np.isnan(permuted.score)
    assert run_controls(method, encoder, [(A, B)])[0].mean < 0.999


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n", "has fewer than two items"),
        ("a\tb\tc\n", "line 1: .* is not one item, nor two divided by a tab"),
        ("a\tb\nc\t\n", "line 2"),
    ],
)
def test_unusable_files_are_refused(tmp_path, text, message):
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_pairs(tmp_path / "a.tsv")
    with pytest.raises(InputError, match="cannot be read"):
        read_pairs(tmp_path / "none.tsv")


def test_unusable_settings_of_an_encoder_are_refused(encoder, tmp_path):
    with pytest.raises(InputError, match="layer is 4: the encoder has layers 0 to 2, or -2 to -1"):
        attribute(A, B, encoder=encoder, method=PairAttribution(layer=4))
    with pytest.raises(InputError, match="has no words"):
        attribute(" ", B, encoder=encoder)
    with pytest.raises(InputError, match=r"items are .* give two that differ"):
        run_similar(tmp_path, PairAttribution(), encoder, [A, A])
    with pytest.raises(InputError, match=r"1 of 2 items can be used: .*the text ' ' has no words"):
        run_similar(tmp_path, PairAttribution(layer=1, steps=2), encoder, [A, " "])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file: give --out a directory"):
        run_similar(tmp_path / "file", PairAttribution(), encoder, [A, B])
    with pytest.raises(InputError, match=r"is no folder: give one with config\.json"):
        SentenceEncoder.load(tmp_path / "file")


@pytest.mark.slow
def test_pairs_of_an_unusable_item_are_skipped_with_its_reason(encoder, tmp_path, caplog):
    method, names = PairAttribution(layer=1, steps=2), (A, "word " * 40, B, "\ud800 a")
    page = run_similar(tmp_path, method, encoder, names, pairs=[(A, B), (B, names[1])])
    assert "skipped 'word word" in caplog.text
    run = Run(tmp_path / "pairs")
    rows = run.read()
    assert list(zip(rows["a"], rows["b"], strict=True)) == [(A, A), (A, B), (B, A), (B, B)]
    assert len(run.skipped) == 12
    reasons = {row["skipped"] for row in run.skipped}
    assert any("has 82 tokens, the encoder reads 32" in reason for reason in reasons)
    assert any("is no character: give UTF-8" in reason for reason in reasons)
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(p["a"], p["b"]) for p in results["pairs"]] == [(A, B)]
    assert [row["name"] for row in results["skipped"]] == [names[1], r"\ud800 a"]
    text = page.read_text()
    assert "has 82 tokens" in text
    means = [float(rows["score"][i]) for i in (1, 2)]
    assert f"{np.mean(means):.3f}".replace("-", "−") in text


def test_files_of_texts_may_have_marks_and_breaks(tmp_path):
    (tmp_path / "a.tsv").write_bytes("\ufeffa\tb\r\nc\u2028d\r\n".encode())
    assert read_pairs(tmp_path / "a.tsv") == (["a", "b", "c\u2028d"], [("a", "b")])


def test_the_command_refuses_what_it_cannot_use(tmp_path, capsys):
    for arguments, message in [
        ([], "give two items or more"),
        (["A dog."], "one item, 'A dog.', has no pair"),
        (["a", "b", "--file", "c"], "give two items or more"),
        (["a", "b", "--encoder", str(tmp_path)], "config.json: no such file"),
        (["a", "b", "--rule", "simpson"], "choose one of midpoint"),
        (["a", "b", "--faces", "--encoder", "c"], "--encoder is of sentences"),
        (["a", "b", "--face-parts", "FaceParts(eyes=0.3)"], "is of images: add --faces"),
        (["a", "b", "--faces", "--classes"], "--classes is of sentences: leave it out"),
    ]:
        assert main(["similar", *arguments]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.assets
@pytest.mark.slow
def test_the_command_explains_two_sentences_by_minilm(asset, capsys):
    pytest.importorskip("tokenizers")
    asset("minilm")
    assert main(["similar", "The coffee is bad.", "This is not a good coffee."]) == 0
    out = capsys.readouterr().out
    # By a script of plain JAX, with full Jacobians
    assert "similarity 0.7915" in out
    assert "f(a, r) +0.1364 - f(r, b) +0.0175 + f(r, r) +1.7438" in out
    assert [line.split() for line in out.splitlines()[3:5]] == [
        ["+0.4458", "coffee", "coffee"],
        ["+0.1075", "bad", "good"],
    ]
