"""``verify`` goes red: a screening that a real run has made, damaged in every way that the audit knows."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import NamedTuple

import pytest

from citefidelity.audits.audited import Note, Violation
from support.audits import Scene, spoil_index
from support.makers import make_json, make_line

BARE = {"instance_id": 2, "context_text": "As shown before [9]."}
GOOD = {"justification": "It says so.", "citation_type": "CONCEPTUAL", "category": "SUPPORT", "confidence": 1}
ROW = (
    "screening_id, citation_id, 99, instance_id, state, category, citation_type, confidence, justification, "
    "failure_kind, failure, answer, input_hash"
)
WORDS = {
    "row": ROW,
    "foreign": ROW.replace("instance_id", "'x'", 1),
    "first": "citation_id = 1 AND position = 0",
    "told": "(SELECT seq FROM ended WHERE attempt = 1)",
    "verdict": json.dumps({"choices": [{"message": {"content": json.dumps(GOOD)}}]}),
}
"""What stands for what in the statements below."""


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Four citations: two contexts each; the third has a context that was refused, the last one without evidence."""
    scene = Scene(tmp_path_factory.mktemp("screened"))
    bare = [{**BARE, "instance_id": 1, "evidence_segments": [{"text": "Aspirin lowered it."}]}, BARE]
    scene.put(make_line(1, 2), make_line(2, 2), make_line(3, 2), make_line(4, bare))
    ran = scene.run("filtered@5*always", "plain_refusal@2")
    assert (ran.report.answered, ran.report.failed, ran.report.unassessable, ran.stats.received) == (6, 1, 1, 8)
    return scene


@pytest.fixture
def scene(screened: Scene, tmp_path: Path) -> Scene:
    """A copy to damage."""
    return screened.copy(tmp_path)


@pytest.mark.guarantee("G2", "G3", "G4")
def test_what_a_run_has_made_is_clean(scene: Scene) -> None:
    """An audit of an undamaged screening finds nothing, has read all of it, and says so."""
    audit = scene.verify()
    assert audit.clean
    assert audit.exit_code == 0
    assert (audit.violations, audit.notes, audit.violations_by_kind, audit.notes_by_kind) == ([], [], {}, {})
    assert (audit.citations, audit.contexts, audit.delivered, audit.waiting) == (4, 8, 4, 0)
    states = audit.states
    assert (states.verdict, states.unassessable, states.failed, states.to_do) == (6, 1, 1, 0)
    assert audit.failures == {"refused": 1}
    assert (audit.audited, audit.not_audited, audit.attempts, audit.maybe_paid) == (8, 0, 8, 0)
    assert [journal.path for journal in audit.journals] == [str(scene.journal)]


class Damage(NamedTuple):
    """Something done to a file, the one kind of violation that names it, and the one context that is named."""

    kind: Violation
    where: str
    sql: str
    instance_id: str | None = "1"


DAMAGES = [
    Damage(Violation.HALF_DELIVERED, "store", "DELETE FROM delivered WHERE citation_id = 1", None),
    Damage(Violation.HALF_DELIVERED, "store", "DELETE FROM outcome WHERE citation_id = 1", None),
    Damage(Violation.MISSING, "store", "DELETE FROM outcome WHERE $first"),
    Damage(Violation.DOUBLED, "store", "INSERT INTO outcome SELECT $row FROM outcome WHERE $first"),
    Damage(Violation.MALFORMED, "store", "UPDATE outcome SET state = 'failed' WHERE $first"),
    Damage(Violation.MALFORMED, "store", "UPDATE outcome SET state = 'perhaps' WHERE $first"),
    Damage(Violation.MALFORMED, "store", "UPDATE outcome SET answer = NULL WHERE $first"),
    Damage(
        Violation.MALFORMED,
        "store",
        "UPDATE outcome SET failure = replace(failure, 'false', 'true') WHERE state = 'failed'",
    ),
    Damage(
        Violation.MALFORMED,
        "store",
        "UPDATE outcome SET answer = (SELECT answer FROM outcome WHERE $first) WHERE state = 'unassessable'",
        "2",
    ),
    Damage(Violation.MALFORMED, "store", "UPDATE outcome SET failure = NULL WHERE state = 'unassessable'", "2"),
    Damage(Violation.OUT_OF_SPEC, "store", "UPDATE outcome SET category = 'MAYBE' WHERE $first"),
    Damage(Violation.OUT_OF_SPEC, "store", "UPDATE outcome SET citation_type = 'MAYBE' WHERE $first"),
    Damage(Violation.OUT_OF_SPEC, "store", "UPDATE outcome SET confidence = 1.01 WHERE $first"),
    Damage(Violation.OUT_OF_SPEC, "store", "UPDATE outcome SET confidence = -0.01 WHERE $first"),
    Damage(Violation.OUT_OF_SPEC, "store", "UPDATE outcome SET justification = printf('%601d', 1) WHERE $first"),
    Damage(Violation.MADE_UP, "journal", "DELETE FROM settled WHERE citation = 1 AND instance_id = '1'"),
    Damage(Violation.MADE_UP, "store", "UPDATE outcome SET input_hash = 'ab' WHERE $first"),
    Damage(
        Violation.MADE_UP,
        "store",
        "INSERT INTO outcome SELECT $foreign FROM outcome WHERE $first",
        "x",
    ),
    Damage(Violation.DIFFERS, "store", "UPDATE outcome SET confidence = 1 - confidence / 2 WHERE $first"),
    Damage(Violation.DIFFERS, "store", "UPDATE outcome SET justification = 'No.' WHERE $first"),
    Damage(
        Violation.DIFFERS,
        "store",
        "UPDATE outcome SET category = CASE category WHEN 'SUPPORT' THEN 'CONTRADICT' ELSE 'SUPPORT' END WHERE $first",
    ),
    Damage(Violation.DIFFERS, "store", "UPDATE outcome SET answer = replace(answer, 'scripted', 'm') WHERE $first"),
    Damage(Violation.UNKNOWN_RUN, "store", "UPDATE delivered SET run = 'nobody' WHERE citation_id = 1", None),
    Damage(Violation.NO_REPLY, "journal", "DELETE FROM ended WHERE attempt = 1"),
    Damage(Violation.NO_REPLY, "journal", "UPDATE settled SET attempt = 99 WHERE attempt = 1"),
    Damage(Violation.NO_REPLY, "journal", "UPDATE settled SET attempt = 3 WHERE attempt = 1"),
    Damage(Violation.NO_REPLY, "journal", "UPDATE settled SET attempt = 1 WHERE attempt = 3"),
    Damage(
        Violation.NO_REPLY,
        "journal",
        "INSERT INTO run VALUES (99, 'x'); UPDATE settled SET run = 99 WHERE attempt = 1; "
        "INSERT INTO began SELECT 0, 99, screening, fingerprint, program, host, pid, at FROM began",
    ),
    Damage(Violation.NO_REPLY, "journal", "UPDATE settled SET attempt = NULL WHERE attempt = 1"),
    Damage(
        Violation.REPLY_DIFFERS,
        "journal",
        "UPDATE reply SET zstd = zstd(replace(unzstd(zstd), 'Scripted answer', 'No answer')) WHERE seq = $told",
    ),
    Damage(
        Violation.REPLY_DIFFERS,
        "journal",
        "UPDATE reply SET zstd = zstd(replace(unzstd(zstd), 'justification', 'reason')) WHERE seq = $told",
    ),
    Damage(
        Violation.REPLY_DIFFERS,
        "journal",
        "UPDATE reply SET zstd = zstd(replace(unzstd(zstd), '\"scripted\"', '\"other\"')) WHERE seq = $told",
    ),
    Damage(
        Violation.REPLY_DIFFERS,
        "journal",
        'UPDATE reply SET zstd = zstd(replace(unzstd(zstd), \'"refusal":null\', \'"refusal":"No."\')) '
        "WHERE seq = $told",
    ),
    Damage(Violation.REPLY_DIFFERS, "journal", "UPDATE reply SET status = 500 WHERE seq = $told"),
    Damage(Violation.REPLY_DIFFERS, "journal", "UPDATE reply SET request_id = 'x' WHERE seq = $told"),
    Damage(Violation.REPLY_DIFFERS, "journal", "UPDATE ended SET fault = 'refused' WHERE attempt = 1"),
    Damage(Violation.REPLY_DIFFERS, "journal", "UPDATE ended SET fault = NULL WHERE fault = 'refused'"),
    Damage(Violation.REPLY_DIFFERS, "journal", "UPDATE began SET program = 'another 1'", None),
    Damage(
        Violation.REPLY_DIFFERS,
        "journal",
        "UPDATE reply SET status = 200, zstd = zstd('$verdict') "
        "WHERE seq = (SELECT seq FROM ended WHERE fault = 'refused')",
    ),
    Damage(Violation.SUMS_DIFFER, "journal", "UPDATE ended SET input_tokens = input_tokens + 1 WHERE attempt = 1"),
    Damage(Violation.SUMS_DIFFER, "journal", "UPDATE ended SET input_tokens = NULL WHERE attempt = 1"),
    Damage(Violation.SUMS_DIFFER, "journal", "UPDATE ended SET reasoning_tokens = 7 WHERE attempt = 1"),
    Damage(Violation.SUMS_DIFFER, "journal", "UPDATE ended SET cost_usd = 1.5 WHERE attempt = 1"),
    Damage(
        Violation.SUMS_DIFFER,
        "journal",
        "INSERT INTO asked SELECT 0, screening, run, citation, instance_id, input_hash, at, manner FROM asked "
        "WHERE attempt = 1",
    ),
    Damage(
        Violation.ASKED_AGAIN,
        "journal",
        "INSERT INTO asked SELECT 99, screening, run, citation, instance_id, input_hash, at, manner FROM asked "
        "WHERE attempt = 1",
    ),
    Damage(
        Violation.SETTLED_TWICE,
        "journal",
        "INSERT INTO outcome SELECT 999, json, flags FROM outcome WHERE seq = (SELECT seq FROM settled "
        "WHERE attempt = 1); INSERT INTO settled SELECT screening, citation, instance_id, 999, run, input_hash, "
        "usable, result, attempt, at FROM settled WHERE attempt = 1",
    ),
    Damage(
        Violation.ASKED_WITHOUT_EVIDENCE,
        "journal",
        "UPDATE settled SET attempt = 1 WHERE result LIKE 'unassessable%'",
        "2",
    ),
    Damage(
        Violation.PROMPT_DIFFERS,
        "journal",
        "UPDATE prompt SET zstd = zstd(unzstd(zstd) || '.') WHERE input_hash = (SELECT input_hash FROM asked "
        "WHERE attempt = 1)",
    ),
    Damage(
        Violation.PROMPT_DIFFERS,
        "journal",
        "DELETE FROM prompt WHERE input_hash = (SELECT input_hash FROM asked WHERE attempt = 1)",
    ),
    Damage(
        Violation.STRAY,
        "journal",
        "INSERT INTO ended SELECT 99, seq, screening, at, seconds, sent, fault, billed, input_tokens, output_tokens, "
        "cached_tokens, reasoning_tokens, cost_usd FROM ended WHERE attempt = 1",
        None,
    ),
    Damage(
        Violation.STRAY,
        "journal",
        "INSERT INTO asked SELECT 99, screening, run, 99, instance_id, input_hash, at, manner FROM asked "
        "WHERE attempt = 1",
        None,
    ),
    Damage(Violation.ROWS_DISAGREE, "journal", "UPDATE settled SET usable = 0 WHERE attempt = 1"),
    Damage(Violation.ROWS_DISAGREE, "journal", "UPDATE settled SET result = 'verdict:MAYBE' WHERE attempt = 1"),
    Damage(Violation.UNREADABLE, "journal", "UPDATE reply SET zstd = x'00' WHERE seq = $told"),
    Damage(Violation.UNREADABLE, "journal", "DELETE FROM reply WHERE seq = $told"),
    Damage(
        Violation.UNREADABLE,
        "journal",
        "UPDATE outcome SET json = x'7b' WHERE seq = (SELECT seq FROM settled WHERE attempt = 1)",
    ),
    Damage(Violation.UNREADABLE, "store", "UPDATE outcome SET answer = '{' WHERE $first", None),
    Damage(Violation.SPEC_DIFFERS, "store", "UPDATE screening SET fingerprint = '00'", None),
    Damage(Violation.SPEC_DIFFERS, "store", "UPDATE screening SET spec = '{}'", None),
    Damage(Violation.SPEC_DIFFERS, "journal", "UPDATE spec SET json = replace(json, 'scripted', 'other')", None),
]


@pytest.mark.guarantee("G2", "G3", "G4")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: f"{damage.kind}: {damage.sql[:60]}")
def test_a_damage_is_named(scene: Scene, damage: Damage) -> None:
    """Each damage is found, by its own kind and no other, where it was done; and the exit code is 6."""
    (scene.in_store if damage.where == "store" else scene.in_journal)(Template(damage.sql).substitute(WORDS))
    audit = scene.verify()
    assert set(audit.violations_by_kind) == {damage.kind}, audit.violations
    assert not audit.clean
    assert audit.exit_code == 6
    if damage.instance_id is not None:
        assert {violation.instance_id for violation in audit.violations} == {damage.instance_id}, audit.violations
    assert all(violation.message for violation in audit.violations)


def test_a_damage_in_the_journal_alone_is_named(scene: Scene) -> None:
    """An outcome that is not delivered yet is held to the same form."""
    scene.in_store("DELETE FROM delivered WHERE citation_id = 1; DELETE FROM outcome WHERE citation_id = 1")
    scene.in_journal(
        'UPDATE outcome SET json = CAST(replace(json, \'"state":"verdict"\', \'"state":"failed"\') AS BLOB) '
        "WHERE seq = (SELECT seq FROM settled WHERE attempt = 1); "
        "UPDATE settled SET result = replace(result, 'verdict:', 'failed:') WHERE attempt = 1"
    )
    assert scene.verify().violations_by_kind == {Violation.MALFORMED: 1}


def test_a_difference_is_told_with_both_values(scene: Scene) -> None:
    """Whoever reads it sees what the store says and what the journal says."""
    ((before,),) = scene.in_store("SELECT confidence FROM outcome WHERE citation_id = 1 AND position = 0")
    scene.in_store("UPDATE outcome SET confidence = 0.123 WHERE citation_id = 1 AND position = 0")
    (violation,) = scene.verify().violations
    assert violation.message == f"verdict.confidence is 0.123 in the store, {before} in the journal"
    assert violation.place() == "citing-1 -> cited-1 [r1] 1"


def test_only_what_was_lost_is_named_beside_what_was_added(scene: Scene) -> None:
    """A context added since is not taken for the one whose outcome is lost."""
    scene.in_store("DELETE FROM outcome WHERE citation_id = 1 AND position = 0")
    scene.put(make_line(1, [*make_json(1, 2)["contexts"], {**BARE, "instance_id": "new"}]))
    audit = scene.verify()
    assert [(one.kind, one.instance_id) for one in audit.violations] == [(Violation.MISSING, "1")]
    assert [(one.kind, one.instance_id) for one in audit.notes] == [(Note.ADDED, "new")]


@pytest.mark.parametrize(("file", "index"), [("store", "outcome_category"), ("journal", "asked_by_citation")])
def test_a_damaged_file_is_named(scene: Scene, file: str, index: str) -> None:
    """A file that SQLite finds damaged is a violation, and nothing is concluded from what is in it."""
    spoil_index(scene.store if file == "store" else scene.journal, index)
    audit = scene.verify()
    assert set(audit.violations_by_kind) == {Violation.DAMAGED}, audit.violations
    assert (audit.audited, audit.exit_code) == (0, 6)


def test_every_check_is_seen_to_fire() -> None:
    """Each kind of violation has a damage here that brings it out."""
    assert {damage.kind for damage in DAMAGES} | {Violation.DAMAGED} == set(Violation)


def test_many_findings_are_counted_and_the_first_named(tmp_path: Path) -> None:
    """A report stays small, whatever is wrong with a store."""
    scene = Scene(tmp_path)
    scene.put(*(make_line(number, 3) for number in range(1, 41)))
    scene.run(concurrency=20)
    scene.in_store("UPDATE outcome SET justification = 'No.'")
    audit = scene.verify()
    assert audit.violations_by_kind == {Violation.DIFFERS: 120}
    assert (audit.violations_total, len(audit.violations)) == (120, 100)
    assert {note.kind for note in audit.notes} <= set(Note)
