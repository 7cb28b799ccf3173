"""`salix study instruction`: changes in a language model after instruction tuning."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from salix.cli.options import Option


@dataclass(frozen=True)
class InstructionTuningStudy:
    """Compare a language model before and after instruction tuning, or with its chat template.

    Views: answers (to how many tokens of an answer an instruction matters), concepts (feed-forward
    layers as words), attention (word pairs of heads), tuning (small models that are trained and
    tuned here, with controls). An interrupted study continues where it was.

    Example: salix study instruction --out salix-instruction
    Example: salix study instruction --model before.gguf --compare after.gguf --views answers
    Example: salix study instruction --views concepts attention tuning --seeds 5
    Example: salix study instruction --views --matrices Interpret_Instruction_Tuning_LLMs
    """

    out: Annotated[Path, Option(help="directory for measurements, tables and the page")] = Path(
        "salix-instruction"
    )
    model: Annotated[
        str,
        Option(
            help="GGUF file or folder of Hugging Face, of LLaMA's architecture; by default "
            "SmolLM2-135M-Instruct, fetched at first use"
        ),
    ] = ""
    compare: Annotated[
        str,
        Option(help="a second model; without it the chat template is compared with bare text"),
    ] = ""
    views: Annotated[
        tuple[str, ...], Option(help="answers, concepts, attention, tuning; by default answers")
    ] = ("answers",)
    prompts: Annotated[
        str,
        Option(
            help="JSON file of objects with prompt, instruction (a part of the prompt) and maybe "
            "group, in place of the study's 64"
        ),
    ] = ""
    tokens: Annotated[int, Option(help="tokens of an answer at most")] = 16
    integration_steps: Annotated[
        int, Option(help="steps of integrated gradients; 0 for input times gradient, as published")
    ] = 0
    vectors: Annotated[
        str,
        Option(
            help="text file of word vectors such as GloVe's, for concepts and attention; by "
            "default the embeddings of all-MiniLM-L6-v2"
        ),
    ] = ""
    matrices: Annotated[
        str, Option(help="folder of the paper's release: recomputes its tables 1 and 2")
    ] = ""
    seeds: Annotated[int, Option(help="small models of the view tuning")] = 5
    quick: Annotated[
        bool, Option(help="two prompts, and two seeds of a few steps: shows that it runs")
    ] = False

    def run(self) -> int:
        """Run the study."""
        from salix.studies.instruction.run import InstructionStudy, run_instruction

        study = InstructionStudy(
            model=self.model,
            compare=self.compare,
            views=self.views,
            prompts=self.prompts,
            tokens=self.tokens,
            steps=self.integration_steps,
            vectors=self.vectors,
            matrices=self.matrices,
            seeds=self.seeds,
        )
        run_instruction(self.out, study, quick=self.quick)
        return 0
