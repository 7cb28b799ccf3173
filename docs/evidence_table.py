"""Table of the planted-truth benchmark, for the page on the choice of a method."""

import json
from pathlib import Path

FILE = Path(__file__).parent.parent / "benchmarks/results/planted-truth.json"


def evidence() -> str:
    """Return the table of the planted-truth benchmark: ranks by the truth and without it."""
    models = json.loads(FILE.read_text(encoding="utf-8"))["models"]
    heads = [f"{name}: {by}" for name in models for by in ("truth", "leaderboard")]
    rows = [f"| method | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    ranks = [m[by]["ranks"] for m in models.values() for by in ("truth", "overall")]
    for method in ranks[0]:
        rows.append(f"| `{method}` | {' | '.join(f'{r[method]:g}' for r in ranks)} |")
    taus = [f"| {m['overall']['tau']:g} " for m in models.values()]
    return "\n".join([*rows, "| **Kendall's tau** | " + " | ".join(taus) + "|"])
