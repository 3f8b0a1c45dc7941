"""Nested thread pools over the synchronous SDK: 50 citations at a time, three contexts each, whatever is asked."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from openai import OpenAI

CITATIONS, CONTEXTS = 50, 3


def main(url: str, bodies: list[bytes]) -> None:
    """Send every body once."""
    client = OpenAI(base_url=url, api_key="none", max_retries=0)

    def ask(body: bytes) -> None:
        client.chat.completions.create(**json.loads(body))

    def citation(contexts: list[bytes]) -> None:
        with ThreadPoolExecutor(CONTEXTS) as pool:
            list(pool.map(ask, contexts))

    with ThreadPoolExecutor(CITATIONS) as pool:
        list(pool.map(citation, [bodies[at : at + CONTEXTS] for at in range(0, len(bodies), CONTEXTS)]))


if __name__ == "__main__":
    given_url, given_bodies = sys.argv[1:3]
    main(given_url, Path(given_bodies).read_bytes().splitlines())
