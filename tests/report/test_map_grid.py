"""Figures from runs: their columns, images, maps and pictures, and refused input."""

import numpy as np
import pytest
from PIL import Image

import salix
from salix.attribution import GradCAM, Gradient, InputXGradient
from salix.cli import main
from salix.report.map_grid import draw_runs
from salix.typing import InputError


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, tiny):
    """A run of two methods over a folder of six images."""
    root = tmp_path_factory.mktemp("runs")
    (root / "photos").mkdir()
    for i, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)):
        Image.fromarray(pixels).save(root / "photos" / f"{i}.png")
    methods, metrics = [GradCAM(relu=False), Gradient()], [salix.metrics.gini]
    return salix.sweep(*tiny, root / "photos", methods, metrics=metrics, out=root / "two")


@pytest.fixture(scope="module")
def another(evaluated, tinies):
    """A run of other parameters over the same images: one shared method, and one more."""
    model, params = tinies[1]
    methods, metrics = [InputXGradient(), Gradient()], [salix.metrics.gini]
    photos = evaluated.path.parent / "photos"
    return salix.sweep(model, params, photos, methods, metrics=metrics, out=photos.parent / "more")


@pytest.fixture
def runs(planted, simulated):
    """Runs of two models over the same six images."""
    options = {"grid": (8, 8), "extra": ("relevance_mass",)}
    return [planted(simulated(6, seed, thumbs=6), **options) for seed in (0, 1)]


def drawn(figure):
    """Return the panels with an image by their row and column."""
    panels = [axes for axes in figure.axes if axes.images]
    columns = len({round(axes.get_position().x0, 2) for axes in panels})
    return [panels[i : i + columns] for i in range(0, len(panels), columns)]


def titles(figure):
    return [axes.get_title().replace("\n", "") for axes in drawn(figure)[0]]


def test_one_run_of_several_methods_has_a_column_for_each(evaluated):
    figure = draw_runs([evaluated], images=["4.png", "1.png"])
    assert titles(figure) == ["image", "GradCAM(relu=False)", "Gradient()"]
    stored = evaluated.rows["evaluation_map"][4]
    for panel, map in zip(drawn(figure)[0][1:], stored, strict=True):
        np.testing.assert_allclose(panel.images[-1].get_array(), map / 255)
        assert panel.images[-1].norm.vmax == 1
    assert figure.get_supxlabel().endswith("2 of 6 images, chosen by name")


def test_several_runs_have_a_column_each_and_the_seed_draws_images(runs):
    figures = [draw_runs(runs, images=3, seed=seed) for seed in (0, 0, 1)]
    labels = [[row[0].get_ylabel() for row in drawn(figure)] for figure in figures]
    assert labels[0] == labels[1] != labels[2]
    assert labels[0] == sorted(labels[0])  # the order of the data
    assert titles(figures[0]) == ["image", *(str(run.path) for run in runs)]
    place = int(labels[0][1].split(".")[0])
    map = runs[1].rows["map"][place] / 255
    np.testing.assert_allclose(drawn(figures[0])[1][2].images[-1].get_array(), map)


def test_several_runs_of_several_methods_have_a_column_for_each_pair(evaluated, another):
    figure = draw_runs([evaluated, another], images=["3.png", "0.png"])
    columns = [(evaluated, 0), (evaluated, 1), (another, 0), (another, 1)]
    methods = ["GradCAM(relu=False)", "Gradient()", "InputXGradient()", "Gradient()"]
    for title, (run, _), method in zip(titles(figure)[1:], columns, methods, strict=True):
        assert title.replace(" ", "").endswith(f"{run.path.name}{method}")
    for row, image in zip(drawn(figure), (3, 0), strict=True):
        for panel, (run, place) in zip(row[1:], columns, strict=True):
            map = run.rows["evaluation_map"][image, place]
            np.testing.assert_allclose(panel.images[-1].get_array(), map / 255)


@pytest.mark.slow
def test_methods_are_chosen_by_text_or_name(evaluated, another):
    one = draw_runs([evaluated], images=2, methods=["Gradient", "GradCAM(relu=False)", "GradCAM"])
    assert titles(one) == ["image", "Gradient()", "GradCAM(relu=False)"]
    same = draw_runs([evaluated, another], images=2, methods=["Gradient"])
    names = [str(run.path) for run in (evaluated, another)]
    assert [t.replace(" ", "") for t in titles(same)] == ["image", *names]
    mixed = draw_runs([evaluated, another], images=2, methods=["GradCAM", "InputXGradient"])
    assert len(titles(mixed)) == 3


@pytest.mark.parametrize(
    ("methods", "text"),
    [
        (
            ["Gradcam"],
            r"methods has 'Gradcam': choose among GradCAM\(relu=False\), Gradient\(\), In",
        ),
        (["GradCAM()"], r"methods has 'GradCAM\(\)'"),
        (["GradCAM"], r"more has no maps of GradCAM: leave the run out, or choose among InputX"),
    ],
)
def test_methods_that_no_run_has_are_refused(evaluated, another, methods, text):
    with pytest.raises(InputError, match=text):
        draw_runs([evaluated, another], methods=methods)


def test_pictures_may_come_from_the_swept_images(evaluated):
    data = [str(evaluated.path.parent / "photos")]
    figure = draw_runs([evaluated], images=["2.png"], data=data)
    picture = drawn(figure)[0][0].images[0].get_array()
    assert picture.shape == (224, 224, 3)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"images": ["9.png"]}, "no image '9.png' is in all runs: choose among 6"),
        ({"images": 0}, "images is 0"),
    ],
)
def test_images_that_cannot_be_drawn_are_refused(runs, options, text):
    with pytest.raises(InputError, match=text):
        draw_runs(runs, **options)


def test_runs_without_maps_or_pictures_are_refused(planted, simulated):
    rows = simulated(4, 0)
    run = planted(rows, grid=(8, 8), extra=("relevance_mass",))
    with pytest.raises(InputError, match="store no pictures: give the swept images by --data"):
        draw_runs([run])
    with pytest.raises(InputError, match=r"no picture of 00001\.png"):
        draw_runs([run], images=["00001.png"])


def test_the_command_writes_a_figure(runs, tmp_path, capsys):
    one, two = (str(run.path) for run in runs)
    assert main(["figure", one, two, "--images", "2", "--out", str(tmp_path / "f.pdf")]) == 0
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")
    assert "2 of 6 images, drawn with seed 0" in capsys.readouterr().out
    words = ["figure", one, two, "--out", str(tmp_path / "f.svg"), "--methods", "CAM", "GradCAM"]
    assert main(words) == 2
    assert "methods has 'CAM': choose among " in capsys.readouterr().err
    assert not (tmp_path / "f.svg").exists()
    assert main(["figure", one, "--out", str(tmp_path / "f.doc")]) == 2
    assert "is no file of a figure" in capsys.readouterr().err
