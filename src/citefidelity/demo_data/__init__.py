"""Citations written for this project: articles, texts and findings are invented.

Several fields of science; some citations plainly supported, some plainly not, one without evidence, one whose text
tries to instruct the model. ``demo_expected`` on each context says what a careful reader would answer.
"""

from __future__ import annotations

from importlib import resources

FILE = "citations.jsonl"


def demo_records() -> bytes:
    """The records as JSON Lines, 20 citations with 40 contexts, as ``citefidelity import`` takes them."""
    return resources.files(__name__).joinpath(FILE).read_bytes()
