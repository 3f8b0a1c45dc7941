"""Records in and out: what is kept, what is refused, what is ours."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from citefidelity.errors import RecordError
from citefidelity.kinds import UndeliverableKind
from citefidelity.record_format import citation_of, exported, found, parse_contexts, parse_record
from citefidelity.records import CitationKey, Context, Record, Segment, StoredCitation, Unusable
from support.makers import (
    AT,
    make_failed,
    make_json,
    make_key,
    make_line,
    make_outcome,
    make_record,
    make_unassessable,
)


def parsed(**fields: Any) -> Record:
    """A record with these fields besides the required ones."""
    return parse_record(json.dumps({"source_id": "a", "target_id": "b", "contexts": [], **fields}).encode())[0]


def with_context(**fields: Any) -> Record:
    """A record with one context, which has these fields besides the required ones."""
    return parsed(contexts=[{"instance_id": 1, "context_text": "x", **fields}])


def test_every_value_keeps_its_bytes() -> None:
    """Numbers, escapes, unknown fields and inner spacing stay; contexts and the rest stand apart."""
    line = (
        b'{"n": 1.0, "source_id" : "a\\u00e9", "m":[1E5,  -0.0], "target_id":"b", '
        b'"contexts":[{"context_text":"x",  "instance_id":7, "k":1e-7}] }'
    )
    record, left_out = parse_record(line)
    assert record.fields == b'{"n":1.0,"source_id":"a\\u00e9","m":[1E5,  -0.0],"target_id":"b"}'
    assert record.contexts == b'[{"context_text":"x","instance_id":7,"k":1e-7}]'
    assert (record.key, record.qualified, record.context_count, left_out) == (("aé", "b", ""), True, 1, [])


@pytest.mark.parametrize(
    ("fields", "reference"),
    [({}, ""), ({"reference_id": None}, ""), ({"reference_id": ""}, ""), ({"reference_id": 7}, "7")],
)
def test_the_reference_may_be_absent(fields: dict[str, Any], reference: str) -> None:
    """No reference, a null one and an empty one are the same key; an integer counts as its decimal string."""
    assert parsed(**fields).key == CitationKey("a", "b", reference)


def test_integer_keys_count_as_their_decimal_string() -> None:
    """They come out as they went in."""
    record = parsed(source_id=10**30, target_id=-5)
    assert record.key == (str(10**30), "-5", "")
    assert json.loads(exported(StoredCitation(record)))["source_id"] == 10**30


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"source_id": 1.0}, "source_id"),
        ({"source_id": True}, "source_id"),
        ({"source_id": None}, "source_id"),
        ({"source_id": " "}, "source_id"),
        ({"target_id": ""}, "target_id"),
        ({"target_id": ["b"]}, "target_id"),
        ({"reference_id": 1.5}, "reference_id"),
        ({"qualified": None}, "qualified"),
        ({"qualified": "yes"}, "qualified"),
        ({"qualified": 1}, "qualified"),
        ({"source_title": 3}, "source_title"),
        ({"contexts": None}, "contexts"),
        ({"contexts": {}}, "contexts"),
        ({"contexts": ["x"]}, "contexts[0]"),
        ({"contexts": [{"context_text": "x"}]}, "contexts[0].instance_id"),
        ({"contexts": [{"instance_id": 1}]}, "contexts[0].context_text"),
    ],
)
def test_wrong_citations_are_refused_by_field(fields: dict[str, Any], field: str) -> None:
    """A wrong type, a blank key or a missing field is named by its path."""
    with pytest.raises(RecordError) as caught:
        parsed(**fields)
    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"instance_id": None}, "instance_id"),
        ({"instance_id": 1.0}, "instance_id"),
        ({"instance_id": False}, "instance_id"),
        ({"instance_id": ""}, "instance_id"),
        ({"context_text": 5}, "context_text"),
        ({"context_text": " \n\t\u00a0"}, "context_text"),
        ({"section": 5}, "section"),
        ({"citation_sentence": []}, "citation_sentence"),
        ({"evidence_segments": "x"}, "evidence_segments"),
        ({"evidence_segments": ["x"]}, "evidence_segments[0]"),
        ({"evidence_segments": [{"text": "x"}, {"text": 5}]}, "evidence_segments[1].text"),
        ({"evidence_segments": [{"text": "x", "similarity_score": True}]}, "evidence_segments[0].similarity_score"),
    ],
)
def test_wrong_contexts_are_refused_by_field(fields: dict[str, Any], field: str) -> None:
    """The path leads into the context and its segments."""
    with pytest.raises(RecordError) as caught:
        with_context(**fields)
    assert caught.value.field == f"contexts[0].{field}"


@pytest.mark.parametrize("missing", ["source_id", "target_id", "contexts"])
def test_required_fields_are_missed(missing: str) -> None:
    """A record without one of its required fields is refused, and which one is said."""
    record = make_json()
    del record[missing]
    with pytest.raises(RecordError, match=f"^{missing}: is missing$"):
        parse_record(json.dumps(record).encode())


def test_instance_ids_are_compared_as_text() -> None:
    """1 and "1" in one citation are the same, and so refused; the second one is named."""
    contexts = [{"instance_id": one, "context_text": "x"} for one in (2, 1, "1")]
    with pytest.raises(RecordError) as caught:
        parsed(contexts=contexts)
    assert caught.value.field == "contexts[2].instance_id"


@pytest.mark.parametrize("line", [b"[]", b'"x"', b"null", b"3"])
def test_a_line_that_is_no_object_is_refused_with_advice(line: bytes) -> None:
    """Somebody who gives a JSON array learns how to make JSON Lines of it."""
    with pytest.raises(RecordError, match="not a JSON object") as caught:
        parse_record(line)
    assert "JSON Lines" in caught.value.hint


def test_what_is_ours_is_left_out_and_named() -> None:
    """Results of an export that is imported again do not come in; fields of these names elsewhere do."""
    ours = {"state": "verdict", "verdict": None, "failure": {}, "answer": {"a": 1}}
    contexts = [{"instance_id": 1, "context_text": "x", "deep": {"state": 1}, **ours}]
    line = make_line(1, contexts=contexts, classified=True, classified_at=AT, verdict="kept")
    record, left_out = parse_record(line)
    assert sorted(left_out) == [
        "classified",
        "classified_at",
        "contexts[].answer",
        "contexts[].failure",
        "contexts[].state",
        "contexts[].verdict",
    ]
    assert record.contexts == b'[{"instance_id":1,"context_text":"x","deep":{"state": 1}}]'
    assert json.loads(record.fields)["verdict"] == "kept"


def test_the_engine_sees_what_a_prompt_may_show() -> None:
    """Titles, and of each context its text, section, sentence and evidence."""
    record = make_record(1, contexts=2, extra={"x": 1})
    citation = citation_of(record)
    assert (citation.key, citation.source_title, citation.target_title) == (
        make_key(1),
        "Citing article 1",
        "Cited article 1",
    )
    assert citation.contexts[1] == Context(
        "2",
        "Aspirin lowers the risk [1.2].",
        "Introduction",
        None,
        (Segment("Aspirin lowered the risk by 12 %.", "Results", 0.5),),
    )


def test_odd_evidence_is_read_for_what_it_is_worth() -> None:
    """Null segments and texts are blank, a score as text is a number if it is one; nothing of it stops a citation."""
    segments = [
        None,
        {"text": None},
        {"text": "a", "similarity_score": "0.25"},
        {"text": "b", "similarity_score": "high"},
        {},
    ]
    (context,) = parse_contexts(with_context(evidence_segments=segments).contexts)
    assert context.evidence_segments == (Segment(""), Segment("a", None, 0.25), Segment("b"), Segment(""))
    assert parse_contexts(with_context(evidence_segments=None).contexts)[0].evidence_segments == ()


@pytest.mark.parametrize(
    "contexts",
    [b"", b"nonsense", b"{}", b"[1]", b"[" * 100_000, b"\xff", b'[{"instance_id":"\\ud800","context_text":"x"}]'],
)
def test_contexts_that_are_none_are_unusable(contexts: bytes) -> None:
    """Whatever a store holds, reading it ends in contexts or in the kind of the fault."""
    record = msgspec.structs.replace(make_record(1), contexts=contexts)
    unusable = found(record)
    assert isinstance(unusable, Unusable)
    assert unusable.kind == UndeliverableKind.UNREADABLE_RECORD


def test_an_export_line_adds_how_each_context_ended() -> None:
    """Each context gets its state, verdict, failure and answer; the citation whether and when it was delivered."""
    record = make_record(1, contexts=4)
    outcomes = (make_outcome("1"), make_failed("2"), make_unassessable("3"))
    line = exported(StoredCitation(record, classified_at=AT, run="run-1", outcomes=outcomes))
    assert line.endswith(b"}\n")
    result = json.loads(line)
    assert (result["classified"], result["classified_at"]) == (True, AT)
    first, second, third, fourth = result["contexts"]
    assert [one["state"] for one in result["contexts"]] == ["verdict", "failed", "unassessable", "to_do"]
    assert first["verdict"] == {
        "category": "SUPPORT",
        "citation_type": "CONCEPTUAL",
        "confidence": 0.9,
        "justification": "The passage says the same.",
    }
    assert second["failure"] == {"kind": "refused", "message": "The model declined.", "retryable": False}
    assert third["failure"]["kind"] == "no_evidence"
    assert " ".join(first["answer"]) == (
        "screening spec provider model answering_model system_fingerprint finish_reason request_id attempts "
        "input_tokens output_tokens cached_tokens cost_usd answered_at input_hash program"
    )
    assert (first["failure"], second["verdict"], third["answer"]) == (None, None, None)
    assert [fourth[name] for name in ("verdict", "failure", "answer")] == [None, None, None]


@pytest.mark.parametrize(
    ("stored", "state"),
    [
        (StoredCitation(make_record(1)), "to_do"),
        (StoredCitation(make_record(1, qualified=False)), None),
        (StoredCitation(make_record(1), unusable=Unusable(make_key(1), "edge_doubled", "")), "undeliverable"),
    ],
)
def test_a_context_without_an_outcome_says_why(stored: StoredCitation, state: str | None) -> None:
    """It is to do, undeliverable, or not to be asked at all."""
    result = json.loads(exported(stored))
    assert [context["state"] for context in result["contexts"]] == [state]
    assert (result["classified"], result["classified_at"]) == (False, None)


def test_unreadable_contexts_are_exported_as_the_text_they_are() -> None:
    """Nothing of a store is dropped on export, not even what nobody can read."""
    record = msgspec.structs.replace(make_record(1), contexts=b'[{"cut')
    assert json.loads(exported(StoredCitation(record)))["contexts"] == '[{"cut'
