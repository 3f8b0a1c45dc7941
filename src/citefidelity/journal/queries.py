"""What readers ask of a journal's tables; see :mod:`citefidelity.journal.schema`."""

import apsw

from citefidelity.journal.connection import scalar

SINCE_REOPENED = """
seq > coalesce((SELECT max(r.seq) FROM reopened r WHERE r.screening = settled.screening
                AND r.citation = settled.citation AND r.instance_id = settled.instance_id), 0)
"""

SCREENINGS = """
SELECT s.name, p.json, b.fingerprint FROM screening s
JOIN began b ON b.seq = (SELECT min(seq) FROM began WHERE screening = s.id)
JOIN spec p ON p.fingerprint = b.fingerprint ORDER BY b.seq
"""

RUNS = """
SELECT r.name, s.name, p.json, b.fingerprint, b.program, b.host, b.pid, b.at, e.why, e.at
FROM began b JOIN run r ON r.id = b.run JOIN screening s ON s.id = b.screening
JOIN spec p ON p.fingerprint = b.fingerprint LEFT JOIN stopped e ON e.run = b.run
WHERE s.name = ? ORDER BY b.seq
"""

ATTEMPTS = """
SELECT a.attempt, r.name, c.source_id, c.target_id, c.reference_id, a.instance_id, a.input_hash, a.at, a.manner,
       e.at, e.seconds, e.sent, e.fault, e.billed, e.input_tokens, e.output_tokens, e.cached_tokens,
       e.reasoning_tokens, e.cost_usd, y.status, y.message, y.answering_model, y.system_fingerprint, y.finish_reason,
       y.request_id, y.zstd
FROM asked a JOIN run r ON r.id = a.run JOIN citation c ON c.id = a.citation
LEFT JOIN ended e ON e.attempt = a.attempt LEFT JOIN reply y ON y.seq = e.seq
WHERE a.screening = ? {and_citation} ORDER BY a.attempt
"""

SETTLED = """
SELECT s.seq, r.name, c.source_id, c.target_id, c.reference_id, o.json, s.at, s.attempt, o.flags
FROM {settled} s JOIN outcome o ON o.seq = s.seq JOIN citation c ON c.id = s.citation JOIN run r ON r.id = s.run
WHERE s.screening = ? {and_citation} ORDER BY s.citation, s.seq
"""

# SQLite takes the other columns from the row that has the maximum.
STANDING = """(
    SELECT screening, citation, max(seq) AS seq, run, at, attempt, result FROM settled
    WHERE usable AND {counts} GROUP BY screening, citation, instance_id
)"""

REOPENED = """
SELECT c.source_id, c.target_id, c.reference_id, x.instance_id, max(x.seq) FROM reopened x
JOIN citation c ON c.id = x.citation WHERE x.screening = ? GROUP BY x.citation, x.instance_id
"""

DELIVERED = """
SELECT c.source_id, c.target_id, c.reference_id, r.name, x.at, x.result FROM delivered x
JOIN citation c ON c.id = x.citation JOIN run r ON r.id = x.run WHERE x.screening = ? ORDER BY x.seq
"""

# What stands of a citation is later than its last delivery; or one of its contexts was reopened since, and that took
# all of it out of the store.
UNDELIVERED = """
SELECT c.source_id, c.target_id, c.reference_id FROM (
    SELECT citation, max(seq) AS latest FROM settled WHERE screening = ?1 AND usable AND {counts}
    GROUP BY citation
) s JOIN citation c ON c.id = s.citation
WHERE coalesce((SELECT max(d.seq) FROM delivered d WHERE d.screening = ?1 AND d.citation = s.citation), 0)
    < max(s.latest, coalesce((SELECT max(r.seq) FROM reopened r WHERE r.screening = ?1 AND r.citation = s.citation), 0))
"""

# In hundredths of a second, so that the answer is short however many attempts there were.
ANSWER_TIMES = """
SELECT CAST(round(seconds * 100) AS INTEGER), count(*) FROM ended WHERE screening = ? AND fault IS NULL GROUP BY 1
"""

# By the number of the fact, backwards: by the index of citations, all of them would have to be sorted.
BEHIND = """
SELECT c.source_id, c.target_id, c.reference_id FROM (
    SELECT seq, citation FROM delivered NOT INDEXED WHERE screening = ? ORDER BY seq DESC LIMIT ?
) d JOIN citation c ON c.id = d.citation ORDER BY d.seq LIMIT 1
"""

OPEN_ATTEMPTS = """
SELECT (SELECT count(*) FROM asked WHERE screening = ?1) - (SELECT count(*) FROM ended WHERE screening = ?1)
"""


def which_count(connection: apsw.Connection, sql: str) -> str:
    """``sql`` with ``{counts}`` as the condition that a row of ``settled`` is later than its context's *reopened*.

    Where nothing was ever reopened that is always so, and asking it of a million rows would take a third of the time.
    """
    any_reopened = scalar(connection, "SELECT EXISTS (SELECT 1 FROM reopened)")
    return sql.replace("{counts}", SINCE_REOPENED if any_reopened else "true")
