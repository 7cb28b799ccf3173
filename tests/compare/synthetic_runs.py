"""Run directories with the columns of `Regions`, of planted numbers: fast also for 10,000 images.

Runs of one `seed` share images, labels, segments and descriptors; `model` is the seed of a model's
own noise. The planted concept is concept 0: one segment of the finest level in about half of the
images. A run with `planted` above 1 has that many times the attribution there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from salix.engine.classification_columns import row_columns
from salix.engine.labelled_images import GROUP
from salix.store import KEYS, Run, open_run
from salix.store.manifest import read_manifest
from salix.store.parts import OWNER
from salix.store.schema import arrow_schema
from salix.store.writer import write_parquet
from salix.typing import Column

CONCEPTS, PLANTED = 8, 0
BANK = 32  # different segmentations
CHUNK = 500  # images of a Parquet part
CLASSES = ("real", "fake")
SHARES = np.array([15, 50, 80]) / 145  # of the segments in each level


def region_columns(segments: int, side: int, wide: int, dimensions: int) -> tuple[Column, ...]:
    """Return the columns of the measure `Regions`, with their shapes and types."""
    per_region = ("region_area", "region_mass", "region_absolute", "region_drop")
    maps = ("region_attribution", "region_absolute_map")
    scalars = ("region_total", "region_absolute_total", "region_completeness")
    s, grid = (segments,), (side, side)
    return (
        *(Column(n, dims=("region",), shape=s) for n in per_region),
        Column("region_rank", dims=("region",), shape=s, dtype="int32"),
        Column("region_descriptor", dims=("region", "d"), shape=(*s, wide), dtype="float16"),
        Column("region_features", dims=("region", "d"), shape=(*s, dimensions), dtype="float16"),
        Column("region_labels", dims=("level", "y", "x"), shape=(3, *grid), dtype="uint16"),
        *(Column(n, dims=("y", "x"), shape=grid, dtype="float16") for n in maps),
        *(Column(n) for n in scalars),
        Column("region_count", dtype="int32"),
    )


@dataclass(frozen=True, eq=False)
class Scene:
    """Images of one seed: their segments, the concept of each segment, labels and groups."""

    labels: np.ndarray  # region_labels [images levels side side]
    concept: np.ndarray  # [images segments]
    classes: np.ndarray  # [images]

    @property
    def has_plant(self) -> np.ndarray:
        """Whether an image has the planted concept, [images]."""
        return (self.concept == PLANTED).any(1)


def scene(images: range, *, segments: int, seed: int, side: int = 56) -> Scene:
    """Return the content of some images, which depends on their numbers alone."""
    rng = np.random.default_rng([seed, images.start])
    n, (coarse, middle, fine) = len(images), level_sizes(segments)
    labels = bank(segments, seed, side)[rng.integers(0, BANK, n)]
    concept = rng.integers(1, CONCEPTS, (n, segments))
    planted = coarse + middle + rng.integers(0, fine, n)
    concept[np.arange(n), np.where(rng.uniform(size=n) < 0.5, planted, 0)] = PLANTED
    concept[:, 0] = np.where(concept[:, 0] == PLANTED, 1, concept[:, 0])
    return Scene(labels, concept, rng.integers(0, 2, n))


def level_sizes(segments: int) -> tuple[int, int, int]:
    """Return how many segments each of the three levels has."""
    coarse, middle = (int(x) for x in np.maximum(np.round(segments * SHARES[:2]), 1))
    return coarse, middle, segments - coarse - middle


def bank(segments: int, seed: int, side: int) -> np.ndarray:
    """Return segmentations of three levels, by the nearest of random points: [bank 3 side side]."""
    rng = np.random.default_rng([seed, 2**31])
    y, x = np.mgrid[:side, :side].reshape(2, -1, 1) / side
    levels, first = [], 1
    for count in level_sizes(segments):
        points = rng.uniform(size=(BANK, 2, 1, count))
        nearest = [((y - p[0]) ** 2 + (x - p[1]) ** 2).argmin(1) for p in points]
        levels.append(np.reshape(nearest, (BANK, side, side)) + first)
        first += count
    return np.stack(levels, 1).astype(np.uint16)


def write_run(
    path: Path,
    *,
    name: str,
    images: int = 200,
    segments: int = 145,
    seed: int = 0,
    model: int = 0,
    planted: float = 1.0,
    logit_scale: float = 1.0,
    accuracy: float = 0.9,
    targets: str = "label",
    groups: bool = False,
    labels: bool = True,
    thumbs: int = 0,
    pictures: Path | None = None,
    group: str | None = None,
    side: int = 56,
    wide: int = 64,
    dimensions: int = 64,
    config: dict[str, Any] | None = None,
    drop_columns: Sequence[str] = (),
) -> Path:
    """Write a run directory; `pictures` is a folder for the images themselves, as PNG.

    `logit_scale` multiplies logits, attributions and drops. `targets` is "label" or "prediction".
    `config` replaces entries of the manifest's configuration.
    """
    own = region_columns(segments, side, wide, dimensions)
    columns = (*KEYS, *row_columns(2, (7, 7)), *((GROUP,) if groups else ()), *own)
    columns = tuple(c for c in columns if c.name not in drop_columns)
    settings = {
        "problem": "classification",
        "model": name,
        "classes": list(CLASSES),
        "attribution": "IntegratedGradients(baseline='black_white')",
        "pooling": "signed_sum",
        "score": "logit(target=None)",
        "targets": "label" if targets == "label" else None,
        "measures": [
            "Regions(segmentation=SLIC(segments=(15, 50, 80), compactness=20, sigma=1, "
            f"overlap=0.5, least_area=0.001), cover=0.25, side={side}, "
            f"embeddings=('descriptor', 'features'), dimensions={dimensions}, fill='mean', "
            "occlusion=True)"
        ],
        "data": {"count": images, "ids": f"synthetic {seed} {images}"},
        "weights": f"{name} {model}",
    }
    about = {"name": name, "group": group or name}
    open_run(path, settings | (config or {}), about, columns=columns)
    owner = {OWNER: read_manifest(path)["hash"]}
    schema = arrow_schema(columns).with_metadata(owner)
    centres = np.random.default_rng([seed, 7]).normal(size=(CONCEPTS, wide))
    own_centres = np.random.default_rng([seed, 8, model]).normal(size=(CONCEPTS, dimensions))
    for part, first in enumerate(range(0, images, CHUNK)):
        index = range(first, min(first + CHUNK, images))
        content = scene(index, segments=segments, seed=seed, side=side)
        rng = np.random.default_rng([seed, 1, index.start])  # shared by the models
        noise = np.random.default_rng([seed, 2, model, index.start])
        values = attributions(content, noise, planted, logit_scale)
        values |= {"region_descriptor": embedding(centres, content.concept, rng)}
        values |= {"region_features": embedding(own_centres, content.concept, noise)}
        values |= decisions(content, noise, accuracy, logit_scale, targets, labels)
        values |= {
            "index": np.arange(first, index.stop),
            "id": [image_id(i, c) for i, c in zip(index, content.classes, strict=True)],
            "group": [f"person-{i // 4}" for i in index],
            "region_labels": content.labels,
            "map": noise.integers(0, 256, (len(index), 7, 7), np.uint8),
        }
        small = [thumbnail(content, i) if first + i < thumbs else None for i in range(len(index))]
        values["thumb"] = small
        if pictures is not None:
            for i, id in enumerate(values["id"]):
                (pictures / id).parent.mkdir(parents=True, exist_ok=True)
                picture(content, i).resize((224, 224), 0).save(pictures / id)
        arrays = [arrow_values(c, values.get(c.name), len(index)) for c in columns]
        table = pa.Table.from_arrays(arrays, schema=schema)
        write_parquet(path / f"part-{part:09d}-{part:09d}.parquet", table)
    return path


def altered(
    path: Path,
    out: Path,
    *,
    rows: Sequence[int] | None = None,
    values: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    count: int | None = None,
    name: str | None = None,
) -> Path:
    """Write a run again with some of its rows, other values of columns or another configuration."""
    run = Run(path)
    columns = tuple(run.columns.values())
    table = run.table if rows is None else run.table.take(list(rows))
    for column, new in (values or {}).items():
        place = table.column_names.index(column)
        array = arrow_values(run.columns[column], new, len(table))
        table = table.set_column(place, column, array)
    settings = run.manifest["config"] | (config or {})
    settings["data"] = settings["data"] | {"count": len(table) if count is None else count}
    about = run.manifest["about"] | ({} if name is None else {"name": name})
    open_run(out, settings, about, columns=columns)
    schema = arrow_schema(columns).with_metadata({OWNER: read_manifest(out)["hash"]})
    write_parquet(out / "part-000000000-000000000.parquet", table.cast(schema))
    return out


def write_runs(folder: Path, *, planted: dict[str, float], **options: Any) -> list[Path]:
    """Write a run for each name in `planted`, with noise of its own, over the same images."""
    return [
        write_run(folder / name, name=name, planted=strength, model=number, **options)
        for number, (name, strength) in enumerate(planted.items())
    ]


def image_id(index: int, label: int) -> str:
    """Return the id of an image: the folder names its source."""
    return f"{('camera', 'generator')[label]}/{index:06d}.png"


def attributions(
    content: Scene, noise: np.random.Generator, planted: float, scale: float
) -> dict[str, np.ndarray]:
    """Return maps and the numbers of each segment, by sums over the grid."""
    labels, concept = content.labels.astype(int) - 1, content.concept
    n, side, s = len(labels), labels.shape[-1], concept.shape[1]
    flat = labels.reshape(n, 3, -1)
    fine = np.take_along_axis(concept, flat[:, 2], 1)
    weight = np.exp(np.linspace(0.6, -0.6, CONCEPTS))
    weight[PLANTED] = planted
    density = weight[fine] * noise.gamma(4.0, 0.25, fine.shape)
    by_segment = noise.gamma(6.0, 1 / 6, (n, s))
    density *= np.take_along_axis(by_segment, flat[:, 2], 1)
    density /= density.mean(1, keepdims=True)
    sign = np.where(noise.uniform(size=(n, s)) < 0.7, 1.0, -1.0)
    signed = density * np.take_along_axis(sign, flat[:, 2], 1)
    total = scale * np.exp(noise.normal(0, 0.2, n))
    key = (np.arange(n)[:, None, None] * s + flat).reshape(-1)

    def sums(values: np.ndarray) -> np.ndarray:
        weights = np.broadcast_to(values[:, None], flat.shape).reshape(-1)
        return np.bincount(key, weights, minlength=n * s).reshape(n, s) / side**2

    area = sums(np.ones_like(density))
    share, mass = sums(density), sums(signed)
    gain = np.divide(share, area, out=np.zeros_like(share), where=area > 0)
    rank = ranks(flat, gain)
    change = signed.mean(1) * total
    error = noise.normal(0, 0.01, n) * total
    drop = (mass * total[:, None]) * (1 + noise.normal(0, 0.1, (n, s)))
    f16 = {"region_attribution": signed, "region_absolute_map": density}
    return {n: v.reshape(-1, side, side).astype(np.float16) for n, v in f16.items()} | {
        "region_area": area,
        "region_mass": mass * total[:, None],
        "region_absolute": share * total[:, None],
        "region_rank": rank,
        "region_drop": np.where(area > 0, drop, np.nan),
        "region_total": change,
        "region_absolute_total": total,
        "region_count": (area > 0).sum(1),
        "region_completeness": error,
    }


def ranks(flat: np.ndarray, gain: np.ndarray, cover: float = 0.25) -> np.ndarray:
    """Return places by density of segments that bring new pixels, until `cover` is covered."""
    n, _, cells = flat.shape
    rank = np.zeros(gain.shape, np.int32)
    order, covered = np.argsort(-gain, 1, kind="stable"), np.zeros((n, cells), bool)
    number, rows = np.ones(n, np.int32), np.arange(n)
    for place in range(gain.shape[1]):
        active = covered.mean(1) < cover
        if not active.any():
            break
        best = order[:, place]
        mask = (flat == best[:, None, None]).any(1)
        new = active & ((mask & ~covered).sum(1) >= 4)
        rank[rows[new], best[new]] = number[new]
        number += new
        covered |= mask & new[:, None]
    return rank


def embedding(centres: np.ndarray, concept: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a noisy centre of each segment's concept, of length one."""
    points = centres.astype(np.float32)[concept]
    points += 0.5 * rng.standard_normal(points.shape, np.float32)
    points /= np.sqrt(np.einsum("nsd,nsd->ns", points, points))[..., None]
    return points.astype(np.float16)


def decisions(
    content: Scene,
    noise: np.random.Generator,
    accuracy: float,
    scale: float,
    targets: str,
    labels: bool,
) -> dict[str, Any]:
    """Return labels, predictions, logits and the flags of a row."""
    truth, n = content.classes, len(content.classes)
    predicted = np.where(noise.uniform(size=n) < accuracy, truth, 1 - truth)
    margin = scale * noise.gamma(2.0, 1.0, n) * np.where(predicted == 1, 1, -1)
    return {
        "label": truth if labels else np.full(n, -1),
        "predicted": predicted,
        "target": truth if targets == "label" else predicted,
        "logits": np.stack([-margin / 2, margin / 2], 1),
        "score": np.abs(margin) / 2,
        "histogram_entropy": noise.uniform(size=n),
        "spatial_entropy": noise.uniform(size=n),
        "gini": noise.uniform(size=n),
        "constant_map": np.zeros(n, bool),
        "finite": np.ones(n, bool),
    }


def arrow_values(column: Column, values: Any, count: int) -> Any:
    """Return values [images *shape] as an Arrow array of a column; None is all missing."""
    kind = arrow_schema([column]).types[0]
    if values is None:
        return pa.nulls(count, kind)
    if not column.shape:
        listed = values.tolist() if isinstance(values, np.ndarray) else values
        return pa.array(listed, kind)
    array = np.ascontiguousarray(values, dtype=column.dtype)
    return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), kind.list_size)


def picture(content: Scene, index: int) -> Image.Image:
    """Return an image whose finest segments have the colours of their concepts."""
    colours = np.random.default_rng(3).integers(40, 216, (CONCEPTS, 3))
    colours[PLANTED] = 255, 0, 255
    concept = content.concept[index][content.labels[index, 2].astype(int) - 1]
    return Image.fromarray(colours[concept].astype(np.uint8))


def thumbnail(content: Scene, index: int) -> bytes:
    """Return an image as a small JPEG."""
    buffer = BytesIO()
    picture(content, index).resize((112, 112), 0).save(buffer, "JPEG")
    return buffer.getvalue()
