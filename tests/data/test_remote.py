"""Remote files through fsspec: in memory, in zip files, and of a web server on this machine."""

import errno
import io
import logging
import os
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import numpy as np
import pytest
from PIL import Image

from salix.cli import main
from salix.data import Folder, Shards, Table, Unreadable, filesystems, open_source, remote
from salix.data.content import UNREADABLE, file_digest
from salix.data.url import Url, is_url, public
from salix.store import Run
from salix.typing import InputError


def png(grey):
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def greys(source):
    return [int(np.asarray(source.read(i)).max()) for i in range(len(source.ids))]


FILES = {"real/a.png": png(1), "real/b.png": png(2), "fake/c.png": png(3), ".x/d.png": png(4)}
FILES |= {"notes.txt": b"text", "list.csv": b"path,label\nreal/b.png,real\nfake/c.png,fake\n"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(filesystems, "WAITS", (0.0, 0.0))


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    files.store.clear()
    for name, content in FILES.items():
        files.pipe(f"/bucket/{name}", content)
    yield files
    files.store.clear()


@pytest.fixture
def zipped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("faces.zip", "w") as file:
        for name, content in FILES.items():
            file.writestr(name, content)
    return tmp_path


def test_a_folder_in_memory(memory, caplog):
    source = open_source(["memory://bucket"])
    assert [*source.ids] == ["fake/c.png", "real/a.png", "real/b.png"]
    assert [*source.labels] == ["fake", "real", "real"]
    assert greys(source) == [3, 1, 2]
    assert caplog.messages == ["bucket: 2 files left out: 1 .csv, 1 .txt"]
    assert [*Folder(Url("memory://bucket/real")).ids] == ["a.png", "b.png"]


def test_classes_and_single_images(memory):
    source = open_source(["real=memory://bucket/real", "fake=memory://bucket/fake/c.png"])
    assert [*source.ids] == ["real/a.png", "real/b.png", "fake/c.png"]
    assert [*source.labels] == ["real", "real", "fake"]
    both = open_source(["memory://bucket/real/b.png", "memory://bucket/real/a.png"])
    assert greys(both) == [1, 2]


def test_a_pattern(memory, zipped):
    assert [*open_source(["memory://bucket/*/*.png"]).ids][:2] == ["fake/c.png", "real/a.png"]
    assert [*open_source(["zip://real/*.png::faces.zip"]).ids] == ["a.png", "b.png"]


def test_a_zip_file(zipped):
    source = open_source(["zip://::faces.zip"])
    assert [*source.ids] == ["fake/c.png", "real/a.png", "real/b.png"]
    assert greys(source) == [3, 1, 2]
    assert greys(open_source(["real=zip://real::faces.zip", "fake=zip://fake::faces.zip"])) == [
        1, 2, 3,
    ]  # fmt: skip
    assert greys(open_source(["zip://list.csv::faces.zip"])) == [3, 2]


def test_hostile_names_in_a_zip_file(zipped):
    with zipfile.ZipFile("faces.zip", "w") as file:
        for name in ("../../up.png", "/etc/abs.png", "a\x1b.png", "ok.png"):
            file.writestr(name, png(1))
    source = open_source(["zip://::faces.zip"])
    assert "ok.png" in source.ids
    assert not any(".." in id or id.startswith("/") or "\x1b" in id for id in source.ids)


def test_a_remote_table(memory):
    source = open_source(["memory://bucket/list.csv"])
    assert [*source.ids] == ["memory://bucket/fake/c.png", "memory://bucket/real/b.png"]
    assert [*source.labels] == ["fake", "real"]
    assert greys(source) == [3, 2]


def test_a_local_table_of_remote_and_local_images_and_masks(memory, tmp_path):
    (tmp_path / "own.png").write_bytes(png(7))
    (tmp_path / "list.csv").write_text(
        "path,label,map\nmemory://bucket/real/a.png,real,memory://bucket/real/b.png\n"
        f"own.png,fake,\nfile://{tmp_path}/other.png,fake,\nmemory://bucket/none.png,fake,\n"
    )
    source = Table(tmp_path / "list.csv")
    assert [*source.ids] == [
        "memory://bucket/none.png", "memory://bucket/real/a.png", "other.png", "own.png",
    ]  # fmt: skip
    assert int(source.reference_mask(1).max()) == 2
    assert int(np.asarray(source.read(3)).max()) == 7
    for index, reason in ((0, "not found"), (2, "No such file")):
        with pytest.raises(Unreadable, match=reason):
            source.read(index)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("/etc/a.png", "list.csv, line 2: path '/etc/a.png' does not lie below the table's folder"),
        ("../../a.png", "does not lie below"),
        ("file:///etc/a.png", "does not lie below"),
        ("zip://a.png::/tmp/x.zip", "does not lie below"),
        ("ssh://host/a.png", "ssh:// is not read: give a path or one of s3://"),
        ("simplecache::s3://b/a.png", "is not read"),
        ("memory://bucket/a.png\nmemory://bucket/a.png", "path .* is empty or repeated"),
    ],
)
def test_rows_of_a_remote_table_that_are_refused(memory, row, message):
    memory.pipe("/bucket/list.csv", f"path\n{row}\n".encode())
    with pytest.raises(InputError, match=message):
        Table(Url("memory://bucket/list.csv"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memory://nowhere", "memory://nowhere .*(not found|has no image)"),
        ("memory://bucket/none.csv", "memory://bucket/none.csv cannot be read as CSV: not found"),
        ("memory://bucket/none.tar", "memory://bucket/none.tar cannot be read: not found"),
        ("real=memory://bucket/list.csv", "a table has its own labels"),
        ("zip://::none.zip", "zip://::none.zip cannot be listed: not found"),
        ("zip://faces.zip", "write zip://::FILE.zip"),
        ("ftp://host/a", "ftp://host/a: ftp:// is not read"),
        ("memory://bucket/*.jpg", "has no image"),
    ],
)
def test_addresses_that_are_refused(memory, zipped, text, message):
    with pytest.raises(InputError, match=message) as error:
        open_source([text])
    assert "\n" not in str(error.value)


def test_a_package_that_is_missing(monkeypatch, tmp_path):
    def missing(protocol):
        raise ImportError(protocol)

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    message = r"s3://b/faces: s3:// needs the package s3fs: pip install 'salix\[remote\]'"
    with pytest.raises(InputError, match=message):
        open_source(["s3://b/faces"])
    (tmp_path / "list.csv").write_text("path\nhttps://host/a.png\n")
    with pytest.raises(InputError, match=r"list.csv, line 2: .*needs the package aiohttp"):
        Table(tmp_path / "list.csv")


class Failing:
    """Error of a service, raised a number of times in the place of an answer."""

    def __init__(self, answer, error, times):
        self.answer, self.error, self.times, self.calls = answer, error, times, 0

    def __call__(self, *args, **options):
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return self.answer(*args, **options)


class ClientResponseError(Exception):
    """As that of aiohttp, with the signed address in its text."""

    def __init__(self, status):
        super().__init__(f"{status}, url='https://user:secret@host/a?X-Amz-Signature=secret'")
        self.status = status


NoCredentialsError = type("NoCredentialsError", (Exception,), {})


@pytest.mark.parametrize(
    ("error", "times", "calls", "reason"),
    [
        (OSError(errno.ECONNRESET, "secret"), 2, 3, None),
        (TimeoutError("secret"), 3, 3, r"no answer in time \(3 attempts\)"),
        (ClientResponseError(503), 1, 2, None),
        (ClientResponseError(503), 9, 3, r"answers with status 503 \(3 attempts\)"),
        (ClientResponseError(403), 9, 1, "no permission: check the address, and the credentials"),
        (PermissionError(errno.EACCES, "secret"), 9, 1, "no permission"),
        (ClientResponseError(418), 9, 1, "the server answers with status 418"),
        (NoCredentialsError("secret"), 9, 1, r"no credentials \(NoCredentialsError\)"),
        (FileNotFoundError("secret"), 9, 1, "not found"),
        (ValueError("secret"), 9, 1, r"cannot be read \(ValueError\)"),
    ],
)  # fmt: skip
def test_failures_of_the_network(memory, monkeypatch, error, times, calls, reason):
    source = open_source(["memory://bucket"])
    files = filesystems.filesystem(Url("memory://bucket"))[0]
    failing = Failing(files.cat_file, error, times)
    monkeypatch.setattr(files, "cat_file", failing)
    if reason is None:
        source.read(0)
    else:
        with pytest.raises(Unreadable, match=reason) as raised:
            source.read(0)
        assert "secret" not in str(raised.value)
    assert failing.calls == calls
    failing = Failing(files.find, error, times)
    monkeypatch.setattr(files, "find", failing)
    if reason is not None:
        message = f"memory://bucket cannot be listed: .*{reason}"
        with pytest.raises(InputError, match=message) as raised:
            open_source(["memory://bucket"])
        assert "secret" not in str(raised.value)


def test_a_file_that_is_too_large(memory, monkeypatch):
    monkeypatch.setattr(remote, "MAX_FILE", 20)
    with pytest.raises(Unreadable, match="file of over 0 MB"):
        open_source(["memory://bucket"]).read(0)


@pytest.mark.parametrize(
    ("full", "shown"),
    [
        ("s3://key:secret@bucket/a b.png", "s3://bucket/a b.png"),
        ("https://u:p@h:80/a.png?X-Amz-Signature=s&X-Amz-Date=1&id=7#x", "https://h:80/a.png?id=7"),
        ("https://h/a?sv=1&sig=s&se=2&token=3&size=9", "https://h/a?size=9"),
        ("zip://a.png::https://u:p@h/x.zip?Signature=1", "zip://a.png::https://h/x.zip"),
        ("hf://datasets/o/r@main/a.png", "hf://datasets/o/r@main/a.png"),
    ],
)
def test_credentials_of_addresses_are_not_shown(full, shown):
    url = Url(full)
    assert (public(full), str(url), repr(url)) == (shown, shown, "Url()")


def test_parts_of_addresses():
    url = Url("zip://a/b.csv::s3://bucket/x.zip")
    assert (url.name, url.suffix, str(url.parent)) == (
        "b.csv",
        ".csv",
        "zip://a/::s3://bucket/x.zip",
    )
    assert str(url.parent / "c/d.png") == "zip://a/c/d.png::s3://bucket/x.zip"
    assert Url("zip://::a/x.zip").name == "x.zip"
    assert str(Url("https://h/a/b.csv?sig=1").parent / "c.png") == "https://h/a/c.png"
    assert [is_url(t) for t in ("a::b.png", "C:\\x", "x=s3://b", "a/b.png", "s3://b")] == [
        False, False, False, False, True,
    ]  # fmt: skip


def test_the_identity_is_a_checksum_or_the_content(memory, zipped, monkeypatch):
    assert file_digest(Url("memory://bucket/real/a.png")) == file_digest(
        Url("memory://bucket/real/a.png"), full=True
    )
    (zipped / "a.png").write_bytes(png(1))
    own = file_digest(zipped / "a.png", full=True)
    url = Url("zip://real/a.png::faces.zip")
    assert file_digest(url, full=True) == own
    assert "CRC" in file_digest(url)
    assert file_digest(Url("memory://bucket/none.png")) == UNREADABLE
    large = np.random.default_rng(0).bytes(1 << 20)
    memory.pipe("/bucket/large", large)
    (zipped / "large").write_bytes(large)
    monkeypatch.setattr(remote, "MAX_FILE", 1 << 19)  # in pieces
    for full in (False, True):
        assert file_digest(Url("memory://bucket/large"), full=full) == file_digest(
            zipped / "large", full=full
        )


def test_tar_shards_in_memory(memory):
    for k in range(2):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            for name, data in ((f"{k}.png", png(k)), (f"{k}.cls", b"1")):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        memory.pipe(f"/tars/s-{k}.tar", content.getvalue())
    for text in ("memory://tars/s-{0..1}.tar", "memory://tars"):
        source = open_source([text])
        assert isinstance(source, Shards)
        assert [*source.ids] == ["s-0/0", "s-1/1"]
        assert greys(source) == [0, 1]
        assert source.identity() != source.identity(full=True)["index"]
    with pytest.raises(InputError, match=r"s-2\.tar cannot be read: not found"):
        open_source(["memory://tars/s-{0..2}.tar"])


@contextmanager
def web_server(folder):
    """Serve a folder; `flaky` fails once, `secret` is refused, `half` breaks off."""
    seen = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            path = self.path.partition("?")[0]
            if "gone" in path:
                return self.send_error(404)
            if "secret" in path:
                return self.send_error(403)
            if "flaky" in path and seen.count(self.path) == 1:
                return self.send_error(503)
            if "half" in path:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                return self.wfile.write(b"half")
            return super().do_GET()

        def log_message(self, *_):
            pass

    def handler(*args):
        return Handler(*args, directory=str(folder))

    with serving(handler) as address:
        yield address


@contextmanager
def serving(handler):
    """Run a web server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def web(tmp_path):
    pytest.importorskip("aiohttp")
    for name, content in FILES.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for name in ("flaky", "half", "secret"):
        (tmp_path / "site" / f"{name}.png").write_bytes(png(9))
    with web_server(tmp_path / "site") as address:
        yield address


def test_a_folder_and_a_table_of_a_web_server(web):
    source = open_source([f"{web}/real"])
    assert [*source.ids] == ["a.png", "b.png"]
    assert greys(source) == [1, 2]
    assert [*open_source([web]).ids][:2] == ["fake/c.png", "flaky.png"]
    assert greys(open_source([f"{web}/list.csv"])) == [3, 2]
    with pytest.raises(InputError, match="cannot be listed: not found"):
        open_source([f"{web}/none/"])
    same = file_digest(Url(f"{web}/real/a.png"))
    assert same == file_digest(Url("memory://none")) or len(same) == 64


def test_a_folder_of_a_web_server_of_which_a_part_cannot_be_listed(web, tmp_path):
    (tmp_path / "site" / "real" / "gone").mkdir()
    with pytest.raises(InputError, match="/real cannot be listed: not found"):
        open_source([f"{web}/real"])


@pytest.mark.slow
def test_a_sweep_over_links_of_which_some_fail(web, tmp_path, capfd, caplog):
    caplog.set_level(logging.DEBUG, logger="salix")
    signed = web.replace("http://", "http://user:pass@")
    links = [f"{signed}/{n}?X-Amz-Signature=5e1f" for n in ("real/a.png", "flaky.png")]
    links += [f"{web}/{n}" for n in ("half.png", "secret.png", "none.png", "notes.txt")]
    links += ["http://127.0.0.1:9/closed.png"]
    (tmp_path / "links.csv").write_text("\n".join(["path", *links]) + "\n")
    out = tmp_path / "run"
    data = ["--model", "small", "--data", str(tmp_path / "links.csv"), "--out", str(out)]
    assert main(["sweep", *data, "--attribution", "Gradient()", "--maps", "none"]) == 0
    rows = Run(out).table.to_pydict()
    reasons = {
        id.rpartition("/")[2]: reason
        for id, reason in zip(rows["id"], rows["skipped"], strict=True)
    }
    assert reasons["a.png"] is reasons["flaky.png"] is None
    assert reasons["half.png"].endswith("(3 attempts)")
    assert reasons["secret.png"].startswith("no permission")
    assert reasons["none.png"] == "not found"
    assert reasons["closed.png"].startswith("network error: Connection refused")
    written = b"".join(p.read_bytes() for p in out.rglob("*") if p.is_file())
    told = "".join(capfd.readouterr()) + caplog.text
    for secret in ("5e1f", "user:pass"):
        assert secret.encode() not in written
        assert secret not in told
    assert main(["sweep", *data, "--attribution", "Gradient()", "--maps", "none"]) == 0


def test_shards_of_a_server_that_sends_no_parts(web, tmp_path):
    with tarfile.open(tmp_path / "site" / "a.tar", "w") as tar:
        for name in ("real/a.png", "real/b.png"):
            tar.add(tmp_path / "site" / name, name)
    os.truncate(tmp_path / "site" / "a.tar", 1 << 23)
    with pytest.raises(InputError, match=r"a.tar .*does not send parts of files") as error:
        open_source([f"{web}/a.tar"])
    assert "\n" not in str(error.value)


def test_shards_of_a_server_that_sends_parts(web, tmp_path):
    with tarfile.open(tmp_path / "site" / "a.tar", "w") as tar:
        for name in ("real/a.png", "real/b.png"):
            tar.add(tmp_path / "site" / name, name)

    class Ranges(SimpleHTTPRequestHandler):
        def do_GET(self):
            content = (tmp_path / "site" / self.path[1:]).read_bytes()
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            part = content[int(first) : int(last) + 1]
            self.send_response(206)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            self.end_headers()
            self.wfile.write(part)

        def do_HEAD(self):
            self.send_response(200)
            self.send_header("ETag", '"5"')
            self.send_header("Content-Length", str((tmp_path / "site" / "a.tar").stat().st_size))
            self.end_headers()

        def log_message(self, *_):
            pass

    with serving(Ranges) as address:
        source = open_source([f"{address}/a.tar"])
        assert [*source.ids] == ["real/a", "real/b"]
        assert greys(source) == [1, 2]
        assert file_digest(Url(f"{address}/a.tar")) == '10240 ETag "5"'
