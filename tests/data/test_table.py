"""Tables as people write them: dialects, encodings, spellings of columns and paths."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from salix.data import Table, Unreadable
from salix.data.class_labels import class_indices
from salix.typing import InputError

EXPECTED = [("fake/ö, 1.png", "fake", "v2"), ("real/0.png", "real", "v1")]


@pytest.fixture
def folder(tmp_path):
    for name, _, _ in EXPECTED:
        (tmp_path / name).parent.mkdir()
        Image.fromarray(np.full((3, 3), 5, np.uint8)).save(tmp_path / name)
    return tmp_path


def table(folder, content, name="list.csv"):
    content = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(content)
    return Table(folder / name)


def rows(source):
    return [*zip(source.ids, source.labels, source.groups, strict=True)]


CSV = 'path,label,group\nreal/0.png,real,v1\n"fake/ö, 1.png",fake,v2\n'


@pytest.mark.parametrize(
    "content",
    [
        CSV,
        CSV.replace("\n", "\r\n"),
        CSV.replace("\n", "\r"),  # of old Macintoshes
        CSV.encode("utf-8-sig"),
        CSV.encode("utf-16"),
        CSV.encode("utf-16-le"),
        CSV.encode("utf-16-be"),
        b"\xfe\xff" + CSV.encode("utf-16-be"),
        CSV.replace(",", ";").replace("ö;", "ö,"),
        CSV.replace(",", "\t").replace("ö\t", "ö,"),
        CSV.replace(",", "|").replace("ö|", "ö,"),
        "sep=;\n" + CSV.replace(",", ";").replace("ö;", "ö,"),
        CSV.replace(",", " , ").replace("ö ,  ", "ö, ").replace('" ,', '",'),
        CSV.replace("path,label,group", "Path,LABEL, Group "),
        CSV.replace("path,label,group", '"path","label","group"'),
        CSV.replace("real/0", "./real/0").replace("fake/ö", "fake\\ö"),
        CSV.replace("real/0", "fake/../real//.//0"),
        CSV.replace("real,v1", '"real ",v1  '),
        "\n\n" + CSV.replace("\n", "\n\n") + ",,\n , ,\n\n",
        CSV.replace("path,", "id,path,").replace("real/", "7,real/").replace('"fake', '8,"fake'),
        'group,age,path,label\nv1,3,real/0.png,real\nv2,,"fake/ö, 1.png",fake\n',
    ],
)
def test_dialects_of_csv_are_one_table(folder, content, caplog):
    assert rows(table(folder, content)) == EXPECTED
    assert not caplog.messages
    assert np.asarray(table(folder, content).read(0)).max() == 5


def test_a_table_that_is_not_utf_8_says_so(folder, caplog):
    assert rows(table(folder, CSV.encode("latin-1"))) == EXPECTED
    assert caplog.messages == ["list.csv is not UTF-8 (byte 42): read as Windows-1252"]


@pytest.mark.parametrize("name", ["a.tsv", "A.TSV", "a.tab"])
def test_a_tsv_has_tabs_also_where_its_header_has_commas(folder, name):
    text = "path\tlabel\tgroup\tx,y,z,w\nreal/0.png\treal\tv1\nfake/ö, 1.png\tfake\tv2\n"
    assert rows(table(folder, text, name)) == EXPECTED


RECORDS = [
    {"path": "./real/0.png", "label": "real", "group": "v1", "age": 3},
    {"path": "fake/ö, 1.png", "group": "v2", "label": "fake", "box": [1, 2]},
]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", "".join(json.dumps(r) + "\n" for r in RECORDS)),
        ("a.ndjson", "\n\n".join(json.dumps(r) for r in RECORDS)),
        ("a.JSONL", b"\xef\xbb\xbf" + "\r\n".join(json.dumps(r) for r in RECORDS).encode()),
        ("a.json", json.dumps(RECORDS, ensure_ascii=False, indent=2)),
    ],
)
def test_json_is_the_same_table(folder, name, content):
    assert rows(table(folder, content, name)) == EXPECTED


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        (pa.string(), "real"),
        (pa.large_string(), "real"),
        (pa.dictionary(pa.int32(), pa.string()), "real"),
        (pa.binary(), "real"),
        (pa.int64(), 0),
        (pa.uint8(), 0),
        (pa.float64(), 0),
    ],
)
def test_parquet_is_the_same_table(folder, kind, label):
    values = ["real", "fake"] if label == "real" else [0, 1]
    paths = [r["path"] for r in RECORDS]
    columns = {"Path": paths, "label": pa.array(values, kind), "group": ["v1", "v2"]}
    pq.write_table(pa.table(columns), folder / "a.parquet")
    source = Table(folder / "a.parquet")
    assert [*source.ids] == [path for path, _, _ in EXPECTED]
    assert [*source.groups] == ["v2", "v1"]
    assert class_indices(source.labels, source.ids, ["real", "fake"], model="m") == (1, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *(("a.png", other) for other in ("./a.png", "x/../a.png", "{}/a.png", ".//a.png")),
        *(
            ("d/a.png", other)
            for other in ("d\\a.png", "d//a.png", "./d/./a.png", "{}/d/../d/a.png")
        ),
        *(("../{name}/a.png", other) for other in ("a.png", "{}/a.png")),
        (" a.png ", "a.png"),
    ],
)
def test_spellings_of_one_path_are_repeats(tmp_path, first, second):
    text = "path\n" + "".join(
        p.replace("{}", str(tmp_path)).replace("{name}", tmp_path.name) + "\n"
        for p in (first, second)
    )
    with pytest.raises(
        InputError, match=r"line 3: path '.*a.png' is empty or repeated \(.* line 2"
    ):
        table(tmp_path, text)


def test_absolute_paths_and_what_is_not_a_spelling(folder):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "list.csv").write_text(f"path\n{folder}/real/0.png\n{elsewhere}/x.png\n")
    source = Table(elsewhere / "list.csv")
    assert [*source.ids] == [f"{folder}/real/0.png", "x.png"]
    assert np.asarray(source.read(0)).max() == 5
    (folder / "real" / "a\\b.png").write_bytes((folder / "real/0.png").read_bytes())
    (folder / " spaced.png ").write_bytes((folder / "real/0.png").read_bytes())
    (folder / "link").symlink_to(elsewhere)  # link/.. is not this folder
    source = table(
        folder, 'path\nreal/a\\b.png\n" spaced.png "\nlink/../real/0.png\nA.png\na.png\n'
    )
    assert [*source.ids] == [
        *(" spaced.png ", "A.png", "a.png", "real/0.png", "real/a\\b.png"),
    ]
    (elsewhere / "deep").mkdir()
    (folder / "link").unlink()
    (folder / "link").symlink_to(elsewhere / "deep")
    assert [*table(folder, "path\nlink/../x.png\n").ids] == ["link/../x.png"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        *((f"{name},label", f"column '{name}', expected path.* did you mean path")
          for name in ("filepath", "file_path", "File Name", "image", "img-path", "pth", "paht")),
        *((f"path,{name}", f"column '{name}', .* did you mean label")
          for name in ("lable", "class", "Target", "class_name", "labels", "label_id", "Labell")),
        *((f"path,{name}", f"column '{name}', .* did you mean (group|map)")
          for name in ("gruop", "grop", "mapp")),
        ("path,label,Label", "several columns label: keep one"),
        ("path,PATH", "several columns path"),
        ("a.png,real", r"no header: its first line is 'a.png, real'; write .* path,label"),
        ("real/0.jpg", r"no header: its first line is 'real/0.jpg'; .*for example path$"),
        ("path label", "'path label' is one column: separate columns by commas"),
        ("x,y", "has columns x, y: expected path, label, map, group"),
        ("", "cannot be read as CSV: it is empty"),
    ],
)  # fmt: skip
def test_headers_that_mean_something_else(tmp_path, header, message):
    with pytest.raises(InputError, match=rf"list.csv.*{message}"):
        table(tmp_path, f"{header}\na.png{',b' * header.count(',')}\n" if header else "")


@pytest.mark.parametrize("name", ["video", "identity", "subject_id", "mask", "heatmap"])
def test_names_that_may_mean_a_column_are_logged(tmp_path, caplog, name):
    assert [*table(tmp_path, f"path,{name}\na.png,b\n").ids] == ["a.png"]
    (message,) = caplog.messages
    assert message.startswith(f"list.csv: column '{name}' is ignored: name it ")
    caplog.clear()
    table(tmp_path, f"path,{name},label,map,group,age,x,y,w\na.png,b\n")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "path,label\n\n,\n", "no row below its header"),
        ("a.csv", 'path,label\n"a.png,real\nb.png,real\n', r"line 3: .*line break.*close the quot"),
        ("a.csv", "path\n" + "x" * 140_000, "cannot be read as CSV: field larger"),
        ("a.csv", b"path\na\0b.png\n", "null character"),
        ("a.csv", "path,label\na.png,real,x\n", "line 2 has more fields than columns"),
        ("a.parquet", b"PAR1 no", "cannot be read as Parquet"),
        ("a.json", '{"path": "a.png"}', "cannot be read as JSON: expected a list of objects"),
        ("a.json", "[1]", "row 1 is no object"),
        ("a.json", "[" * 100_000, "cannot be read as JSON"),
        ("a.jsonl", '{"path": "a.png"}\n{"path": ', "cannot be read as JSONL: "),
        ("a.jsonl", '{"path": "a.png"}\n\n["b.png"]\n', "line 3 is no object"),
        ("a.jsonl", '{"path": 3}', "line 1: path 3 is a int: give the path"),
        ("a.jsonl", '{"path": "a.png", "label": true}', "line 1: label True is a bool"),
        ("a.jsonl", '{"path": "a.png", "label": [1, 0]}', r"line 1: label \[1, 0\] is a list"),
        ("a.jsonl", '{"path": "a.png", "label": 0.5}', "line 1: label 0.5 is a float"),
        ("a.jsonl", '{"file": "a.png"}', "a column 'file', expected path"),
        ("folder.csv", None, "folder.csv cannot be read as CSV: a folder, not a file"),
        ("none.csv", None, "none.csv cannot be read as CSV: No such file"),
    ],
)
def test_files_that_are_no_table(tmp_path, name, content, message):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=message):
        Table(tmp_path / name) if content is None else table(tmp_path, content, name)


def test_missing_labels_and_groups_of_json_and_names_that_are_not_utf_8(tmp_path):
    text = (
        '{"path": "a.png", "label": null, "group": NaN}\n{"path": "b\\udce9.png", "label": NaN}\n'
    )
    source = table(tmp_path, text, "a.jsonl")
    assert rows(source) == [("a.png", None, None), ("b\\xe9.png", None, None)]
    Path(tmp_path / "b\udce9.png").write_bytes(b"")
    with pytest.raises(Unreadable, match="empty file"):
        source.read(1)
    with pytest.raises(Unreadable, match="No such file or directory, relative to the folder of"):
        source.read(0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("caf\udce9.png", "path\ncaf\xe9.png\n".encode("cp1252")),  # both from an old Windows
        ("cafe\u0301.png", "path\ncaf\xe9.png\n"),  # a folder of a Macintosh
        ("caf\xe9.png", "path\ncafe\u0301.png\n"),
    ],
)
def test_accents_are_found_in_the_spelling_of_the_folder(tmp_path, name, content):
    Image.fromarray(np.full((3, 3), 5, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / name)
    source = table(tmp_path, content)
    assert np.asarray(source.read(0)).max() == 5
    source.ids[0].encode()
