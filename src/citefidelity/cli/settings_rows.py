"""Which settings stand under which heading in the help; commands take their flags from here."""

from __future__ import annotations

from citefidelity.cli.words import COMMON, Rows

WHERE: Rows = (("Where", COMMON),)
WHO_ANSWERS = ("Who answers", ("provider", "base_url", "model", "spec", "api_key_env"))
HOW_MUCH = ("How much, how fast, how long", ("limit", "max_cost", "max_tokens", "price", "max_time", "concurrency"))
FINE = (
    "Fine control",
    ("rpm", "tpm", "max_attempts", "timeout", "grace", "citation_workers"),
)
WHICH = ("Which citations", ("partition", "include_classified", "new_journal", "yes"))
WATCHING = ("To watch it", ("web", "web_address", "metrics", "otel"))
RUNNING: Rows = (*WHERE, WHO_ANSWERS, HOW_MUCH, WHICH, FINE, WATCHING)
EVERYTHING: Rows = RUNNING
