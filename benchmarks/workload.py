"""What the benchmarks work on: made-up citations of three contexts, and the same prompts as ready-made requests."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from citefidelity.prompt import Prompter
from rivals.plain import body_of, prompts, spec_for

CONTEXTS_A_CITATION = 3
WORDS = """the of a in cells patients treatment observed increased protein expression response model effect
significant results study group control measured levels compared during after higher lower analysis showed between
rate""".split()  # noqa: SIM905 - one word to a line would fill a page


def write_records(path: Path, contexts: int) -> None:
    """Records with about 3 kB of text a context, the same for the same number."""
    random = Random(7)  # noqa: S311 - made-up words, repeatable

    def text(words: int) -> str:
        return " ".join(random.choices(WORDS, k=words)) + "."

    with path.open("w", encoding="utf-8") as file:
        for number in range(0, contexts, CONTEXTS_A_CITATION):
            record = {
                "source_id": f"s{number // 30}",
                "target_id": f"t{number}",
                "reference_id": "r1",
                "source_title": text(10),
                "target_title": text(10),
                "contexts": [
                    {
                        "instance_id": instance,
                        "section": "Results",
                        "context_text": f"{number}.{instance} {text(90)}",
                        "evidence_segments": [
                            {"text": text(70), "section": "Abstract", "similarity_score": 0.9 - 0.1 * segment}
                            for segment in range(4)
                        ],
                    }
                    for instance in range(min(CONTEXTS_A_CITATION, contexts - number))
                ],
            }
            file.write(json.dumps(record) + "\n")


def write_bodies(records: Path, path: Path) -> None:
    """The same prompts as whole requests, so that the rivals need not render them."""
    spec = spec_for("http://127.0.0.1/v1")
    prompter = Prompter(spec)
    with path.open("w", encoding="utf-8") as file:
        for rendered in prompts(records, prompter):
            file.write(json.dumps(body_of(prompter, rendered, spec)) + "\n")
