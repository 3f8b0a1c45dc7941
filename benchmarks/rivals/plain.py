"""The same work with nothing kept: the same records, prompts and reading of replies, in a bare aiohttp loop.

What ours takes beyond this is the price of safety; what this takes beyond the bare loop is the price of the work.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from citefidelity.ports import RawReply
from citefidelity.prompt import NoEvidence, Prompter, Rendered
from citefidelity.record_format import citation_of, parse_record
from citefidelity.records import Verdict
from citefidelity.replies.completion import read_completion
from citefidelity.replies.reply import read_reply
from citefidelity.specs.spec import Spec, builtin_spec, resolve
from citefidelity.specs.spec_toml import SpecPart


def spec_for(url: str) -> Spec:
    """The built-in spec, with the mock as its model."""
    return resolve(builtin_spec(), None, SpecPart(provider="openai", base_url=url, model="mock"))


def prompts(records: Path, prompter: Prompter) -> Iterator[Rendered]:
    """What is to be asked, rendered when it is its turn."""
    with records.open("rb") as lines:
        for line in lines:
            citation = citation_of(parse_record(line)[0])
            for context in citation.contexts:
                rendered = prompter.render(citation, context)
                if isinstance(rendered, NoEvidence):
                    raise TypeError("the workload gives every context evidence")
                yield rendered


def body_of(prompter: Prompter, rendered: Rendered, spec: Spec) -> dict[str, Any]:
    """The request, as ours sends it."""
    messages = [{"role": "system", "content": prompter.fixed}, {"role": "user", "content": rendered.variable}]
    return {"model": "mock", "messages": messages, "temperature": 0, "max_tokens": spec.max_output_tokens}


async def main(url: str, records: Path, concurrency: int) -> None:
    """Ask everything once, so many at a time."""
    spec = spec_for(url)
    prompter = Prompter(spec)
    waiting = prompts(records, prompter)
    verdicts: list[Verdict] = []
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:

        async def work() -> None:
            for rendered in waiting:
                async with session.post(f"{url}/chat/completions", json=body_of(prompter, rendered, spec)) as response:
                    reply = RawReply(response.status, await response.read(), dict(response.headers))
                verdicts.append(read_reply(read_completion(reply).content or "", spec))

        for _ in range(concurrency):
            group.create_task(work())
    sys.stdout.write(json.dumps({"verdicts": len(verdicts)}))


if __name__ == "__main__":
    given_url, given_records, given_concurrency = sys.argv[1:]
    asyncio.run(main(given_url, Path(given_records), int(given_concurrency)))
