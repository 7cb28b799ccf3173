"""Ceilings of tasks on accelerators, from the products of their programs.

    python benchmarks roofline --networks resnet50 meso4 --batch 128

Nothing is measured and no accelerator is needed: programs are traced in the form that accelerators
get, and the FLOPs and bytes of each product and convolution are counted, equal ones once, as
compilers compute them. A product takes at least its FLOPs over the peak rate, or its bytes over the
bandwidth, whichever is longer; the ceiling is the sum over products. Work between products is taken
to be fused into them, and fills, sorts and filters of measures are not counted, so that no run can
be faster than the ceiling, and all are slower.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
from distinct_products import DistinctProducts
from machine import HERE

from salix import models
from salix.bench.arrays import abstract
from salix.bench.workloads import WORKLOADS, maps
from salix.compiler import Product
from salix.precision import Precision, computed_in

NETWORKS = ("meso4", "resnet50", "densenet121", "efficientnet_b0", "xception", "clip_vit_b16")
TASKS = ("forward", "saliency", "ig", "deletion", "paper")
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bfloat16")


@dataclass(frozen=True)
class Accelerator:
    """Peak rates of a device: dense FLOP/s by precision, and bytes/s of its memory.

    From the vendors' data sheets. TPUs multiply in 16 bits: float32 is six such products, tf32
    three.
    """

    peaks: Mapping[str, float]
    bandwidth: float

    def seconds(self, product: Product, precision: str) -> tuple[float, float]:
        """Return the least times of a product by its FLOPs and by its bytes.

        A product of 32 bits in a program of 16 is one that asks for float32.
        """
        if precision == "bfloat16" and product.bits > 16:
            precision = "float32"
        return product.flops / self.peaks[precision], product.bytes / self.bandwidth


HOPPER = {"float32": 67e12, "tf32": 495e12, "bfloat16": 989e12}
ACCELERATORS = {
    "H100": Accelerator(HOPPER, 3.35e12),
    "H200": Accelerator(HOPPER, 4.8e12),
    "TPU v5e": Accelerator({"float32": 33e12, "tf32": 66e12, "bfloat16": 197e12}, 0.82e12),
}


def traced_products(network: str, task: str, batch: int, precision: Precision) -> list[Product]:
    """Return the products of a task's program in the form of accelerators, without compiling it."""
    fixed = models.MODELS[network].fixed
    names = None if fixed else [str(n) for n in range(1000)]
    model, params = models.load(network, None, classes=names, folded=True)
    params, image = abstract(model, params)
    images = jax.ShapeDtypeStruct((batch, *image.shape), image.dtype)
    keys = jax.random.split(jax.random.key(0), batch)
    with models.conv_form("xla"), computed_in(precision):
        function = WORKLOADS[task].function(model, batch, precision)
        jaxpr = jax.make_jaxpr(function)(params, images, keys, maps(batch, model.preprocess.size))
    return list(DistinctProducts().of(jaxpr.jaxpr))


def ceiling(counted: Sequence[Product], batch: int, precision: Precision) -> dict[str, Any]:
    """Return FLOPs and bytes of an image, and for each device its ceiling and share in memory."""
    flops, moved = sum(p.flops for p in counted), sum(p.bytes for p in counted)
    row: dict[str, Any] = {"gflop": flops / batch / 1e9, "megabytes": moved / batch / 1e6}
    for name, device in ACCELERATORS.items():
        times = [device.seconds(p, precision) for p in counted]
        total = sum(map(max, times))
        bound = sum(by_bytes for by_flops, by_bytes in times if by_bytes > by_flops)
        row[name] = {"images_per_second": batch / total, "memory_share": bound / total}
    return row


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for network in options.networks:
        for task in options.tasks:
            if WORKLOADS[task].features and network == "clip_vit_b16":
                continue  # tokens have no grid
            for precision in PRECISIONS:
                counted = traced_products(network, task, options.batch, precision)
                about = {"network": network, "task": task, "precision": precision}
                yield about | ceiling(counted, options.batch, precision)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=sorted(models.MODELS))
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "roofline.json")
    options = parser.parse_args()
    result = {
        "batch": options.batch,
        "devices": {name: asdict(device) for name, device in ACCELERATORS.items()},
        "rows": list(rows(options)),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    for row in result["rows"]:
        rates = ", ".join(f"{n} {row[n]['images_per_second']:,.0f}" for n in ACCELERATORS)
        print(f"{row['network']} {row['task']} {row['precision']}: {rates} images a second")


if __name__ == "__main__":
    main()
