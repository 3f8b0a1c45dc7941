"""All queries on a graph's own articles and citations, with its own names in them.

Every MATCH begins at the start article, by its index: the hint keeps the planner from anything else on a graph whose
statistics are still those of an empty one.

Ids are compared as strings, but looked up as what they may be in the graph: ``row.sources`` and ``row.targets`` hold
the string and, where it is a decimal number, the integer.
"""

from __future__ import annotations

from typing import Literal

from citefidelity.config.graph_names import GraphNames

VERDICT_KEY = ("screening", "source_id", "target_id", "reference_id", "instance_id")

OUTCOME_PROPERTIES = (
    "instance_id",
    "position",
    "state",
    "category",
    "citation_type",
    "confidence",
    "justification",
    "failure_kind",
    "failure_message",
    "failure_retryable",
    "input_hash",
    "model",
    "answered_at",
    "cost_usd",
    "answer_json",
)
"""Properties of a verdict node that differ from context to context; a query gets their values, in this order.

Lists instead of maps: to send each name with each value took the driver twice as long.
"""

Which = Literal["to_do", "delivered", "all"]
Span = Literal["strings", "numbers", "odd"]

SPAN_START: dict[Span, object] = {"strings": "", "numbers": -(2**63), "odd": None}
"""Where each span of the index begins; a comparison reaches values of one type only."""

VERDICT_INDEX = f"USING INDEX v:FidelityVerdict({', '.join(VERDICT_KEY)})"

DELETE_VERDICTS = f"""
UNWIND $rows AS row
MATCH (v:FidelityVerdict) {VERDICT_INDEX}
WHERE v.screening = $screening AND v.source_id = row.source AND v.target_id = row.target
  AND v.reference_id = row.reference AND v.instance_id IS NOT NULL
DETACH DELETE v
"""

COUNT_STATES = f"""
MATCH (v:FidelityVerdict) {VERDICT_INDEX}
WHERE v.screening = $screening AND v.source_id IS NOT NULL AND v.target_id IS NOT NULL
  AND v.reference_id IS NOT NULL AND v.instance_id IS NOT NULL
RETURN v.state AS state, count(*) AS number
"""

INDEXED_TYPES = ("STRING", "INTEGER", "FLOAT")
"""What the spans "strings" and "numbers" reach."""


class Cypher:
    """The queries, for one graph's names."""

    def __init__(self, names: GraphNames) -> None:
        self.names = names
        self._article_index = f"USING INDEX a:{names.article}({names.article_id})"
        self._reference = f"coalesce(toStringOrNull(c.{names.reference_id}), '')"
        between = f"""
MATCH (a:{names.article}) {self._article_index} WHERE a.{names.article_id} IN row.sources
MATCH (a)-[c:{names.cites}]->(b:{names.article}) WHERE b.{names.article_id} IN row.targets
"""
        self._citation = f"{between} AND {self._reference} = row.reference"
        self._citations = f"{between} AND (row.reference IS NULL OR {self._reference} = row.reference)"
        self._verdicts = f"""
MATCH (v:FidelityVerdict) {VERDICT_INDEX}
WHERE v.screening = $screening AND v.source_id = row.source AND v.target_id = row.target
  AND v.reference_id = {self._reference} AND v.instance_id IS NOT NULL
"""
        count = (
            f"coalesce(c.{names.context_count}, "
            f"CASE WHEN trim(toStringOrNull(c.{names.contexts})) IN ['', '[]', 'null'] THEN 0 ELSE 1 END)"
        )
        # Each context names itself once: inside a text, a quotation mark has a backslash before it.
        by_text = f"size(split(toStringOrNull(c.{names.contexts}), '\"instance_id\"')) - 1"
        self._number = f"coalesce(toIntegerOrNull(c.{names.context_count}), {by_text}, 0)"
        self._elsewhere = (
            f"(c.{names.classified} IS NOT NULL AND c.{names.classified} <> false AND c.fidelity_screenings IS NULL)"
        )
        self._delivered = "$screening IN coalesce(c.fidelity_screenings, [])"
        self._candidate = f"c.{names.qualified} = true AND c.{names.contexts} IS NOT NULL AND {count} <> 0"
        self._to_do = f"{self._candidate} AND NOT {self._delivered} AND ($include OR NOT {self._elsewhere})"

    def bound(self, span: Span, *, last: bool) -> str:
        """The article id ``$skip`` articles on in a stretch of the index, or no row where there are fewer."""
        article_id = f"a.{self.names.article_id}"
        articles = self.articles(span, last=last)
        return f"{articles} WITH {article_id} AS bound ORDER BY bound SKIP $skip LIMIT 1 RETURN bound"

    def native_id(self) -> str:
        """An article's id as it stands in the graph."""
        article_id = f"a.{self.names.article_id}"
        return (
            f"MATCH (a:{self.names.article}) {self._article_index} WHERE {article_id} IN $ids "
            f"RETURN {article_id} AS id LIMIT 1"
        )

    def keys(self, which: Which, span: Span, *, last: bool) -> str:
        """Keys of citations whose start article lies in a stretch of the index, at most ``$limit``, in their order.

        ``weight`` says roughly how many contexts each has. ``last``: the stretch has no upper end.
        """
        names = self.names
        wanted = {"to_do": self._to_do, "delivered": self._delivered, "all": "true"}[which]
        return f"""
{self.articles(span, last=last)}
MATCH (a)-[c:{names.cites}]->(b:{names.article}) WHERE {wanted}
RETURN a.{names.article_id} AS source, b.{names.article_id} AS target, c.{names.reference_id} AS reference,
       coalesce(toIntegerOrNull(c.{names.context_count}), 1) AS weight
ORDER BY source, target, reference LIMIT $limit
"""

    def counts(self, span: Span, *, last: bool) -> str:
        """What :class:`~citefidelity.ports.StoreCounts` tells of a stretch of the index.

        To do are keys as people are told them, not edges: of two with one key a run can only say once that they are
        two, and an id that is missing reads like one that is empty.
        """
        names = self.names
        qualified = f"c.{names.qualified} = true"
        source, target = f"a.{names.article_id}", f"b.{names.article_id}"
        return f"""
{self.articles(span, last=last)}
MATCH (a)-[c:{names.cites}]->(b:{names.article})
WITH {source if span != "odd" else _told(source)} AS source,
     count(c) AS citations, count(CASE WHEN {qualified} THEN 1 END) AS qualified,
     sum(CASE WHEN {qualified} THEN {self._number} ELSE 0 END) AS contexts,
     count(CASE WHEN {self._delivered} THEN 1 END) AS delivered,
     count(DISTINCT CASE WHEN {self._to_do} THEN [{_told(target)}, {self._reference}] END) AS to_do,
     count(CASE WHEN {self._candidate} AND {self._elsewhere} THEN 1 END) AS elsewhere
RETURN sum(citations) AS citations, sum(qualified) AS qualified, sum(contexts) AS contexts,
       sum(delivered) AS delivered, sum(to_do) AS to_do, sum(elsewhere) AS elsewhere
"""

    def fetch(self, *, outcomes: bool) -> str:
        """Whole citations by key; several rows for a key that stands more than once, or that names no reference."""
        names = self.names
        verdicts = f"COLLECT {{ {self._verdicts} RETURN properties(v) ORDER BY v.position }}"
        return f"""
UNWIND $rows AS row {self._citations}
RETURN row.i AS i, a.{names.article_id} AS source, b.{names.article_id} AS target, c.{names.reference_id} AS reference,
       a.{names.title} AS source_title, a.{names.authors} AS source_authors, a.{names.year} AS source_year,
       b.{names.title} AS target_title, b.{names.authors} AS target_authors, b.{names.year} AS target_year,
       c.{names.qualified} AS qualified, c.{names.contexts} AS contexts, c.{names.context_count} AS context_count,
       c.fidelity_fields_json AS fields_json, c.fidelity_screenings AS screenings, {self._elsewhere} AS elsewhere,
       {verdicts if outcomes else "[]"} AS outcomes
ORDER BY i
"""

    def deliver(self) -> str:
        """Lock the citations of these rows, look, and write where this screening has not been; says which it was.

        Each result comes once, with the places of its rows in ``$rows``. A key without an edge is in none of them, and
        there is no result at all where there is no such screening. Setting a property takes the lock; taking it off
        again leaves nothing behind. The name of the property that is read after that is a parameter, as the planner
        could else read it once, before the lock.
        """
        names = self.names
        copied = ", ".join(f"{name}: outcome[{at}]" for at, name in enumerate(OUTCOME_PROPERTIES))
        return f"""
MATCH (s:FidelityScreening {{name: $screening}})
UNWIND $rows AS row {self._citation}
SET c.fidelity_lock = true REMOVE c.fidelity_lock
WITH row.i AS i, collect(c) AS edges
WITH i, $rows[i] AS row, size(edges) AS number, edges[0] AS c
WITH i, row, c, CASE
  WHEN number > 1 THEN 'doubled'
  WHEN coalesce(toStringOrNull(c[$reference_name]), '') <> row.reference THEN 'gone'
  WHEN {self._delivered} THEN 'found'
  WHEN EXISTS {{ {self._verdicts} }} THEN 'stale'
  ELSE 'written' END AS result, startNode(c) AS a, endNode(c) AS b
FOREACH (_ IN CASE result WHEN 'written' THEN [1] ELSE [] END |
  SET c.{names.classified} = true, c.{names.classified_at} = $at,
      c.fidelity_screenings = coalesce(c.fidelity_screenings, []) + $screening
  FOREACH (outcome IN row.outcomes |
    CREATE (a)-[:JUDGED_IN]->(:FidelityVerdict {{
      screening: $screening, run: $run, classified_at: $at,
      source_id: row.source, target_id: row.target, reference_id: row.reference,
      outcome_count: size(row.outcomes), {copied}
    }})-[:JUDGES]->(b)))
RETURN result, collect(i) AS places
"""

    def lock(self) -> str:
        """Lock the citations of these rows, in their order."""
        return f"UNWIND $rows AS row {self._citation} SET c.fidelity_lock = true REMOVE c.fidelity_lock"

    def look(self) -> str:
        """The screenings that locked citations have."""
        return (
            f"UNWIND $rows AS row {self._citation} RETURN row.i AS i, coalesce(c.fidelity_screenings, []) AS screenings"
        )

    def unmark(self) -> str:
        """Take a screening off locked citations; the mark ``classified`` goes with the last one."""
        names = self.names
        return f"""
UNWIND $rows AS row {self._citation}
WITH c, [name IN c.fidelity_screenings WHERE name <> $screening] AS left
SET c.fidelity_screenings = left
WITH c WHERE size(c.fidelity_screenings) = 0
REMOVE c.{names.classified}, c.{names.classified_at}
"""

    def make_articles(self) -> str:
        """Make articles with their properties."""
        return f"UNWIND $rows AS row CREATE (a:{self.names.article}) SET a = row"

    def article_properties(self) -> str:
        """What the graph knows of these articles; the first where several have one id."""
        names = self.names
        return f"""
UNWIND $rows AS row
MATCH (a:{names.article}) {self._article_index} WHERE a.{names.article_id} IN row.ids
RETURN row.i AS i, a.{names.article_id} AS id, a.{names.title} AS title, a.{names.authors} AS authors,
       a.{names.year} AS year
"""

    def make_citations(self) -> str:
        """Make citations between articles that are there; of several with one id, between the first ones."""
        names = self.names
        return f"""
UNWIND $rows AS row
CALL (row) {{
  MATCH (a:{names.article}) {self._article_index} WHERE a.{names.article_id} IN row.sources RETURN a LIMIT 1
}}
CALL (row) {{
  MATCH (b:{names.article}) USING INDEX b:{names.article}({names.article_id})
  WHERE b.{names.article_id} IN row.targets RETURN b LIMIT 1
}}
CREATE (a)-[c:{names.cites}]->(b) SET c = row.properties
"""

    def change_citations(self) -> str:
        """Replace what an import brings; what has been delivered stays."""
        return f"UNWIND $rows AS row {self._citation} SET c += row.properties"

    def articles(self, span: Span, *, last: bool) -> str:
        """The articles ``a`` of a stretch of the index: after ``$after`` and, but for the last, up to ``$upto``."""
        article_id = f"a.{self.names.article_id}"
        if span == "odd":
            # Not with OR and NOT: rewritten by the planner, that leaves out articles without the property.
            in_spans = " ".join(f"WHEN {article_id} IS :: {kind} NOT NULL THEN false" for kind in INDEXED_TYPES)
            return (
                f"MATCH (a:{self.names.article}) WHERE CASE WHEN {article_id} = '' THEN true {in_spans} ELSE true END"
            )
        upto = "" if last else f" AND {article_id} <= $upto"
        return f"MATCH (a:{self.names.article}) {self._article_index} WHERE {article_id} > $after{upto}"


def _told(value: str) -> str:
    """The Cypher for an id as people are told it."""
    return f"coalesce(toStringOrNull({value}), {value}, '')"
