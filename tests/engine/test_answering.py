"""Who answered, and to how much of the prompt: a provider that changes the model, a server that cuts what is long."""

from __future__ import annotations

import msgspec
import pytest

from citefidelity.facts import Ended
from citefidelity.ports import Question, RawReply
from citefidelity.testing.journal import MemoryJournal
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.store import MemoryStore
from support.bench import outcomes, screen
from support.makers import make_record
from support.virtual_time import VirtualClock, run_virtual

LONG = {
    "instance_id": 1,
    "context_text": "Aspirin lowers the risk of a first infarction, as two large trials have shown [1]. " * 400,
    "evidence_segments": [{"text": "It lowered the risk by 12 %."}],
}


class SmallContext(ScriptedModel):
    """A server that reads the first 4,096 tokens of a prompt, and answers as if that were all."""

    async def ask(self, question: Question) -> RawReply:
        """An answer, whatever the length."""
        reply = await super().ask(question)
        document = msgspec.json.decode(reply.body)
        document["usage"]["prompt_tokens"] = min(4_096, document["usage"]["prompt_tokens"])
        document["usage"]["prompt_tokens_details"] = None
        return RawReply(reply.status, msgspec.json.encode(document), reply.headers)


@pytest.mark.guarantee("G6")
def test_a_prompt_that_the_server_cuts_gets_no_verdict() -> None:
    """The context fails as too long, once asked and paid; shorter ones have their verdicts."""

    async def main() -> None:
        store, journal = MemoryStore([make_record(1), make_record(2, [LONG]), make_record(3)]), MemoryJournal()
        ran = await screen(store, journal, SmallContext(VirtualClock()))
        assert (ran.numbers.answered, ran.numbers.failures_by_kind) == (2, {"too_long": 1})
        (failed,) = [one for one in (await outcomes(store)).values() if one.failure]
        assert failed.failure is not None
        assert "4,096 tokens" in failed.failure.message
        assert "num_ctx" in failed.failure.message
        assert [fact.billed for fact in journal.facts if isinstance(fact, Ended)] == ["yes"] * 3

    run_virtual(main())


@pytest.mark.guarantee("G10")
def test_a_model_that_changes_under_the_run_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Both names are in the report and in the log; one name alone is no news."""

    async def main() -> None:
        store = MemoryStore([make_record(number) for number in range(6)])
        script = ["other_model@5", "other_model@6"]
        ran = await screen(store, MemoryJournal(), ScriptedModel(VirtualClock(), script))
        assert ran.report.answering_models == {"scripted": 4, "another-model-2": 2}
        assert "another-model-2" in caplog.text
        caplog.clear()
        store = MemoryStore([make_record(number) for number in range(6)])
        ran = await screen(store, MemoryJournal(), ScriptedModel(VirtualClock()))
        assert ran.report.answering_models == {"scripted": 6}
        assert not caplog.text

    run_virtual(main())
