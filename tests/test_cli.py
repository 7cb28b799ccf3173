"""Command line: help, examples, and one-line errors for bad input."""

import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from salix import runtime, store
from salix.adapters import from_nnx
from salix.attribution import ExpectedGradients, Gradient, SmoothGrad
from salix.cli import COMMANDS, main
from salix.cli.references import with_references
from salix.measures import RealRegions
from salix.models import MODELS, Small, load, save
from salix.studies.demo import run as study


@pytest.fixture(autouse=True)
def process_settings(monkeypatch):
    """Replace the process settings by a record of their names."""
    applied: list[str] = []
    for name in ("keep_memory", "cache_programs"):
        monkeypatch.setattr(runtime, name, lambda name=name: applied.append(name))
    return applied


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A checkpoint of the small detector and two folders of faces, one file truncated."""
    root = tmp_path_factory.mktemp("material")
    _, params = from_nnx(Small(nnx.Rngs(0)), preprocess=MODELS["small"].preprocess)
    save("small", root / "small.safetensors", params)
    rng = np.random.default_rng(0)
    for folder in ("real", "fake"):
        (root / folder).mkdir()
        for i in range(9):
            image = rng.integers(0, 256, (80, 60, 3), np.uint8)
            Image.fromarray(image).save(root / folder / f"{i}<b>.jpg")
    broken = root / "fake" / "3<b>.jpg"
    broken.write_bytes(broken.read_bytes()[:900])
    return root


def sweep(root, out, *more):
    """Run `salix sweep` over the material."""
    data = [f"real={root / 'real'}", f"fake={root / 'fake'}"]
    model = ["--model", "small", "--weights", str(root / "small.safetensors")]
    return main(["sweep", *model, "--out", str(out), *more, "--data", *data])


def test_a_class_by_its_name_and_a_cut(material, tmp_path, capsys):
    out = tmp_path / "run"
    assert sweep(material, out, "--score", 'logit("FAKE")', "--cut", "conv2") == 0
    run = store.Run(out)
    assert set(run.rows["target"]) == {run.classes.index("fake")}
    assert run.manifest["config"]["cut"] == "conv2"
    capsys.readouterr()
    for options, message in (
        (["--score", 'margin("cat")'], "no such class among 2, give real (0), fake (1)"),
        (["--cut", "layer9"], "small has no cut 'layer9': choose one of conv1"),
    ):
        assert sweep(material, tmp_path / "no", *options) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "no").exists()


def test_sweep_and_report(material, tmp_path, capsys):
    assert sweep(material, tmp_path / "runs" / "a") == 0
    output = capsys.readouterr().out
    assert "17 images explained, 1 skipped" in output
    assert re.search(r"skipped fake/3<b>.jpg: .*truncated", output)
    assert f"salix report {tmp_path / 'runs' / 'a'}" in output
    run = store.Run(tmp_path / "runs" / "a")
    assert run.classes == ("real", "fake")
    assert np.bincount(run.rows["label"]).tolist() == [9, 8]
    page = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "runs"), "--out", str(page)]) == 0
    html = page.read_text()
    assert "fake/3&lt;b&gt;.jpg" in html
    assert "3<b>" not in html
    rows = json.loads(page.with_suffix(".json").read_text())
    assert "17" in json.dumps(rows)


@pytest.mark.slow
def test_methods_scores_and_measures_by_name(material, tmp_path):
    more = ["--attribution", "SmoothGrad(method=Gradient(), samples=2)", "--score", "margin(1)"]
    assert (
        sweep(material, tmp_path / "run", *more, "--measures", "RelevanceMass()", "--no-labels")
        == 0
    )
    config = store.Run(tmp_path / "run").manifest["config"]
    assert config["attribution"] == "SmoothGrad(method=Gradient(), samples=2, noise=0.15)"
    assert config["score"] == "margin(target=1)"
    assert (store.Run(tmp_path / "run").rows["label"] == -1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--model", "meso5"], "no architecture 'meso5'.*meso4"),
        (["--attribution", "GradCam()"], "unknown 'GradCam': choose one of .*GradCAM"),
        (["--attribution", "GradCAM(rely=1)"], "it takes GradCAM"),
        (["--measures", "Insight()"], "unknown 'Insight'"),
        (["--score", "logit(7)"], "no such class among 2"),
        (["--data", "nowhere"], "nowhere is not a folder"),
        (["--data", "{root}/empty"], "contains no image"),
        (["--data", "{root}"], "labels .* are not classes|file could not|not classes"),
        (["--weights", "{root}/other.safetensors"], "tensor|architecture|missing"),
        (["--weights", "{root}/nothing.safetensors"], "nothing.safetensors"),
        (["--batch-size", "0"], "batch_size is 0"),
    ],
)
def test_bad_input_is_one_line_before_any_work(material, tmp_path, capsys, change, message):
    from safetensors.numpy import save_file

    (material / "empty").mkdir(exist_ok=True)
    odd = material / "cats"
    odd.mkdir(exist_ok=True)
    Image.new("L", (4, 4)).save(odd / "x.png")
    save_file({"other/kernel": np.zeros((2, 2), np.float32)}, material / "other.safetensors")
    out = tmp_path / "run"
    options = {
        "--model": "small",
        "--weights": str(material / "small.safetensors"),
        "--data": str(material / "real"),
        "--out": str(out),
        "--no-labels": None,
    }
    options[change[0]] = change[1].format(root=material)
    if change[0] == "--data":
        del options["--no-labels"]
    words = [w for pair in options.items() for w in pair if w is not None]
    assert main(["sweep", *words]) == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert error.startswith("salix: ")
    assert re.search(message, error)
    assert not out.exists()


def test_convert(material, tmp_path, capsys):
    source, out = str(material / "small.safetensors"), tmp_path / "out.safetensors"
    words = ["convert", "--model", "small", "--weights", source]
    assert main([*words, "--out", str(out), "--classes", "live", "spoof"]) == 0
    model, params = load("small", out)
    assert model.classes == ("live", "spoof")
    before = load("small", source)[1]
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: (a == b).all(), params, before)))
    capsys.readouterr()
    assert main([*words, "--out", str(tmp_path / "x.pth")]) == 2
    assert "is not a .safetensors file" in capsys.readouterr().err
    assert main([*words, "--out", str(out), "--classes", "one"]) == 2
    assert "at least two classes" in capsys.readouterr().err


@pytest.mark.slow
def test_several_methods_and_metrics(material, tmp_path, capsys):
    out, methods = tmp_path / "run", ["--attribution", "GradCAM()", "Gradient"]
    assert sweep(material, out, *methods, "--metrics", "gini", "pointing_game(name='hit')") == 2
    assert "reference mask" in capsys.readouterr().err
    assert sweep(material, out, *methods, "--metrics", "gini") == 0
    column = store.Run(out).columns["evaluation_gini"]
    assert column.coordinates == ("GradCAM()", "Gradient()")


@pytest.mark.slow
def test_reference_images_of_methods(material, tmp_path, capsys):
    folder = str(material / "real")
    assert (
        sweep(material, tmp_path / "none", "--attribution", "GradCAM", "--references", folder) == 2
    )
    assert "no method of --attribution takes reference images" in capsys.readouterr().err
    methods = ("--attribution", "ExpectedGradients(samples=1)")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert sweep(material, tmp_path / "none", *methods, "--references", str(empty)) == 2
    assert not (tmp_path / "none").exists()
    assert sweep(material, tmp_path / "run", *methods, "--references", folder) == 0
    config = store.Run(tmp_path / "run").manifest["config"]
    assert "references=array(float32[9, " in config["attribution"]
    measure = ("--measures", "RealRegions(fractions=(0, 1), authentic=0)")
    assert sweep(material, tmp_path / "regions", *measure, "--references", folder) == 0
    rows = store.Run(tmp_path / "regions").rows
    np.testing.assert_array_equal(np.isnan(rows["real_regions_gap"]), rows["target"] == 0)
    other = ("--references", str(material / "fake" / "1<b>.jpg"))
    assert sweep(material, tmp_path / "run", *methods, *other) == 2
    assert "another configuration" in capsys.readouterr().err


def test_methods_inside_of_others_have_the_references():
    images = np.zeros((2, 4, 4, 3), np.float32)
    inner, own = ExpectedGradients(), ExpectedGradients(0.5)
    gradient, wrapped, kept = with_references([Gradient(), SmoothGrad(inner), own], images)
    assert (gradient, kept) == (Gradient(), own)
    assert wrapped.method.references is images
    assert with_references([Gradient(), RealRegions()], images)[1].references is images


@pytest.mark.slow
def test_precision_by_name(material, tmp_path, capsys):
    assert sweep(material, tmp_path / "run", "--precision", "bfloat16_dots") == 0
    assert store.Run(tmp_path / "run").manifest["config"]["precision"] == "bfloat16_dots"
    assert sweep(material, tmp_path / "run") == 2
    assert "precision: 'bfloat16_dots' there, 'float32' now" in capsys.readouterr().err


def test_computing_commands_keep_memory_and_programs(
    material, tmp_path, monkeypatch, process_settings, capsys
):
    assert sweep(material, tmp_path / "run", "--batch-size", "0") == 2
    assert process_settings == ["keep_memory", "cache_programs"]
    monkeypatch.setenv("SALIX_KEEP_MEMORY", "0")
    assert sweep(material, tmp_path / "run", "--batch-size", "0") == 2
    assert process_settings[2:] == ["cache_programs"]
    assert main(["report", str(tmp_path / "none")]) == 2
    assert len(process_settings) == 3
    with pytest.raises(SystemExit):
        main(["--help"])
    output = capsys.readouterr().out
    for name in ("SALIX_KEEP_MEMORY=0", "JAX_ENABLE_COMPILATION_CACHE=false", "SALIX_CACHE"):
        assert name in output


def test_a_report_of_nothing(tmp_path, capsys):
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "is not a run" in capsys.readouterr().err


PARTS = {
    "runs": ("list", "verify", "merge", "export"),
    "study": (
        "shift",
        "chaosmining",
        "openworld",
        "agg2exp",
        "frontal",
        "strexp",
        "instruction",
    ),
}


@pytest.mark.parametrize(
    "command", [f"{c} {part}".strip() for c in COMMANDS for part in PARTS.get(c, ("",))]
)
def test_help_has_an_example_and_a_text_for_each_option(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert f"Example: salix {command}" in text.replace("\n", " ")
    options = re.findall(r"^\S?\s*(--[a-z][a-z-]*|\[PATH|PATH)", text, re.M)
    assert options


@pytest.mark.slow
def test_the_demo_from_end_to_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study, "STEPS", 4)  # accuracy is not tested here
    arguments = ["demo", "--offline", "--seeds", "2", "--out"]
    tables = []
    for place in ("a", "b"):
        assert main([*arguments, str(tmp_path / place)]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]  # seeded
    assert "image sharpness alone" in tables[0]
    for name in ("cross-entropy 1", "cross-entropy 2", "guided 1", "guided 2"):
        assert name in tables[0]
    html = (tmp_path / "a" / "report.html").read_text()
    assert "no person drew it" in html
    assert "by your choice" in html
    runs = store.read_runs([tmp_path / "a" / "runs"])
    assert [r.group for r in runs] == ["cross-entropy"] * 2 + ["guided"] * 2
    fake = runs[0].rows["label"] == 1
    assert np.isfinite(runs[0].rows["relevance_mass"][fake & ~runs[0].rows["constant_map"]]).all()
    assert np.isnan(runs[0].rows["relevance_mass"][~fake]).all()
    checkpoint = tmp_path / "a" / "models" / "guided-1.safetensors"
    assert checkpoint.stat().st_size > 200_000


@pytest.mark.slow
def test_the_demo_on_own_faces(material, tmp_path, monkeypatch, capsys):
    for folder in ("real", "fake"):
        (tmp_path / folder).mkdir()
        for i in range(16):
            noise = np.random.default_rng(i).integers(0, 256, (64, 64), np.uint8)
            Image.fromarray(noise).save(tmp_path / folder / f"{i}.png")
    monkeypatch.setattr(study, "STEPS", 2)
    own = ["--real", str(tmp_path / "real"), "--fake", str(tmp_path / "fake")]
    assert main(["demo", *own, "--seeds", "1", "--out", str(tmp_path / "out")]) == 0
    table = capsys.readouterr().out
    assert "cross-entropy 1" in table
    assert "guided" not in table
    assert Path(tmp_path / "out" / "report.html").exists()


@pytest.mark.slow
def test_train_then_sweep_the_trained_network(material, tmp_path, capsys):
    out = tmp_path / "trained"
    data = [f"real={material / 'real'}", f"fake={material / 'fake'}"]
    recipe = ["--recipe", "Recipe(CrossEntropy(), AdamW(0.003), epochs=2, batch_size=4)"]
    with pytest.warns(UserWarning, match="1 image cannot be read"):
        assert main(["train", "--arch", "small", "--data", *data, *recipe, "--out", str(out)]) == 0
    output = capsys.readouterr()
    assert "seed 0, epoch 2 of 2" in output.err
    weights = out / "small-0-best.safetensors"
    assert f"--weights {weights}" in output.out
    arguments = ["--model", "small", "--weights", str(weights), "--measures", "paper"]
    assert main(["sweep", *arguments, "--data", *data, "--out", str(tmp_path / "run")]) == 0
    rows = store.Run(tmp_path / "run").rows
    assert rows["paper_salt_and_pepper_similarity"].shape == (17, 8)
    assert rows["paper_geometry_flip"].shape == (17, 12)


def test_train_refuses_bad_data_seeds_and_recipes(material, tmp_path, capsys):
    common = ["train", "--arch", "small", "--out", str(tmp_path / "t")]
    real = ["--data", f"real={material / 'real'}"]
    assert main([*common, *real]) == 2
    assert "one class, real" in capsys.readouterr().err
    both = ["--data", f"real={material / 'real'}", f"fake={material / 'fake'}"]
    assert main([*common, *both, "--seeds", "0"]) == 2
    assert "seeds are ()" in capsys.readouterr().err
    assert main([*common, *both, "--recipe", "fast"]) == 2
    assert "unknown 'fast'" in capsys.readouterr().err


@pytest.mark.slow
def test_bench_prints_a_table_and_ceilings_and_writes_json(tmp_path, capsys, process_settings):
    out = tmp_path / "bench.json"
    arguments = [
        "--model",
        "small",
        "--workloads",
        "forward",
        "cam",
        "--rounds",
        "1",
        "--batch-size",
    ]
    assert main(["bench", *arguments, "2", "--out", str(out)]) == 0
    assert process_settings == [
        "keep_memory"
    ]  # a cached program would hide the time of compilation
    printed = capsys.readouterr().out
    assert "matrix products reach" in printed
    assert "images/s" in printed
    rows = json.loads(out.read_text())["rows"]
    assert [row["workload"] for row in rows] == ["forward", "cam"]
    assert all(row["images_per_second"]["median"] > 0 for row in rows)


def test_bench_lists_the_known_workloads(capsys, process_settings):
    assert main(["bench", "--model", "small", "--workloads", "gradient"]) == 2
    assert "no workload 'gradient': there are forward, cam" in capsys.readouterr().err
