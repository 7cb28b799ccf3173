"""Study of instruction tuning from settings to files: views, tables, page and print."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from salix.data.assets import fetch
from salix.models.language_model import LanguageModel, load_language_model
from salix.studies.detectors import TimedLog
from salix.studies.instruction.attribution import AnswerAttribution
from salix.studies.instruction.matrices import table_lines
from salix.studies.instruction.measure import PromptRows, measure_prompts
from salix.studies.instruction.page import write_page
from salix.studies.instruction.prompts import read_prompts, study_prompts
from salix.studies.instruction.results import matrix_tables, print_results, write_results
from salix.studies.instruction.states import LanguageState
from salix.studies.instruction.tables import density_rows, headline, plain_rows
from salix.studies.instruction.tuning import TuningSetting
from salix.studies.instruction.tuning_study import run_tuning
from salix.studies.instruction.weight_views import attention_view, concept_view
from salix.studies.trial_files import read_json
from salix.typing import InputError

VIEWS = ("answers", "concepts", "attention", "tuning")
QUICK_PROMPTS, QUICK_SEEDS, QUICK_STEPS = 2, 2, 20


@dataclass(frozen=True, kw_only=True)
class InstructionStudy:
    """Parts of the study and their material.

    `model` and `compare` are GGUF files or folders of Hugging Face; without `compare` the model
    with its chat template is compared with itself without. `model` "" is SmolLM2-135M-Instruct.
    """

    model: str = ""
    compare: str = ""
    views: tuple[str, ...] = VIEWS[:1]
    prompts: str = ""
    tokens: int = 16
    steps: int = 0
    vectors: str = ""
    matrices: str = ""
    seeds: int = 5


def run_instruction(out: Path, study: InstructionStudy, *, quick: bool = False) -> Path:
    """Run the views, write `results.json`, `answers.parquet` and `instruction.html`, and print.

    Views that were run before stay in the results. With `quick`, two prompts, and two seeds of a
    few steps. Returns the path of the page. Raises InputError for an unknown view or file.
    """
    log = TimedLog()
    if unknown := [view for view in study.views if view not in VIEWS]:
        raise InputError(f"--views {unknown[0]}: choose among {', '.join(VIEWS)}")
    if study.tokens < 1 or study.seeds < 1 or study.steps < 0:
        raise InputError("--tokens and --seeds are at least 1, and --steps at least 0")
    results: dict[str, Any] = read_json(out / "results.json") or {}
    if study.matrices:
        results["matrices"] = matrix_tables(*table_lines(Path(study.matrices)))
    rows: PromptRows | None = None
    models = _models(study, log) if set(study.views) & set(VIEWS[:3]) else []
    vectors = Path(study.vectors) if study.vectors else None
    if "answers" in study.views:
        rows = _measure(out, study, models, quick=quick, log=log)
        table = density_rows(rows)
        results["answers"] = {
            "states": list(rows.states),
            "prompts": len(rows.prompts),
            "groups": len(set(rows.groups)),
            "tokens": study.tokens,
            "headline": headline(table, rows.states),
            "skipped": [list(pair) for pair in rows.skipped],
            "densities": plain_rows(table),
        }
    if "concepts" in study.views:
        results["concepts"] = concept_view(models, vectors=vectors, log=log)
    if "attention" in study.views:
        results["attention"] = attention_view(models, vectors=vectors, log=log)
    if "tuning" in study.views:
        setting, seeds = TuningSetting(), study.seeds
        if quick:
            setting = replace(setting, text_steps=QUICK_STEPS, tuning_steps=QUICK_STEPS)
            seeds = min(seeds, QUICK_SEEDS)
        results["tuning"] = run_tuning(out, setting, seeds=seeds, log=log)
    if not results:
        raise InputError("nothing to run: give --views or --matrices")
    write_results(out, results, rows)
    print_results(results)
    path = write_page(out, results)
    log(f"wrote {path}")
    return path


def _models(study: InstructionStudy, log: Any) -> list[LanguageModel]:
    models = [load_language_model(study.model or fetch("smollm2"))]
    if study.compare:
        models.append(load_language_model(study.compare))
    log(f"loaded {' and '.join(model.name for model in models)}")
    return models


def _measure(
    out: Path, study: InstructionStudy, models: Sequence[LanguageModel], *, quick: bool, log: Any
) -> PromptRows:
    prompts = read_prompts(Path(study.prompts)) if study.prompts else study_prompts()
    if len(models) == 2:
        names = [model.name for model in models]
        if names[0] == names[1]:
            names = ["first", "second"]
        first, second = (LanguageState(n, m) for n, m in zip(names, models, strict=True))
    else:
        first = LanguageState("bare text", models[0])
        second = LanguageState("chat template", models[0], template=True)
        second.encode(prompts[0])  # a model without a template is refused before any work
    return measure_prompts(
        out,
        prompts[:QUICK_PROMPTS] if quick else prompts,
        (first, second),
        attribution=AnswerAttribution(steps=study.steps),
        tokens=study.tokens,
        log=log,
    )
