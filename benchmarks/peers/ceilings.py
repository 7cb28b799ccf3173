"""Best throughput of PyTorch on a device: matrix products and a stream through memory."""

import time
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch  # pyright: ignore[reportMissingImports]

KINDS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}


def shortest(call: Callable[[], Any], device: str, seconds: float) -> float:
    """Shortest time of a call in seconds; calls are timed in groups."""

    def finish() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    call()
    finish()
    minimum, count, end = float("inf"), 1, time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        for _ in range(count):
            call()
        finish()
        now = time.perf_counter()
        minimum = min(minimum, (now - start) / count)
        if now > end:
            return minimum
        count = max(1, min(100, int(0.02 / minimum)))


def ceilings(
    shapes: Sequence[tuple[int, int, int]],
    precisions: Sequence[str],
    device: str,
    stream: int,
    seconds: float = 0.3,
) -> dict[str, Any]:
    """FLOP/s of products [m k] [k n] by precision, and bytes/s read and written."""
    torch.manual_seed(0)
    gemm: dict[str, float] = {}
    for precision in precisions:
        if precision not in KINDS or (precision == "tf32" and device == "cpu"):
            continue
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        for m, k, n in shapes:
            a, b = (torch.randn(s, device=device).to(KINDS[precision]) for s in ((m, k), (k, n)))
            out = torch.empty(m, n, device=device, dtype=a.dtype)
            seconds_per_call = shortest(
                lambda a=a, b=b, out=out: torch.mm(a, b, out=out), device, seconds
            )
            gemm[precision] = max(gemm.get(precision, 0), 2 * prod((m, k, n)) / seconds_per_call)
    values = torch.ones(stream // 4, device=device)
    seconds_per_call = shortest(lambda: torch.neg(values, out=values), device, seconds)
    return {"gemm": gemm, "copy": 2 * stream / seconds_per_call}
