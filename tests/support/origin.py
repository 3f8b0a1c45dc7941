"""Contexts as the program leaves them that made such graphs first."""

from __future__ import annotations

from typing import Any


def judged(number: int | str, **more: Any) -> dict[str, Any]:
    """A context whose call succeeded."""
    usual = {
        "instance_id": number,
        "context_text": f"As shown before [{number}].",
        "section": "Results",
        "evidence_segments": [{"text": "It was shown.", "section": "Results", "similarity_score": 0.7}],
        "classification": {"category": "SUPPORT", "citation_type": "CONCEPTUAL", "confidence": 0.9},
        "human_review": {"reviewed": False},
    }
    return usual | more


def error(number: int | str) -> dict[str, Any]:
    """A context whose call failed, and that kept its text."""
    return judged(number, classification={"category": "ERROR", "confidence": 0.0})


def blank(number: int | str) -> dict[str, Any]:
    """A context whose call failed, and that lost everything."""
    return {
        "instance_id": number,
        "context_text": "",
        "section": "",
        "evidence_segments": [],
        "classification": {"category": "ERROR", "confidence": 0.0, "justification": "Classification failed: timeout"},
    }
