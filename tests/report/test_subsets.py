"""Subsets of images: their numbers, comparisons with the in-set ones, and speed."""

import json
import re
import time
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from scipy import stats

import salix.report
from salix.analysis import Frame, analyse, subset_names, subset_table
from salix.analysis.columns import standard_columns
from salix.analysis.shifts import NULL, Shift, subset_columns
from salix.analysis.subset_split import index_subsets, log_odds, split_subsets
from salix.report.export import FIELDS
from salix.report.palette import Palette
from salix.report.sections.subsets import build, subset_records
from salix.stats import Interval, auc_interval, mean_interval, proportion_interval
from salix.store import KEYS, Run
from salix.typing import InputError

NASTY = """<script>alert('x')</script>"'&{{ 7*7 }}%{x}"""
SOURCES = {"ffhq": 0, "sd2": 1, "dalle": 1, "celeba": 0, "mixed": None}
INSIDE = ("ffhq", "sd2")


def gather(n, seed, moved=0.0, sources=SOURCES, classes=2):
    """Rows of n images of each source; those of dalle have `moved` more entropy and less score."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, label in sources.items():
        for i in range(n):
            y = i % 2 if label is None else label
            far = moved * (name == "dalle")
            z = float(2.4 * (y - 0.5) + rng.normal() - 10 * far)
            map = rng.integers(0, 200, (4, 4))
            map[:2] += int(200 * far)
            row = {
                "id": f"{name}/{i:05d}.png",
                "label": y,
                "logits": [-z / 2, z / 2] if classes == 2 else [0.0] * (classes - 1) + [z],
                "predicted": int(z > 0),
                "spatial_entropy": float(0.6 + far + 0.05 * rng.normal()),
                "histogram_entropy": float(0.8 - far + 0.05 * rng.normal()),
                "map": np.minimum(map, 255).ravel().tolist(),
            }
            rows.append(row)
    return rows


SAMPLED = [standard_columns("")[n] for n in ("spatial_entropy", "histogram_entropy")]
COLUMNS = subset_columns(SAMPLED)


def tabulate(runs, groups, in_set=None):
    """Tabulate the subsets of runs by their entropies."""
    return subset_table([Frame(r) for r in runs], groups, columns=SAMPLED, in_set=in_set)


def find(tables, subset, part, group=0):
    (row,) = [r for r in tables.groups[group][1] if (r.subset, r.part) == (subset, part)]
    return row


def test_the_first_part_of_an_id_names_its_subset():
    ids = np.array(["sd3/0001.jpg", "a/b/c.png", "alone.png", "/odd.png", ""], object)
    assert subset_names(ids) == ["sd3", "a", "", "", ""]


def test_subsets_have_every_image_once_and_merge(planted):
    rows = gather(21, 0)
    rows[3] |= {"constant_map": True, "spatial_entropy": None, "histogram_entropy": None}
    rows[4] |= {"label": None}
    rows[5] = {"id": "ffhq/x.png", "skipped": "broken"}
    run = planted(rows)
    parts = split_subsets(
        Frame(run), index_subsets([Frame(run)])[0], columns=[c.key for c in SAMPLED]
    )
    assert sum(p.images for p in parts.values()) == len(rows) - 1
    assert list(parts)[:3] == [("ffhq", None), ("ffhq", "real"), ("sd2", "forged")]
    real = parts["ffhq", "real"]
    assert (real.images, real.constant_map, real.maps.n) == (19, 1, 18)
    assert (
        real.samples["spatial_entropy"].undefined,
        len(real.samples["spatial_entropy"].values),
    ) == (1, 18)
    assert parts["ffhq", None].labelled == 0
    columns = run.rows
    group_rows = np.array([i.startswith("mixed") for i in columns["id"]]) & (columns["label"] == 1)
    forged = parts["mixed", "forged"]
    np.testing.assert_allclose(forged.maps.mean, columns["map"][group_rows].mean(0) / 255)
    assert forged.hits == (columns["predicted"][group_rows] == 1).sum()
    both = real.merge(forged)
    assert both.images == real.images + forged.images
    np.testing.assert_array_equal(
        both.samples["log_odds"].values,
        np.sort([*real.samples["log_odds"].values, *forged.samples["log_odds"].values]),
    )


def test_numbers_of_a_subset_are_those_of_its_images(planted):
    run = planted(gather(60, 1))
    tables = tabulate([run], ["one"], INSIDE)
    columns = run.rows
    names = np.array([i.split("/")[0] for i in columns["id"]])
    z = columns["logits"][:, 1].astype(float) - columns["logits"][:, 0]
    dalle = find(tables, "dalle", "class forged")
    own_rows = names == "dalle"
    spatial = mean_interval(columns["spatial_entropy"][own_rows].astype(float))
    assert dalle.numbers["spatial_entropy"].low == pytest.approx(spatial.low)
    hits = int(columns["predicted"][own_rows].sum())
    assert dalle.numbers["accuracy"] == proportion_interval(hits, 60)
    chosen = own_rows | (names == "ffhq")
    area = auc_interval(z[chosen], (names == "dalle")[chosen].astype(int))
    assert dalle.numbers["auc"].value == pytest.approx(area.value)
    assert dalle.numbers["auc"].high == pytest.approx(area.high)
    celeba = find(tables, "celeba", "class real")
    chosen = (names == "celeba") | (names == "sd2")
    area = auc_interval(z[chosen], (names == "sd2")[chosen].astype(int))
    assert celeba.numbers["auc"].value == pytest.approx(area.value)
    own = names == "mixed"
    area = auc_interval(z[own], columns["label"][own])
    assert find(tables, "mixed", "all images").numbers["auc"].value == pytest.approx(area.value)
    inside = np.isin(names, INSIDE)
    together = find(tables, "in-set together", "all images")
    area = auc_interval(z[inside], columns["label"][inside])
    assert together.numbers["auc"].value == pytest.approx(area.value)
    shift = dalle.shifts["auc"].interval.value
    assert shift == pytest.approx(dalle.numbers["auc"].value - area.value)


def test_each_class_is_compared_with_its_own_and_all_with_all(planted):
    run = planted(gather(50, 2, moved=0.1))
    tables = tabulate([run], ["one"], INSIDE)
    rows = [(r.subset, r.part, r.in_set, bool(r.shifts)) for r in tables.groups[0][1]]
    assert rows == [
        ("ffhq", "class real", True, False),
        ("sd2", "class forged", True, False),
        ("in-set together", "all images", True, False),
        ("dalle", "class forged", False, True),
        ("celeba", "class real", False, True),
        ("mixed", "all images", False, True),
        ("mixed", "class real", False, True),
        ("mixed", "class forged", False, True),
    ]
    names = np.array([i.split("/")[0] for i in run.rows["id"]])
    entropy = run.rows["spatial_entropy"].astype(float)
    dalle = find(tables, "dalle", "class forged").shifts
    a, b = entropy[names == "dalle"], entropy[names == "sd2"]
    welch = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert dalle["spatial_entropy"].interval.low == pytest.approx(welch.low)
    assert dalle["kolmogorov"].interval.value == pytest.approx(stats.ks_2samp(a, b).statistic)
    assert dalle["wasserstein"].interval.value == pytest.approx(stats.wasserstein_distance(a, b))
    maps = run.rows["map"] / 255
    far = maps[names == "dalle"].mean(0) - maps[names == "sd2"].mean(0)
    assert dalle["map_distance"].interval.value == pytest.approx(np.abs(far).mean())
    both = entropy[names == "mixed"].mean() - entropy[np.isin(names, INSIDE)].mean()
    mixed = find(tables, "mixed", "all images").shifts["spatial_entropy"]
    assert mixed.interval.value == pytest.approx(both)


def test_planted_shifts_are_found_and_others_are_not(planted):
    names = [f"run {s}" for s in range(4)]
    runs = [planted(gather(300, s, 0.1), name=n, group="g") for s, n in enumerate(names)]
    tables = tabulate(runs, ["g"], INSIDE)
    dalle = find(tables, "dalle", "class forged")
    assert (dalle.runs, dalle.images) == (4, (300, 300))
    for key, truth in {"spatial_entropy": 0.1, "histogram_entropy": -0.1, "log_odds": -1.0}.items():
        shift = dalle.shifts[key]
        assert shift.interval.value == pytest.approx(truth, rel=0.2)
        assert shift.interval.low < truth < shift.interval.high
        assert shift.apart
        assert shift.way == ("higher" if truth > 0 else "lower")
    far = {"kolmogorov", "wasserstein", "detector", "map_distance"}
    assert {k for k in far if dalle.shifts[k].apart} == far
    assert dalle.shifts["wasserstein"].interval.value == pytest.approx(0.1, rel=0.1)
    assert dalle.shifts["kolmogorov"].way == ""
    assert not dalle.shifts["map_correlation"].apart
    assert dalle.shifts["spatial_entropy"].text.startswith("+0.")
    celeba = find(tables, "celeba", "class real").shifts
    assert not any(s.apart for s in celeba.values())


def test_without_a_shift_few_are_found(planted):
    """20 runs x 5 comparisons x 7 numbers with limits over images: about 1 in 20 by chance."""
    runs = [planted(gather(60, s), name=f"{s}") for s in range(20)]
    tables = tabulate(runs, [str(s) for s in range(20)], INSIDE)
    keys = ("spatial_entropy", "histogram_entropy", "log_odds", "kolmogorov", "wasserstein")
    keys += ("detector", "map_distance")
    shifts = [r.shifts[k] for _, rows in tables.groups for r in rows if r.shifts for k in keys]
    assert len(shifts) == 20 * 5 * 7
    assert 0.02 < np.mean([s.apart for s in shifts]) < 0.09


def test_runs_may_differ_in_images_and_classes(planted):
    one = planted(gather(10, 0), name="a", group="g")
    some = gather(10, 1, sources={"sd2": 1, "ffhq": 0, "late": 1})
    two = planted(some[:-4], name="b", group="g")
    three = planted(gather(10, 2, classes=3), name="c", group="h", classes=("x", "real", "forged"))
    none = planted([], name="d", group="h")
    tables = tabulate([one, two, three, none], ["g", "h"], INSIDE)
    assert find(tables, "late", "class forged").runs == 1
    assert find(tables, "ffhq", "class real").runs == 2
    assert find(tables, "late", "class forged").images == (6, 6)
    assert find(tables, "dalle", "class real", group=1).runs == 1  # label 1 of three classes
    assert "auc" not in find(tables, "dalle", "class real", group=1).numbers
    logits = three.rows["logits"].astype(float)
    expected = logits[:, 2] - np.log(np.exp(logits[:, :2]).sum(1))
    np.testing.assert_allclose(log_odds(three.rows["logits"]), expected, rtol=1e-6)


def test_images_without_labels_are_compared_with_all(planted):
    rows = gather(20, 0)
    for row in rows:
        if row["id"].startswith("dalle"):
            row["label"] = None
    tables = tabulate([planted(rows)], ["one"], INSIDE)
    row = find(tables, "dalle", "no label")
    assert {"spatial_entropy", "log_odds", "map_distance"} <= set(row.shifts)
    assert not {"auc", "accuracy"} & (set(row.shifts) | set(row.numbers))
    # A class that the in-set lacks has nothing to be compared with.
    lacking = tabulate([planted(gather(20, 0))], ["one"], ["ffhq"])
    assert find(lacking, "dalle", "class forged").shifts == {}
    assert find(lacking, "mixed", "class real").shifts


def test_one_subset_or_the_classes_again_make_no_section(planted, simulated):
    assert tabulate([planted(simulated(12, 0), grid=(8, 8))], ["one"]) is None
    assert tabulate([planted(gather(9, 0, sources={"all": None}))], ["one"]) is None
    assert tabulate([planted([])], ["one"]) is None
    classes = [planted(gather(9, 0, sources={"real": 0, "fake": 1}))]
    assert tabulate(classes, ["one"]) is None
    assert tabulate(classes, ["one"], ["real"]) is not None
    persons = [planted(gather(1, 0, sources={f"person {i}": i % 2 for i in range(41)}))]
    assert tabulate(persons, ["one"]) is None
    assert len(tabulate(persons, ["one"], ["person 0"]).groups[0][1]) == 41
    assert render(persons) == ""


def test_bad_names_are_named(planted):
    runs = [planted(gather(4, 0))]
    with pytest.raises(InputError, match="no image is of sd9: the subsets are ffhq, sd2"):
        tabulate(runs, ["one"], ["ffhq", "sd9"])
    with pytest.raises(InputError, match="0 of 5 subsets are in-set: name some of ffhq"):
        tabulate(runs, ["one"], [])
    with pytest.raises(InputError, match="5 of 5 subsets are in-set"):
        tabulate(runs, ["one"], list(SOURCES))


def test_without_an_in_set_there_are_numbers_only(planted):
    runs = [planted(gather(20, 0))]
    tables = tabulate(runs, ["one"])
    assert tables.in_set == ()
    assert not any(r.shifts for r in tables.groups[0][1])
    assert "auc" in find(tables, "mixed", "all images").numbers
    assert "auc" not in find(tables, "dalle", "class forged").numbers
    html = render(runs)
    assert "<h2>Subsets</h2>" in html
    assert "Shift" not in html


class Text(HTMLParser):
    """Keeps the text and the tags, and checks that every element is closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], set(), [], ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("img", "br", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def render(runs, in_set=None):
    """Render the section alone, below the page's own macros; nothing where there is none."""
    analysis = analyse(runs, in_set=in_set)
    section = build(analysis)
    if section is None:
        return ""
    loader = FileSystemLoader(Path(salix.report.__file__).parent)
    options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    environment = Environment(loader=loader, autoescape=True, **options)
    title = environment.from_string("<h2>{{ title }}</h2>").render(title=section.title)
    return title + environment.from_string(section.template).render(
        section.context, palette=Palette(analysis.groups)
    )


def test_the_section_tells_direction_in_words_and_names_as_text(planted):
    nasty = {f"{name}{NASTY}": label for name, label in SOURCES.items()}
    rows = gather(40, 0, sources=nasty)
    for row in rows:
        if row["id"].startswith("dalle"):
            row["spatial_entropy"] += 0.2
    group = f"g{NASTY}"
    run = planted(rows, group=group, classes=(f"real{NASTY}", f"forged{NASTY}"))
    # A slash ends the name of a subset, as it does in the sources' own ids.
    heads = [f"{name}{NASTY}".split("/")[0] for name in INSIDE]
    html = render([run], heads)
    page = Text(html)
    assert "script" not in page.tags
    assert f"class forged{NASTY}" in page.text
    assert f"g{NASTY}" in page.text
    assert heads[0] in page.text
    assert not any(name.startswith("on") for name, _ in page.attributes)
    labels = [v for k, v in page.attributes if k == "aria-label"]
    assert {"higher than in-set", "lower than in-set"} <= set(labels)
    assert page.text.count("▲") == labels.count("higher than in-set") + 1  # the legend
    assert "◐ interval only" in page.text  # no p value, so that nothing is called significant
    assert "significant" not in page.text
    assert "In-set and out-of-set" in page.text
    alternatives = [v for k, v in page.attributes if k == "alt"]
    assert len(alternatives) == len(set(alternatives)) == 8


def test_mean_maps_share_one_scale(planted):
    rows = gather(30, 0, moved=0.2)
    runs = [planted(rows)]
    tables = tabulate(runs, ["one"], INSIDE)
    dalle, sd2 = (find(tables, n, "class forged") for n in ("dalle", "sd2"))
    assert tables.greatest_mean == pytest.approx(max(r.mean.max() for r in tables.groups[0][1]))
    assert dalle.mean[:2].mean() > sd2.mean[:2].mean() + 0.1
    addresses = [v for k, v in Text(render(runs, INSIDE)).attributes if k == "src"]
    assert len(addresses) == len(tables.groups[0][1])
    for address in addresses:
        data = b64decode(re.sub("^data:image/png;base64,", "", address))
        assert Image.open(BytesIO(data)).size == (64, 64)
    volume = [r | {"map": [0] * 8} for r in rows]
    volumes = [planted(volume, grid=(2, 2, 2))]
    undrawn = tabulate(volumes, ["one"], INSIDE)
    assert find(undrawn, "dalle", "class forged").mean is None
    assert "<img" not in render(volumes, INSIDE)
    assert "–" in render(volumes, INSIDE)


def test_numbers_for_machines(planted):
    rows = gather(20, 0)
    tables = tabulate([planted(rows)], ["one"], INSIDE)
    records = subset_records(tables)
    assert all(tuple(row) == FIELDS for row in records)
    json.dumps(records, allow_nan=False)
    (row,) = [
        r
        for r in records
        if (r["kind"], r["metric"], r["coordinate"]) == ("shift", "log_odds", "dalle: class forged")
    ]
    assert row["value"] == find(tables, "dalle", "class forged").shifts["log_odds"].interval.value


def test_shifts_are_written_with_their_direction():
    points = Shift(COLUMNS.differences[4], Interval(-0.021, -0.04, -0.001, 9), signed=True)
    assert (points.text, points.way, points.apart) == ("−2.1", "lower", True)
    higher = Shift(COLUMNS.differences[0], Interval(0.0214, -0.04, 0.1, 9), signed=True)
    assert (higher.text, higher.way, higher.apart) == ("+0.021", "higher", False)
    unknown = Shift(COLUMNS.differences[0], Interval(np.nan, np.nan, np.nan, 0), signed=True)
    assert (unknown.text, unknown.way, unknown.apart) == ("–", "", False)
    for low, high, apart in ((0.4, 0.6, False), (0.51, 0.6, True), (0.2, 0.49, True)):
        area = Shift(COLUMNS.distances[2], Interval(0.5, low, high, 9), False, NULL["detector"])
        assert area.apart is apart


def test_limits_stay_within_the_range(planted):
    names = {"a": 1, "b": 1, "c": 0, "d": 1}
    runs = [
        planted(gather(12, s, sources=names), name=f"{s}", group=group)
        for s, group in enumerate("ggh")
    ]
    tables = tabulate(runs, ["g", "h"], ["a", "b", "c"])
    for row in (r for _, rows in tables.groups for r in rows):
        for i in (row.numbers["auc"], row.numbers["accuracy"], row.numbers["constant_map"]):
            assert 0 <= i.low <= i.value <= i.high <= 1
        for key in ("kolmogorov", "wasserstein", "map_distance"):
            if row.shifts:
                assert 0 <= row.shifts[key].interval.low <= row.shifts[key].interval.value
    # Two in-set subsets have the class forged; real is that of one alone.
    rows = [(r.subset, r.part) for r in tables.groups[0][1]]
    pooled = [("in-set together", "all images"), ("in-set together", "class forged")]
    single = [("a", "class forged"), ("b", "class forged"), ("c", "class real")]
    assert rows == [*single, *pooled, ("d", "class forged")]
    assert find(tables, *pooled[1]).images == (24, 24)


class InMemory(Run):
    """A run whose columns are in memory."""

    def read(self, names=None):
        return {n: self.rows[n] for n in names or self.rows}

    def iterate(self, names=None):
        yield self.read(names)


def test_twenty_runs_of_eight_subsets_are_quick(planted):
    rng, n = np.random.default_rng(0), 10_000
    source = np.arange(n) % 8
    label = np.where(source < 6, source % 2, source // 8 % 2)
    columns = {
        "id": np.array([f"c{s}/{i}.png" for i, s in enumerate(source)], object),
        "label": label,
        "constant_map": np.zeros(n, bool),
        "predicted": label,
        "map": rng.integers(0, 256, (n, 7, 7)).astype(np.uint8),
        "logits": rng.normal(size=(n, 2)).astype(np.float32),
        "spatial_entropy": rng.random(n).astype(np.float32),
        "histogram_entropy": rng.random(n).astype(np.float32),
    }
    described = {c.name: c for c in (*KEYS, *planted([{}]).columns.values())}
    described["map"] = replace(described["map"], shape=(7, 7))
    runs = [InMemory(Path(str(i))) for i in range(20)]
    for i, run in enumerate(runs):
        manifest = {"config": {"classes": ["real", "forged"]}, "about": {"group": f"g{i // 5}"}}
        attributes = {"rows": columns, "manifest": manifest}
        run.__dict__.update(attributes, columns={n: described[n] for n in columns})
    start = time.process_time()
    tables = tabulate(runs, [f"g{i}" for i in range(4)], ["c0", "c1"])
    assert time.process_time() - start < 5  # about 0.5 on one core
    assert [len(rows) for _, rows in tables.groups] == [9] * 4
