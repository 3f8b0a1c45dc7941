"""What a run would take, for people."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from citefidelity.cli.rows import pairs
from citefidelity.estimate import Estimate
from citefidelity.estimating import Estimated
from citefidelity.views.amounts import cost, short

UNKNOWN_PRICE = "unknown: nobody here knows the price of this model"
HOW_TO_PRICE = "--price IN,OUT tells it; pip install 'citefidelity[prices]' knows most"


def estimate_text(estimated: Estimated, bold: Callable[[str], str]) -> list[str]:
    """The numbers, and one prompt as it would be sent."""
    lines = [bold(f"What a run of screening {estimated.screening} would take"), *numbers(estimated)]
    sample = estimated.estimate.sample
    if sample is not None:
        lines += ["", bold("Sent first, the same with every call"), textwrap.indent(sample.fixed, "  ")]
        lines += ["", bold(f"Then, for {sample.key}, context {sample.instance_id}")]
        lines += [textwrap.indent(sample.variable, "  ")]
    return lines


def numbers(estimated: Estimated) -> list[str]:
    """How many calls and tokens, where they would go, and what they would cost."""
    estimate = estimated.estimate
    where = "this machine" if estimated.host is None else estimated.host
    rows = [
        ("model", f"{estimated.model} ({estimated.provider}), on {where}"),
        ("citations", f"{estimate.citations:,} with something to ask"),
        ("calls", f"{estimate.calls:,}, if each is answered at once"),
        ("no call", _no_call(estimate)),
        ("undeliverable", f"{estimate.undeliverable:,} citations" if estimate.undeliverable else ""),
        ("tokens in", f"about {short(estimate.input_tokens)} ({estimate.tokens_rule})"),
        ("tokens out", f"about {short(estimate.output_tokens)}, at most {short(estimate.output_tokens_at_most)}"),
        ("cost", _cost(estimated)),
    ]
    return pairs((name, value) for name, value in rows if value)


def _no_call(estimate: Estimate) -> str:
    parts = [
        f"{estimate.answered:,} contexts have an outcome in the journal" if estimate.answered else "",
        f"{estimate.unassessable:,} have no evidence" if estimate.unassessable else "",
    ]
    return ", ".join(part for part in parts if part)


def _cost(estimated: Estimated) -> str:
    estimate = estimated.estimate
    if not estimate.costs:
        # What runs on this machine has no price for anybody to know.
        return UNKNOWN_PRICE if estimated.host is None else f"{UNKNOWN_PRICE} ({HOW_TO_PRICE})"
    said = [
        f"about {cost(one.cost_usd)}, {cost(one.cost_usd_cached)} if the fixed part is cached"
        f"{f' ({one.hours})' if one.hours else ''}"
        for one in estimate.costs
    ]
    return f"{'; '.join(said)} (prices: {estimate.price})"
