"""Recognisers of words: logits against PyTorch, reading of rendered words, unusable words."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from salix.models.recognisers import RECOGNISERS, load_recogniser, read_words
from salix.typing import InputError

torch = pytest.importorskip("torch")
nn = torch.nn
TEXT = "hello world Salix Python image learning network 12345 2024 camera Street MARKET window "
WORDS = [*TEXT.split(), "open", "garden"]


def torch_crnn(classes: int):
    conv, relu = partial(nn.Conv2d, kernel_size=3, padding=1), nn.ReLU()
    rows = nn.MaxPool2d((2, 2), (2, 1), (0, 1))
    cnn = nn.Sequential(
        *(conv(1, 64), relu, nn.MaxPool2d(2, 2), conv(64, 128), relu, nn.MaxPool2d(2, 2)),
        *(conv(128, 256), nn.BatchNorm2d(256), relu, conv(256, 256), relu, rows),
        *(conv(256, 512), nn.BatchNorm2d(512), relu, rows),
        *(nn.Conv2d(512, 512, 2), nn.BatchNorm2d(512), relu),
    )
    rnn = nn.LSTM(512, 256, bidirectional=True, batch_first=True)
    net = nn.ModuleDict({"cnn": cnn, "rnn": rnn, "fc": nn.Linear(512, classes)})
    return net, net, lambda x: net["fc"](net["rnn"](net["cnn"](x)[:, :, 0].mT)[0])


def torch_compact(classes: int):
    def block(i, o, s):
        return nn.ModuleDict(
            {
                "depthwise": nn.Conv2d(i, i, 3, s, 1, groups=i, bias=False),
                "bn1": nn.BatchNorm2d(i),
                "pointwise": nn.Conv2d(i, o, 1, bias=False),
                "bn2": nn.BatchNorm2d(o),
            }
        )

    rows = [(24, 48, 2), (48, 64, 1), (64, 96, (2, 1)), (96, 128, 1), (128, 160, (2, 1))]
    net = nn.ModuleDict(
        {
            "stem": nn.Sequential(nn.Conv2d(1, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24)),
            "blocks": nn.ModuleList([block(*r) for r in [*rows, (160, 192, (2, 1))]]),
            "rnn": nn.GRU(192, 128, bidirectional=True, batch_first=True),
            "head": nn.Linear(256, classes),
        }
    )

    def logits(x):
        h = net["stem"](x).relu()
        for b in net["blocks"]:
            h = b["bn1"](b["depthwise"](h)).relu()
            h = b["bn2"](b["pointwise"](h)).relu()
        return net["head"](net["rnn"](h[:, :, 0].mT)[0])

    return net, nn.ModuleDict({"model": net}), logits


@pytest.mark.parametrize(
    ("name", "definition"), [("nano-ocr", torch_crnn), ("legere", torch_compact)]
)
def test_logits_are_those_of_pytorch(name, definition, tmp_path: Path):
    torch.manual_seed(0)
    recogniser = RECOGNISERS[name]
    net, module, logits = definition(len(recogniser.alphabet) + 1)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):  # statistics that are not 0 and 1
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    net.eval()
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    x = np.random.default_rng(0).uniform(-1, 1, (2, 32, 40, 1)).astype(np.float32)
    expected = logits(torch.from_numpy(x.transpose(0, 3, 1, 2))).detach().numpy()
    ours, params = load_recogniser(name, tmp_path / "weights.pth")
    actual = np.asarray(jax.jit(ours.logits)(params, x))
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, atol=2e-6 * np.abs(expected).max() + 1e-6)


def rendered(word: str) -> np.ndarray:
    font = ImageFont.load_default(28)
    left, top, right, bottom = font.getbbox(word)
    image = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4), 255)
    ImageDraw.Draw(image).text((2 - left, 2 - top), word, fill=0, font=font)
    return np.asarray(image.resize((128, 32), Image.Resampling.BILINEAR), np.float32)


@pytest.mark.assets
def test_nano_ocr_reads_plain_words(asset: Callable[[str], Path]):
    ours, params = load_recogniser("nano-ocr", asset("nano-ocr"))
    images = np.stack([rendered(w) for w in WORDS])[..., None] / np.float32(127.5) - 1
    assert list(read_words(ours, params, images)) == WORDS


def test_words_are_encoded_and_decoded():
    ours, _ = load_recogniser("legere")
    classes = ours.encode("aab")
    assert classes.tolist() == [1, 1, 2]
    assert ours.decode([0, 1, 1, 0, 1, 2, 2]) == "aab"
    assert ours.decode([0, 0]) == ""
    with pytest.raises(InputError, match=r"'λ', which legere cannot read"):
        ours.encode("aλ")
    with pytest.raises(InputError, match="empty word"):
        ours.encode("")


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="choose one of nano-ocr, legere"):
        load_recogniser("tesseract")
