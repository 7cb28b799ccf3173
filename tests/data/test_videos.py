"""Frames of video files: their positions, order, times and damage."""

import pickle
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import salix
from salix.attribution import Gradient
from salix.data import Unreadable, open_source, video_frames
from salix.data.videos import frame_id, probe, split_frame_id
from salix.typing import InputError
from tests.data.video_files import grey_of, write_video

pytest.importorskip("av")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    write_video(root / "real/a.mp4")
    write_video(root / "fake/a.avi")
    write_video(root / "fake/b.mkv", frames=3)
    return root


def read(source):
    """Return the position that each row shows, or why it shows none."""
    shown = []
    for i in range(len(source.ids)):
        try:
            shown.append(grey_of(source.read(i)))
        except Unreadable as error:
            shown.append(str(error))
    return shown


@pytest.mark.parametrize("suffix", ["mp4", "mov", "avi", "mkv", "webm"])
def test_frames_are_those_of_their_positions(tmp_path, suffix):
    path = write_video(tmp_path / f"a.{suffix}")
    assert probe(path) == (12, 10.0)
    source = open_source([f"videos:{tmp_path}"], frames="at:0,5,11")
    assert list(source.ids) == [frame_id(path.name, i, 10.0) for i in (0, 5, 11)]
    assert read(source) == [0, 5, 11]


def test_packets_of_vp8_that_are_never_shown(tmp_path):
    assert probe(write_video(tmp_path / "a.webm", frames=40, codec="libvpx")).frames == 40


def test_rows_of_videos(clips):
    source = open_source([f"videos:{clips}"], frames="4")
    assert list(source.ids)[:5] == [
        *(f"fake/a.avi#frame={i}&t={i / 10:.3f}" for i in (0, 3, 7, 11)),
        "fake/b.mkv#frame=0&t=0.000",
    ]
    assert list(source.groups)[3:5] == ["fake/a.avi", "fake/b.mkv"]
    assert [str(label) for label in source.labels] == ["fake"] * 7 + ["real"] * 4
    assert read(source) == [0, 3, 7, 11, 0, 1, 2, 0, 3, 7, 11]
    copy = pickle.loads(pickle.dumps(source))  # as processes that decode have it
    assert copy.labels[0].folders == ("fake",)
    assert grey_of(copy.read(1)) == 3
    named = open_source([f"x=videos:{clips}/fake", f"folder:{clips}/{{label}}/{{group}}.mp4"])
    assert len(named.ids) == 15 + 12
    assert list(named.ids)[-1] == "videos/real/a.mp4#frame=11&t=1.100".replace("videos", clips.name)


def test_threads_decode_a_video_once(clips, monkeypatch):
    """Rows in any order have the pixels of one pass, and the decoder opens the file once."""
    openings = []
    opened = video_frames.opened
    monkeypatch.setattr(video_frames, "opened", lambda path: openings.append(path) or opened(path))
    source = open_source([f"videos:{clips}/real"], frames="12")
    order = [3, 0, 1, 2, 7, 6, 5, 4, 11, 8, 9, 10]
    with ThreadPoolExecutor(4) as pool:
        assert [grey_of(p) for p in pool.map(source.read, order)] == order
    assert len(openings) == 1
    assert not video_frames._DECODERS[clips / "real/a.mp4"]._waiting
    monkeypatch.setattr(video_frames, "MAX_WAITING", 5_000)  # one frame of 32 x 48
    assert [grey_of(source.read(i)) for i in order] == order
    assert len(openings) > 2


def test_damaged_videos_are_rows_with_the_reason(tmp_path):
    whole = write_video(tmp_path / "a.avi").read_bytes()
    (tmp_path / "b.avi").write_bytes(whole[:40])
    late = bytearray(write_video(tmp_path / "c.mp4").read_bytes())
    start = late.index(b"mdat") + 4
    middle = start + (late.index(b"moov") - start) // 2
    late[middle : middle + 100] = bytes(100)
    (tmp_path / "c.mp4").write_bytes(late)
    (tmp_path / "d.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    (tmp_path / "e.webm").write_bytes(b"")
    cut = write_video(tmp_path / "f.mkv").read_bytes()
    (tmp_path / "f.mkv").write_bytes(cut[: len(cut) * 2 // 3])
    source = open_source([f"videos:{tmp_path}"], frames="12")
    shown = dict(zip(source.ids, read(source), strict=True))
    by_file = {f: [v for id, v in shown.items() if id.startswith(f)] for f in "abcdef"}
    assert by_file["a"] == list(range(12))
    assert len(by_file["b"]) == len(by_file["d"]) == len(by_file["e"]) == 1
    assert "Error" in by_file["b"][0]
    assert by_file["d"] == ["no MP4, MOV, AVI, MKV or WebM file"]
    assert by_file["e"] == ["empty file"]
    assert len(by_file["c"]) == 12
    assert all(v == i or "damaged" in str(v) for i, v in enumerate(by_file["c"]))
    assert any("damaged" in str(v) for v in by_file["c"])
    assert all(v == i or "damaged" in str(v) for i, v in enumerate(by_file["f"]))
    assert isinstance(source.identity()["images"], str)


def test_a_turned_video_is_upright(tmp_path):
    path = write_video(tmp_path / "a.mp4", size=(32, 48))
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    turn = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    content[matrix : matrix + 36] = turn
    path.write_bytes(content)
    assert open_source([f"videos:{tmp_path}"], frames="1").read(0).shape == (48, 32, 3)


def test_videos_of_faceforensics_with_masks(tmp_path):
    write_video(tmp_path / "original_sequences/youtube/c23/videos/033.mp4", frames=3)
    write_video(tmp_path / "manipulated_sequences/Face2Face/c23/videos/033_097.mp4", frames=3)
    write_video(tmp_path / "manipulated_sequences/Face2Face/masks/videos/033_097.mp4", frames=3)
    source = open_source([f"ffpp:{tmp_path}"], frames="at:0,2", group_by="source")
    assert list(source.labels) == ["fake", "fake", "real", "real"]
    assert set(source.groups) == {"033"}
    assert read(source) == [0, 2, 0, 2]
    assert grey_of(source.reference_mask(1)) == 2
    assert source.reference_mask(3) is None
    videos = open_source([f"ffpp:{tmp_path}"], frames="1").groups
    assert list(videos) == [
        "manipulated_sequences/Face2Face/c23/videos/033_097",
        "original_sequences/youtube/c23/videos/033",
    ]


def test_ids_of_frames():
    assert split_frame_id("a/b.MP4#frame=12&t=0.480") == ("a/b.MP4", 12, 0.48)
    assert split_frame_id("a.webm#frame=0") == ("a.webm", 0, None)
    for id in ("a.png#frame=12", "a.mp4", "#frame=1", "a.mp4#frame=x"):
        assert split_frame_id(id) == (id, None, None)


def test_without_pyav_the_command_says_what_to_install(clips, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(InputError, match=r"videos need PyAV: pip install 'salix\[video\]'"):
        open_source([f"videos:{clips}"])


@pytest.mark.slow
def test_a_sweep_of_videos_has_frames_and_times_and_resumes(clips, tmp_path):
    model, params = salix.load("small")
    source = open_source([f"videos:{clips}"], frames="3")
    run = salix.sweep(model, params, source, Gradient(), out=tmp_path / "run", batch_size=4)
    rows = {name: run.table[name].to_pylist() for name in ("id", "frame", "frame_time", "group")}
    assert rows["frame"] == [0, 5, 11, 0, 1, 2, 0, 5, 11]
    assert np.allclose(rows["frame_time"], np.array(rows["frame"]) / 10)
    assert len({*rows["group"]}) == 3
    again = salix.sweep(model, params, source, Gradient(), out=tmp_path / "run", batch_size=4)
    assert again.table.equals(run.table)
