"""S3 and Google Storage through local servers that stand for them: objects, permissions, names."""

import io
import socket
from urllib.parse import quote
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from salix.data import Unreadable, filesystems, open_source
from salix.data.content import source_identity
from salix.typing import InputError

pytestmark = pytest.mark.slow
FILES = {"real/a.png": 1, "real/b.png": 2, "fake/c.png": 3}


def png(grey):
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def greys(source):
    return [int(np.asarray(source.read(i)).max()) for i in range(len(source.ids))]


@pytest.fixture(scope="module")
def bucket():
    """Address of a bucket with images, which a server of moto has, and its client."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    keys |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in keys.items():
            patch.setenv(name, value)
        patch.setattr(filesystems, "WAITS", ())
        client = boto3.client("s3")
        client.create_bucket(Bucket="faces")
        for name, grey in FILES.items():
            client.put_object(Bucket="faces", Key=name, Body=png(grey))
        table = b"path,label\nreal/b.png,real\nfake/c.png,fake\n"
        client.put_object(Bucket="faces", Key="list.csv", Body=table)
        yield client
    server.stop()


def test_a_bucket(bucket):
    source = open_source(["s3://faces"])
    assert [*source.ids] == sorted(FILES)
    assert [*source.labels] == ["fake", "real", "real"]
    assert greys(source) == [3, 1, 2]
    assert greys(open_source(["s3://faces/list.csv"])) == [3, 2]
    assert [*open_source(["s3://faces/*/a.png"]).ids] == ["real/a.png"]
    before = source_identity(source, full=False)
    assert before == source_identity(open_source(["s3://faces"]), full=False)
    bucket.put_object(Bucket="faces", Key="real/a.png", Body=png(9))
    assert source_identity(open_source(["s3://faces"]), full=False) != before
    bucket.put_object(Bucket="faces", Key="real/a.png", Body=png(1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3://none", "s3://none cannot be listed: not found"),
        ("s3://faces/nothing", "s3://faces/nothing (cannot be listed: not found|has no image)"),
        ("s3://faces/none.csv", "s3://faces/none.csv cannot be read as CSV: not found"),
        ("s3://faces/none.tar", "s3://faces/none.tar cannot be read: not found"),
    ],
)
def test_missing_objects_are_one_line(bucket, text, message):
    with pytest.raises(InputError, match=message) as error:
        open_source([text])
    assert "\n" not in str(error.value)


def test_a_missing_object_is_a_skipped_row(bucket):
    source = open_source(["s3://faces/gone.png"])
    with pytest.raises(Unreadable, match=r"^not found"):
        source.read(0)


def test_a_bucket_without_permission_is_one_line(bucket, monkeypatch):
    source = open_source(["s3://faces"])
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)  # no user has any
    for text in ("s3://faces", "s3://faces/list.csv", "s3://faces/a.tar"):
        with pytest.raises(InputError, match=rf"{text} .*: no permission: check the address") as e:
            open_source([text])
        assert "\n" not in str(e.value)
    with pytest.raises(Unreadable, match=r"^no permission"):
        source.read(0)


def test_a_bucket_of_google(monkeypatch):
    pytest.importorskip("gcsfs")
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="faces")
    server.start()
    try:
        host = f"http://127.0.0.1:{port}"
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
        monkeypatch.setattr(filesystems, "WAITS", ())
        for name, grey in FILES.items():
            address = f"{host}/upload/storage/v1/b/faces/o?uploadType=media&name={quote(name, '')}"
            urlopen(Request(address, png(grey), {"Content-Type": "image/png"})).close()
        source = open_source(["gs://faces"])
        assert [*source.ids] == sorted(FILES)
        assert greys(source) == [3, 1, 2]
        assert source_identity(source, full=False) == source_identity(source, full=False)
        for text in ("gs://faces/nothing", "gs://none"):
            with pytest.raises(InputError, match=f"{text} (cannot be listed|has no image)"):
                open_source([text])
    finally:
        server.stop()
