"""Data sets by their layout: labels, groups, masks and ids by the places of files."""

import json

import numpy as np
import pytest
from PIL import Image

from salix.data import Unreadable, open_source
from salix.data.frame_choice import parse_frames
from salix.data.label_names import parse_label_names
from salix.data.layouts.clips import ffpp_sources
from salix.typing import InputError
from tests.data.image_files import encoded

PNG = encoded(Image.fromarray(np.zeros((2, 2, 3), np.uint8)))


def write(root, *files):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG)
    return root


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Return a folder of frames: SPLIT/METHOD/VIDEO/FRAME.png."""
    root = tmp_path_factory.mktemp("layout") / "faces [1]"
    frames = [f"{m}/{v}/{i}.png" for m in ("youtube", "Deepfakes") for v in "ab" for i in (2, 10)]
    write(root, *(f"test/{frame}" for frame in frames), "train/youtube/c/0.png", "train/loose.jpg")
    (root / "test/loop").symlink_to(root / "test")
    return root


def open_faces(folder, pattern, **options):
    return open_source([f"folder:{folder}/{pattern}"], **options)


def test_a_pattern_gives_classes_groups_and_a_split(faces, caplog):
    names = {"labels": ["real=youtube", "fake=*"]}
    source = open_faces(faces, "{split}/{label}/{group}/*.png#test", **names)
    assert list(source.ids) == [
        f"test/{m}/{v}/{i}.png" for m in ("Deepfakes", "youtube") for v in "ab" for i in (2, 10)
    ]
    assert list(source.labels) == ["fake"] * 4 + ["real"] * 4
    assert list(source.groups)[::2] == [
        *("test/Deepfakes/a", "test/Deepfakes/b", "test/youtube/a", "test/youtube/b"),
    ]
    assert source.read(0).size == (2, 2)
    assert "test/loop leads back to a folder above it" in caplog.text
    assert "1 of 10 files do not match {split}/{label}/{group}/*.png, for example" in caplog.text
    everything = open_faces(faces, "**/{label}/{source}/{group}.png")
    assert [*everything.labels][-1] == "youtube"
    assert [*everything.groups][:2] == ["test/Deepfakes/a/10.png", "test/Deepfakes/a/2.png"]
    by_source = open_faces(faces, "**/{label}/{source}/{group}.png", group_by="source")
    assert set(by_source.groups) == {"a", "b", "c"}
    assert set(open_source([f"x=folder:{faces}/*/*/*/*.png"]).labels) == {"x"}


@pytest.mark.parametrize(
    ("pattern", "options", "message"),
    [
        ("", {}, r"has no pattern: write folder:.*/\{label\}/\*.png"),
        ("{video}/*.png", {}, r"has '\{video\}': the fields are \{split\}, \{label\}"),
        ("{label/*.png", {}, r"has '\{'"),
        ("{label}/{label}/*.png", {}, r"has \{label\} twice"),
        ("*/../{label}/*.png", {}, r"has \.\.: give the folder itself"),
        ("{label}/*.png", {}, "none of 10 images and videos matches .*, for example test/"),
        ("{split}/*/*/*.png#val", {}, "has no split 'val': give one of test, train"),
        ("*/*/*/*.png#val", {}, r"has no \{split\}, and #val names one"),
        ("*/{label}/*/*.png", {"labels": ["real=youtube"]}, "--labels has no class for Deepfakes"),
        (
            "*/{label}/*/*.png",
            {"labels": ["real=youtub", "fake=*"]},
            "no image has the label youtub",
        ),
        ("*/{label}/*/*.png", {"labels": ["real"]}, "write CLASS=NAME,NAME"),
        ("*/{label}/*/*.png", {"labels": ["a=x,y", "b=Y"]}, "'Y' is both a and b"),
        ("*/{label}/*/*.png", {"group_by": "identity"}, "names no identity: give one of"),
        ("*/{label}/*/*.png", {"frames": "8"}, "no videos are in --data"),
        ("*/{label}/{group}/*.png", {"frames": "2fps"}, "folder of frames without times"),
        ("*/{label}/{group}/*.png", {"frames": "some"}, "--frames 'some': give 32"),
        ("*/{label}/{group}/*.png", {"root": "x"}, "no list such as deepfakebench"),
    ],
)
def test_unusable_patterns_and_options(faces, pattern, options, message):
    with pytest.raises(InputError, match=message):
        open_faces(faces, pattern, **options)


def test_labels_by_name_of_any_source(faces):
    source = open_source([f"{faces}/test"], labels=["real=you*", "fake=*"])
    assert list(source.labels) == ["fake"] * 4 + ["real"] * 4
    assert [c.patterns for c in parse_label_names(["a=x, y", "b=*", "a=z"])] == [
        ("x", "y", "z"),
        ("*",),
    ]
    with pytest.raises(
        InputError, match=r"'Deepfakes/a/10.png' is of no layout that names a source"
    ):
        open_source([f"{faces}/test"], group_by="source")
    with pytest.raises(InputError, match="no videos are in --data: name them videos:DIR"):
        open_source([f"{faces}/test"], frames="2")


def test_choices_of_frames():
    chosen = {
        "4": [0, 3, 6, 9], "20": list(range(10)), "at:9,0,70": [0, 9], "2.5fps": [0, 4, 8],
        "1": [0],
    }  # fmt: skip
    assert {text: parse_frames(text).of("v", 10, 10.0) for text in chosen} == chosen
    some = [parse_frames(f"random:4:{seed}").of(v, 100, None) for seed in (0, 1) for v in "ab"]
    assert len({*map(tuple, some)}) == 4
    assert all(len({*positions}) == 4 and positions == sorted(positions) for positions in some)
    for text in ("0", "-3", "0fps", "random:0", "at:", "3.5"):
        with pytest.raises(InputError, match="--frames"):
            parse_frames(text)


def test_sources_of_clips_join_pairs_and_actors():
    names = ["033", "033_097", "097_033", "097", "5", "01_02__walk__ABCDEFGH", "01__walk"]
    assert [*ffpp_sources(names).values()] == ["033"] * 4 + ["5", "01__walk", "01__walk"]


def ffpp(root):
    clips = ("original_sequences/youtube", "033"), ("original_sequences/youtube", "097")
    clips += tuple((f"manipulated_sequences/{m}", "033_097") for m in ("Deepfakes", "FaceSwap"))
    frames = [f"{folder}/c23/frames/{name}/{i}.png" for folder, name in clips for i in (0, 9)]
    mask = "manipulated_sequences/Deepfakes/c23/masks/033_097/0.png"
    return write(root, *frames, mask, "original_sequences/youtube/c40/frames/033/0.png")


def listing(root, **changes):
    """Write a list of DeepfakeBench over `ffpp`, with paths of another machine."""
    far = "D:\\data\\FaceForensics++\\{}\\c23\\frames\\{}\\{}.png"
    videos = lambda label, folder, name: {  # noqa: E731
        name: {
            "label": label,
            "frames": [far.format(folder.replace("/", "\\"), name, i) for i in (9, 0)],
        }
    }
    content = {
        "FF-DF": {
            "FF-real": {"test": {"c23": videos("FF-real", "original_sequences/youtube", "033")}},
            "FF-DF": {
                "test": {"c23": videos("FF-DF", "manipulated_sequences/Deepfakes", "033_097")},
                "train": {"c23": videos("FF-DF", "manipulated_sequences/FaceSwap", "033_097")},
            },
        }
    }
    file = root / "FF-DF.json"
    file.write_text(json.dumps(content).replace(*changes.get("replace", ("", ""))) or "{}")
    return file


def test_a_list_of_deepfakebench(tmp_path, caplog):
    ffpp(tmp_path / "datasets/FaceForensics++")
    file = listing(tmp_path)
    source = open_source([f"deepfakebench:{file}"])
    fake = "FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/033_097"
    real = "FaceForensics++/original_sequences/youtube/c23/frames/033"
    assert list(source.ids) == [f"{v}/{i}.png" for v in (fake, real) for i in (0, 9)]
    assert list(source.labels) == ["fake", "fake", "real", "real"]
    assert list(source.groups) == [fake, fake, real, real]
    assert source.has_reference_masks
    assert [source.reference_mask(i) is None for i in range(4)] == [False, True, True, True]
    assert "split test, of test, train" in caplog.text
    train = open_source([f"deepfakebench:{file}#train/c23"], root=tmp_path / "datasets", frames="1")
    assert [id.split("/")[2:] for id in train.ids] == [
        ["FaceSwap", "c23", "frames", "033_097", "0.png"]
    ]
    by_source = open_source([f"deepfakebench:{file}"], group_by="source")
    assert set(by_source.groups) == {"033"}
    named = open_source([f"deepfakebench:{file}"], labels=["a=FF-real", "b=*"])
    assert list(named.labels) == ["b", "b", "a", "a"]


@pytest.mark.parametrize(
    ("part", "replace", "message"),
    [
        ("", ("data", "data\\\\.."), r"has the frame 'D:.*give a path"),
        ("", ("c23", "c29"), "no frame of 2 videos is below .*give the folder"),
        ("#val", ("", ""), "has no split or compression 'val': there are test, train, c23"),
        ("", ('"FF-DF", "frames"', '"FF-DF", "images"'), "is no object of DeepfakeBench"),
        ("", ('"label": "FF-DF"', '"label": 3'), 'has no text "label" or no list "frames"'),
        ("", ("{", "[["), "cannot be read as JSON"),
    ],
)
def test_unusable_lists(tmp_path, part, replace, message):
    ffpp(tmp_path / "FaceForensics++")
    with pytest.raises(InputError, match=message):
        open_source([f"deepfakebench:{listing(tmp_path, replace=replace)}{part}"])


def test_missing_frames_are_skipped_one_by_one(tmp_path):
    root = ffpp(tmp_path / "FaceForensics++")
    (root / "original_sequences/youtube/c23/frames/033/9.png").unlink()
    source = open_source([f"deepfakebench:{listing(tmp_path)}"])
    assert len(source.ids) == 4
    with pytest.raises(Unreadable, match="No such file"):
        source.read(3)


def test_faceforensics(tmp_path):
    root = ffpp(tmp_path / "ff")
    (root / "test.json").write_text('[["033", "097"]]')
    (root / "val.json").write_text('[["1"]]')
    source = open_source([f"ffpp:{root}#test/c23"])
    assert list(source.labels) == ["fake"] * 4 + ["real"] * 4
    assert len({*source.groups}) == 4
    assert source.reference_mask(0) is not None
    assert {*open_source([f"ffpp:{root}#c23"], group_by="source").groups} == {"033"}
    for part, message in [
        ("", "has the compressions c23, c40, of the same videos: choose one"),
        ("#c99", "has no 'c99': give one of c23, c40, train"),
        ("#train", "train.json does not exist"),
        ("#val", "is not a list of pairs"),
    ]:
        with pytest.raises(InputError, match=message):
            open_source([f"ffpp:{root}{part}"])
    with pytest.raises(InputError, match=r"is not FaceForensics|contains no image or video in"):
        open_source([f"ffpp:{tmp_path}"])


def test_celeb_df(tmp_path, caplog):
    clips = ("Celeb-real", "id0_0001"), ("YouTube-real", "00170")
    clips += tuple(("Celeb-synthesis", f"id0_id{i}_0001") for i in (1, 2))
    files = [f"{folder}/frames/{name}/0.png" for folder, name in clips]
    write(tmp_path, *files)
    lines = "1 YouTube-real/00170.mp4\n0 Celeb-synthesis/id0_id1_0001.mp4\n1 Celeb-real/id9_1.mp4"
    (tmp_path / "List_of_testing_videos.txt").write_text(lines)
    source = open_source([f"celebdf:{tmp_path}#test"])
    assert list(source.ids) == [files[2], files[1]]
    assert list(source.labels) == ["fake", "real"]
    assert "1 of 3 videos are missing, Celeb-real/id9_1 first" in caplog.text
    by_identity = open_source([f"celebdf:{tmp_path}"], group_by="identity")
    assert list(by_identity.groups) == ["id0", "id0", "id0", None]
    (tmp_path / "List_of_testing_videos.txt").write_text("nothing here\n")
    with pytest.raises(InputError, match="has other lines than"):
        open_source([f"celebdf:{tmp_path}#test"])


def test_dfdc(tmp_path, caplog):
    write(tmp_path, "part_0/frames/a/0.png", "part_0/frames/b/0.png", "part_1/frames/c/0.png")
    fake = {"label": "FAKE", "split": "train", "original": "b.mp4"}
    (tmp_path / "part_0/metadata.json").write_text(
        json.dumps({"a.mp4": fake, "b.mp4": {"label": "REAL", "split": "train"}, "z.mp4": fake})
    )
    (tmp_path / "part_1/metadata.json").write_text('{"c.mp4": {"is_fake": 0}}')
    source = open_source([f"dfdc:{tmp_path}"])
    assert list(source.labels) == ["fake", "real", "real"]
    assert list(source.groups) == ["part_0/a", "part_0/b", "part_1/c"]
    assert [*open_source([f"dfdc:{tmp_path}"], group_by="source").groups] == ["b", "b", "c"]
    assert "1 of 4 listed videos are missing and left out" in caplog.text
    with pytest.raises(
        InputError, match="none of 4 listed videos of test is there: give one of train"
    ):
        open_source([f"dfdc:{tmp_path}#test"])
    (tmp_path / "part_1/metadata.json").write_text('{"c.mp4": {"label": "MAYBE"}}')
    with pytest.raises(InputError, match=r"the label of 'c.mp4' is 'MAYBE', expected REAL or FAKE"):
        open_source([f"dfdc:{tmp_path}"])


def test_genimage(tmp_path):
    write(tmp_path, *(f"{g}/{s}/{c}/0.png" for g in ("ADM", "Stable Diffusion V1.4")
                      for s in ("train", "val") for c in ("ai", "nature")))  # fmt: skip
    source = open_source([f"genimage:{tmp_path}#val/Stable Diffusion V1.4"])
    assert list(source.labels) == ["fake", "real"]
    assert list(source.groups) == [None, None]
    assert len(open_source([f"genimage:{tmp_path}/ADM"]).ids) == 4
    with pytest.raises(
        InputError, match=r"has no 'x': give one of ADM, Stable Diffusion V1.4, train"
    ):
        open_source([f"genimage:{tmp_path}#x"])


def test_several_data_sets_in_one_run(tmp_path, faces):
    for name in ("a", "b"):
        write(tmp_path / name / "faces", "real/033/0.png", "fake/033/0.png")
    texts = [f"folder:{tmp_path}/{name}/faces/{{label}}/{{group}}/*.png" for name in "ab"]
    source = open_source([*texts, f"{faces}/test"], labels=["real=real,youtube", "fake=*"])
    expected = [f"{n}/faces/{c}/033" for n in "ab" for c in ("fake", "real")]
    assert list(source.ids)[:4] == [f"{group}/0.png" for group in expected]
    assert list(source.groups)[:4] == expected
    assert list(source.labels)[:6] == ["fake", "real", "fake", "real", "fake", "fake"]
    assert len({*source.ids}) == len(source.ids)
    named = open_source([f"x={faces}/train", texts[0]], labels=["y=real", "z=*"])
    assert [*named.labels] == ["x", "x", "z", "y"]
    same = f"folder:{tmp_path}/a/faces/{{label}}/{{source}}/*.png"
    with pytest.raises(InputError, match="two sources are called 'faces' and are both of"):
        open_source([texts[0], same])
