"""The Grafana dashboard asks for nothing that is not there: held to the real exposition."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from support.telemetry import samples_of, scraped

GRAFANA = Path(__file__).parents[2] / "docs" / "grafana"
FILE = GRAFANA / "citefidelity.json"

ADDED_BY_PROMETHEUS = {"instance", "job"}
FUNCTIONS = {"sum", "max", "min", "rate", "histogram_quantile", "by", "label_values"}
SELECTOR = re.compile(r"(citefidelity_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"')
GROUPING = re.compile(r"\bby \(([^)]*)\)")
WORD = re.compile(r"[A-Za-z_]\w*")
QUOTED = re.compile(r'"[^"]*"')


def dashboard() -> dict[str, Any]:
    """The file as Grafana imports it."""
    loaded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


def panels() -> list[dict[str, Any]]:
    """Everything on it."""
    found: list[dict[str, Any]] = dashboard()["panels"]
    return found


def expressions() -> list[str]:
    """Every query of the dashboard and of its variables."""
    variables = [one["definition"] for one in dashboard()["templating"]["list"] if "definition" in one]
    return variables + [target["expr"] for panel in panels() for target in panel["targets"]]


def offered() -> dict[str, set[str]]:
    """The labels of each sample that a busy run offers, by its name."""
    found: dict[str, set[str]] = {}
    for name, labels in samples_of(scraped()):
        found.setdefault(name, set()).update(label for label, _ in labels)
    return found


def wrong_in(expression: str, known: dict[str, set[str]]) -> list[str]:
    """What a query asks for that no scrape has."""
    wrong = []
    labels: set[str] = set(ADDED_BY_PROMETHEUS)
    for name, matchers in SELECTOR.findall(expression):
        labels |= known.get(name, set())
        wrong += [] if name in known else [name]
        wrong += [label for label in MATCHER.findall(matchers) if label not in labels]
    wrong += [label for group in GROUPING.findall(expression) for label in WORD.findall(group) if label not in labels]
    rest = SELECTOR.sub("", GROUPING.sub("", QUOTED.sub("", expression.replace("[$__rate_interval]", ""))))
    return wrong + [word for word in WORD.findall(rest) if word not in FUNCTIONS | ADDED_BY_PROMETHEUS]


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_each_query_finds_what_it_asks_for(expression: str) -> None:
    """Each metric, label and function of a query is one that a scrape, or Prometheus, has."""
    assert wrong_in(expression, offered()) == []


@pytest.mark.parametrize(
    "expression",
    [
        "sum(citefidelity_call_total)",
        'sum(citefidelity_calls_total{knd="x"})',
        "sum by (kind) (citefidelity_calls_total)",
        "summ(citefidelity_calls_total)",
        "rate(calls_total[1m])",
    ],
)
def test_a_wrong_query_is_found(expression: str) -> None:
    """The look at the queries can fail: a name, a label, a grouping, a function, a metric that is not ours."""
    assert wrong_in(expression, offered())


def test_legends_name_labels_that_are_left() -> None:
    """What a legend takes the name of a line from is a label that the query keeps."""
    for panel in panels():
        for target in panel["targets"]:
            kept = [label for group in GROUPING.findall(target["expr"]) for label in WORD.findall(group)]
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= set(kept), target


def test_counters_are_asked_for_their_rate_and_gauges_are_not() -> None:
    """The rate of a gauge means nothing; where a counter stands alone, its sum so far is what is shown."""
    for expression in expressions():
        for name in re.findall(r"rate\((citefidelity_\w+)", expression):
            assert name.endswith(("_total", "_bucket")), expression


def test_every_question_of_a_run_has_a_panel() -> None:
    """What docs/monitoring.md asks is on the dashboard: pool, memory, errors, database, and all that belongs to it."""
    asked = " ".join(expressions())
    for name in offered():
        shown = name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        assert shown in asked or shown in NOT_SHOWN, name


NOT_SHOWN = {
    "citefidelity_run_elapsed_seconds": "Grafana has a time axis",
    "citefidelity_run_stopping": "the calls end",
    "citefidelity_citations_total": "the delivered ones are shown",
    "citefidelity_contexts_total": "the settled ones are shown",
    "citefidelity_contexts_flagged_total": "a matter of the results",
    "citefidelity_call_duration_recent_seconds": "the histogram says it over any time",
    "citefidelity_budget_limit_tokens": "the cap on money is shown",
    "citefidelity_budget_spent_tokens": "as above",
}
"""Metrics without a panel, and why."""


def test_it_can_be_imported_as_it_is() -> None:
    """No data source of somebody's is in it, ids are unique, nothing overlaps, each panel has a name and a query."""
    for panel in panels():
        assert panel["title"], panel["id"]
        assert panel["targets"], panel["id"]
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source == {"type": "prometheus", "uid": "${datasource}"}
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for one, other in combinations([panel["gridPos"] for panel in panels()], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels())
    assert dashboard()["uid"] == "citefidelity"
    assert "id" not in dashboard()
