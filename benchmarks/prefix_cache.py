"""How much of the fixed part of the prompt a server takes from its cache: ``make bench``.

The fixed part comes first and is the same in all calls, so a server that keeps what it has read need read it only once.
Asked is the local model over llama.cpp, in waves of as many calls as it answers at once. From the second wave on, nine
tenths of the fixed part's tokens must come from the cache; else this fails.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

from citefidelity.models.chat import ChatModel
from citefidelity.models.local import LOCAL_MODEL, SLOTS, local_server
from citefidelity.ports import Question
from citefidelity.prompt import Prompter, Rendered
from citefidelity.record_format import citation_of, parse_record
from citefidelity.records import Citation
from citefidelity.replies.completion import read_completion
from citefidelity.specs.spec import builtin_spec, resolve
from citefidelity.specs.spec_toml import SpecPart
from workload import write_records

LEAST_SHARE = 0.9
ANSWER_TOKENS = 4
"""Enough to be an answer; it is the prompts that are measured."""


def main() -> int:
    """Ask, print a line for each wave, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waves", type=int, default=4)
    waves = asyncio.run(measure(parser.parse_args().waves))
    for number, shares in enumerate(waves, 1):
        sys.stdout.write(f"wave {number}: {', '.join(f'{share:.1%}' for share in shares)} of the fixed part cached\n")
    return 0 if min(share for shares in waves[1:] for share in shares) >= LEAST_SHARE else 1


async def measure(waves: int) -> list[list[float]]:
    """The share of the fixed part's tokens that was served from the cache, for each call of each wave."""
    spec = resolve(builtin_spec(), None, SpecPart(provider="local", model=LOCAL_MODEL))
    prompter = Prompter(spec)
    questions = [
        Question(prompter.fixed, variable, prompter.schema, ANSWER_TOKENS, "none")
        for variable in prompts(prompter, waves * SLOTS)
    ]
    async with local_server() as url, ChatModel(url, LOCAL_MODEL, temperature=0.0) as model:
        fixed_tokens = await asyncio.to_thread(count_tokens, url, prompter.fixed)
        sys.stdout.write(f"fixed part: {fixed_tokens} tokens; {SLOTS} calls a wave\n")
        shares = []
        for wave in range(waves):
            asked = [model.ask(question) for question in questions[wave * SLOTS : (wave + 1) * SLOTS]]
            usages = [read_completion(reply).usage for reply in await asyncio.gather(*asked)]
            # The template of the chat stands before the fixed part, so a little more than all of it may be cached.
            shares.append([min(1.0, (usage.cached_tokens or 0) / fixed_tokens) for usage in usages])
        return shares


def prompts(prompter: Prompter, number: int) -> list[str]:
    """The variable parts of so many contexts."""
    rendered = [prompter.render(citation, context) for citation in citations(number) for context in citation.contexts]
    return [one.variable for one in rendered if isinstance(one, Rendered)][:number]


def citations(contexts: int) -> list[Citation]:
    """Those of the other benchmarks."""
    with tempfile.TemporaryDirectory(prefix="citefidelity-bench-") as name:
        path = Path(name) / "records.jsonl"
        write_records(path, contexts)
        return [citation_of(parse_record(line)[0]) for line in path.read_bytes().splitlines()]


def count_tokens(url: str, text: str) -> int:
    """As the model's own tokenizer counts."""
    body = json.dumps({"content": text}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(urljoin(url, "/tokenize"), body, headers)  # noqa: S310 - the server just started
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 - as above
        return len(json.load(reply)["tokens"])


if __name__ == "__main__":
    sys.exit(main())
