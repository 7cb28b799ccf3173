"""Figures of maps: their colours, scales, grids, captions, files and refused input."""

from io import BytesIO

import numpy as np
import pytest

from salix import plot
from salix.plot.colours import colours, diverging_colours
from salix.plot.panels import _wrap
from salix.typing import InputError

rng = np.random.default_rng(0)
IMAGE = rng.integers(0, 256, (12, 9, 3), np.uint8)
SIGNED, UNSIGNED = rng.normal(size=(4, 3)), rng.random((6, 5))


def pixels(axes):
    """Return the colours of the map that is drawn in a panel, [y x 4]."""
    drawn = axes.images[-1]
    return drawn.cmap(drawn.norm(drawn.get_array()))


def panels(figure):
    """Return the panels with an image, without the colour bars."""
    return [axes for axes in figure.axes if axes.images]


def test_zero_is_the_neutral_colour_of_a_signed_map():
    map = np.array([[-2.0, 0.0, 1.0, 3.0]])
    figure = plot.overlay(IMAGE, map, percentile=100)
    drawn = pixels(figure.axes[0])
    neutral = diverging_colours()[128] / 255
    np.testing.assert_allclose(drawn[0, 1, :3], neutral)
    assert np.ptp(neutral) < 0.01
    # -2 and 3 of a range from -3 to 3: 1/6 and the end of the table
    table = diverging_colours() / 255
    np.testing.assert_allclose(drawn[0, [0, 3], :3], table[[int(257 / 6), 256]])
    assert (figure.axes[1].get_ylim()) == (-3, 3)


def test_an_unsigned_map_rises_from_zero_in_the_colours_of_the_report():
    scale = plot.choose_scale([UNSIGNED], percentile=100)
    assert (scale.low, scale.high, scale.signed) == (0, UNSIGNED.max(), False)
    drawn = pixels(plot.overlay(IMAGE, UNSIGNED, scale=scale).axes[0])
    levels = (UNSIGNED / UNSIGNED.max() * 256).astype(int).clip(0, 255)
    np.testing.assert_allclose(drawn[..., :3], colours()[levels] / 255)


def test_the_lightness_of_both_sides_of_zero_is_alike():
    lightness = diverging_colours().astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness[:129]) > 0).all()
    assert (np.diff(lightness[128:]) < 0).all()
    assert abs(lightness[0] - lightness[-1]) < 12


def test_clipping_is_named_with_its_value():
    map = np.arange(100.0).reshape(10, 10)
    scale = plot.choose_scale([map], percentile=90, unit="logits")
    assert scale.high == np.percentile(map, 90)
    assert scale.label == "logits: values above 89.1, the 90th percentile, are clipped"
    assert scale.extend == "max"
    assert plot.choose_scale([map], percentile=100, unit="logits").label == "logits"
    both = plot.choose_scale([map - 50], percentile=90)
    assert both.signed
    assert both.low == -both.high == -np.percentile(abs(map - 50), 90)
    assert both.extend == "both"


def test_a_sparse_map_is_not_clipped_to_nothing():
    map = np.zeros((20, 20))
    map[3, 3] = 7
    assert plot.choose_scale([map]).high == 7
    assert plot.choose_scale([np.zeros((2, 2))]).high == 1  # constant


def test_a_figure_shares_one_scale_and_a_row_its_own():
    maps = [[SIGNED, UNSIGNED], [3 * SIGNED, None]]
    figure = plot.grid([IMAGE, IMAGE], maps, titles=("a", "b"), rows=("x", "y"), percentile=100)
    ranges = {(p.images[-1].norm.vmin, p.images[-1].norm.vmax) for p in panels(figure)[1:3]}
    assert ranges == {(-3 * abs(SIGNED).max(), 3 * abs(SIGNED).max())}
    by_row = panels(plot.grid([IMAGE, IMAGE], maps, scale="row", percentile=100))
    np.testing.assert_allclose(by_row[1].images[-1].norm.vmax, abs(SIGNED).max())
    np.testing.assert_allclose(by_row[4].images[-1].norm.vmax, 3 * abs(SIGNED).max())


def test_maps_in_other_units_are_shown_over_their_own_magnitudes():
    one, other = (
        panels(plot.grid([IMAGE], [[factor * UNSIGNED]], scale="map"))[1] for factor in (1, 1e-6)
    )
    np.testing.assert_allclose(pixels(one), pixels(other), atol=1e-6)
    label = plot.grid([IMAGE], [[UNSIGNED]], scale="map").axes[-1].get_xlabel()
    assert "over the 99th percentile of its own magnitudes" in label.replace("\n", " ")


def test_maps_keep_their_grid_unless_they_are_smoothed():
    for smooth, how in ((False, "nearest"), (True, "bicubic")):
        drawn = plot.overlay(IMAGE, SIGNED, smooth=smooth).axes[0].images[-1]
        assert drawn.get_interpolation() == how
        assert drawn.get_array().shape == SIGNED.shape
        assert drawn.get_extent() == [-0.5, 8.5, 11.5, -0.5]


def test_numbers_of_images_grids_and_units_are_printed():
    figure = plot.grid([IMAGE] * 2, [[SIGNED, UNSIGNED]] * 2, unit="attribution (logits)", note="x")
    assert figure.get_supxlabel() == "2 images of 12 x 9 pixels; maps of 4 x 3, 6 x 5; x"
    assert figure.axes[-1].get_xlabel() == "attribution (logits)"
    single = plot.overlay(IMAGE, SIGNED).axes[0]
    assert single.get_xlabel() == "x in pixels; map of 4 x 3"


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
@pytest.mark.slow
def test_files_are_the_same_each_time_and_matplotlib_is_left_as_it_was(tmp_path, suffix, start):
    import matplotlib
    from matplotlib import pyplot

    before = dict(matplotlib.rcParams)
    for name in "ab":
        title = "A $hyper_parameter$ (x=1)"
        plot.save(plot.overlay(IMAGE, SIGNED, title=title), tmp_path / f"{name}.{suffix}")
    contents = [(tmp_path / f"{name}.{suffix}").read_bytes() for name in "ab"]
    assert contents[0] == contents[1]
    assert contents[0].startswith(start)
    assert suffix != "svg" or title in contents[0].decode()
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def test_real_pixels_and_grey_images_are_drawn():
    plot.overlay(IMAGE[..., :1], SIGNED).savefig(BytesIO())
    np.testing.assert_allclose(
        panels(plot.grid([IMAGE / 255], [[SIGNED]]))[0].images[0].get_array(),
        panels(plot.grid(IMAGE[None], SIGNED[None]))[0].images[0].get_array(),
    )


def test_long_method_texts_are_broken():
    text = _wrap("IntegratedGradients('black_white', steps=50)", 24)
    assert text == "IntegratedGradients(\n'black_white', steps=50)"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: plot.overlay(IMAGE, np.full((2, 2), np.nan)), "finite values"),
        (lambda: plot.overlay(IMAGE, SIGNED[0]), r"map of shape \(3,\)"),
        (lambda: plot.overlay(IMAGE[..., :2], SIGNED), r"\(12, 9, 2\)"),
        (lambda: plot.overlay(IMAGE * 1.0, SIGNED), "before the model's preprocessing"),
        (lambda: plot.overlay(IMAGE, SIGNED, opacity=2), "opacity is 2"),
        (lambda: plot.overlay(IMAGE, SIGNED, percentile=0), "percentile is 0"),
        (lambda: plot.grid([IMAGE], [[SIGNED], [SIGNED]]), "1 images and maps of 2"),
        (lambda: plot.grid([IMAGE] * 2, [[SIGNED], [SIGNED] * 2]), "have 1, 2 maps"),
        (lambda: plot.grid([IMAGE], [[SIGNED]], titles=("a", "b")), "2 titles for 1"),
        (lambda: plot.grid([IMAGE], [[SIGNED]], scale="col"), "scale is 'col'"),
        (lambda: plot.save(None, "x.gif"), "x.gif is no file of a figure"),
    ],
)
def test_what_cannot_be_drawn_names_its_remedy(call, text):
    with pytest.raises(InputError, match=text):
        call()


def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("salix.plot.canvas.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'salix\[figures\]'"):
        plot.overlay(IMAGE, SIGNED)
