"""What a checkup makes of what a provider says, and of what it does not say."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import msgspec
import pytest

from citefidelity.doctor import Asked, Check, Checkup, check_clock, check_free_space, check_price, examine_provider
from citefidelity.ports import CallFault, RawReply
from citefidelity.prices.pricing import Rates, flat
from support.virtual_time import VirtualClock, run_virtual

ASKED = Asked(provider="vllm", model="m-1", host="example.org", has_key=True, lists_all=True, tells_balance=False)
MODELS = {"data": [{"id": "m-1"}, {"id": "m-2:latest"}]}
NOW = 1_800_000_000.0


class Pages:
    """A server with these pages: a status and a document for each path; any other is not there."""

    def __init__(self, **pages: tuple[int, Any]) -> None:
        self._pages = pages
        self.fetched: list[str] = []

    async def fetch(self, path: str) -> RawReply:
        """The page."""
        self.fetched.append(path)
        status, document = self._pages.get(path.replace("/", "_"), (404, {"error": {"message": "not here"}}))
        return RawReply(status, msgspec.json.encode(document), {"date": formatdate(NOW)})


class Silent:
    """A server that is not there."""

    async def fetch(self, path: str) -> RawReply:
        """Nothing."""
        raise CallFault("connection", f"no connection for {path}", sent=False)


def examined(server: Pages | Silent, **changes: Any) -> dict[str, Check]:
    """The findings by name."""
    asked = msgspec.structs.replace(ASKED, **changes)
    return {check.name: check for check in run_virtual(examine_provider(server, asked, VirtualClock()))}


def test_all_is_well() -> None:
    """A key that is taken and a model in the list are ok, and the clock is as the server's."""
    found = examined(Pages(models=(200, MODELS)))
    assert {name: check.result for name, check in found.items()} == dict.fromkeys(
        ("server", "key", "model", "clock"), "ok"
    )
    assert Checkup(checks=list(found.values())).exit_code == 0


def test_a_server_that_is_not_there() -> None:
    """Without a connection nothing else can be told, and the remedy names the address."""
    found = examined(Silent())
    assert [(check.name, check.result) for check in found.values()] == [("server", "failure")]
    assert "--base-url" in found["server"].hint
    assert Checkup(checks=list(found.values())).exit_code == 4


@pytest.mark.parametrize(
    ("status", "result", "hint"),
    [
        (401, "failure", "key"),
        (403, "failure", "key"),
        (402, "failure", "Top up"),
        (307, "failure", "--base-url"),
        (404, "warning", "--limit 1"),
        (429, "warning", "later"),
        (503, "warning", "later"),
    ],
)
def test_a_list_that_is_refused(status: int, result: str, hint: str) -> None:
    """What would stop a run is a failure; what says nothing about the key, or passes, is a warning."""
    found = examined(Pages(models=(status, {"error": {"message": "no"}})))
    assert found["key"].result == result
    assert hint in found["key"].hint
    assert "model" not in found


def test_a_model_that_is_not_in_the_list() -> None:
    """Where the list is whole the model does not exist; a gateway may take more than it lists. Some are named."""
    assert examined(Pages(models=(200, MODELS)), model="m-3")["model"].result == "failure"
    found = examined(Pages(models=(200, MODELS)), model="m-3", lists_all=False)["model"]
    assert found.result == "warning"
    assert "m-2" in found.message
    assert examined(Pages(models=(200, MODELS)), model="m-2")["model"].result == "ok"


@pytest.mark.parametrize("document", [[], "models", {"data": None}, {"data": [1, {"id": None}]}, {}])
def test_a_list_that_cannot_be_read(document: object) -> None:
    """Whatever a server calls its list of models, it is a warning and no crash."""
    assert examined(Pages(models=(200, document)))["model"].result == "warning"


@pytest.mark.parametrize(
    ("status", "document", "result"),
    [
        (200, {"is_available": True, "balance_infos": [{"currency": "USD", "total_balance": "9.50"}]}, "ok"),
        (200, {"is_available": False, "balance_infos": [{"currency": "USD", "total_balance": "0.00"}]}, "failure"),
        (200, {"is_available": False, "balance_infos": None}, "failure"),
        (200, {"is_available": "yes"}, "warning"),
        (200, [], "warning"),
        (404, {}, "warning"),
    ],
)
def test_the_balance(status: int, document: object, result: str) -> None:
    """It is asked for only where the provider tells it, and what cannot be read is no failure."""
    server = Pages(models=(200, MODELS), user_balance=(status, document))
    assert examined(server, tells_balance=True)["balance"].result == result
    server.fetched.clear()
    assert "balance" not in examined(server)
    assert server.fetched == ["models"]


@pytest.mark.parametrize(
    ("ahead", "result"), [(0, "ok"), (50, "ok"), (-50, "ok"), (90, "warning"), (-4_000, "warning")]
)
def test_the_clock(ahead: float, result: str) -> None:
    """A minute's difference is nothing; more is said, with its direction."""
    check = check_clock(RawReply(200, b"", {"date": formatdate(NOW)}), NOW + ahead)
    assert check.result == result
    assert result == "ok" or ("ahead" in check.message) == (ahead > 0)


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, {"date": ""}])
def test_a_server_without_a_clock(headers: dict[str, str]) -> None:
    """There is nothing to compare with, and nothing to do."""
    assert check_clock(RawReply(200, b"", headers), NOW).result == "ok"


def test_the_price() -> None:
    """An unknown price is a warning, and a failure where a cap is to be kept by it."""
    known = check_price(flat(Rates(0.15, 0.6), "--price"), NOW, model="m", capped=True)
    assert (known.result, known.message) == ("ok", "$0.15 for a million tokens in and $0.6 out, at this hour (--price)")
    assert check_price(None, NOW, model="m", capped=False).result == "warning"
    assert check_price(None, NOW, model="m", capped=True).result == "failure"


def test_space() -> None:
    """Less than a gigabyte for the journal is worth a warning."""
    assert check_free_space(2_000_000_000, "/x").result == "ok"
    assert check_free_space(900_000_000, "/x").result == "warning"


def test_the_gravest_failure_decides_the_exit_code() -> None:
    """The store before the provider before settings; a warning is none."""
    checks = [
        Check(name="x", area="settings", result="failure", message=""),
        Check(name="x", area="provider", result="failure", message=""),
        Check(name="x", area="store", result="warning", message=""),
    ]
    assert [Checkup(checks=checks[:number]).exit_code for number in range(4)] == [0, 2, 4, 4]
