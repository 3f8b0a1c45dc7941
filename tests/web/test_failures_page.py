"""The page *Failures* in a real browser."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from playwright.sync_api import Browser, Page

from support.browser import PHONE, browser_mark, is_too_wide, visit
from support.cli import provider, run_cli
from support.makers import make_json
from support.pages import fill, pages, screen, status

pytestmark = browser_mark

FAULTS = ("--fault", "half_verdict@1*always", "--fault", "too_long_openai@2*always", "--fault", "server_error@4*1")
HOSTILE = '<img src=x onerror="document.title=1;alert(1)"><script>alert(2)</script>'


def groups(page: Page) -> dict[str, str]:
    """The failures on the page: how many of each kind."""
    page.wait_for_selector("#failed")
    cards = page.query_selector_all("[data-kind]")
    return {card.get_attribute("data-kind") or "": (card.inner_text().split("\n"))[1].split(" ")[0] for card in cards}


def test_failures_are_counted_as_status_counts_them(tmp_path: Path, browser: Browser) -> None:
    """Each kind stands there with its number, its meaning, examples, and the way to ask again; also on a phone."""
    fill(tmp_path, 6)
    with provider(*FAULTS) as url:
        screen(tmp_path, url, "--concurrency", "1")
    said = status(tmp_path)["journal"]
    assert set(said["failures_by_kind"]) == {"unreadable_reply", "too_long"}
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}failures", width=PHONE) as page:
        assert groups(page) == {kind: str(number) for kind, number in said["failures_by_kind"].items()}
        assert page.inner_text("#failed") == "2 of 6 settled contexts ended without a verdict."
        assert "longer than the model takes" in page.inner_text("[data-kind=too_long]")
        assert "server_error" in page.inner_text("#faults")
        link = page.query_selector("[data-kind=too_long] li a")
        assert link is not None
        assert (link.get_attribute("href") or "").startswith("/citation?source=citing-")
        assert not is_too_wide(page)


def test_the_command_on_the_page_can_be_run(tmp_path: Path, browser: Browser) -> None:
    """The command to ask again is quoted for a shell, and does what it says, whatever the place is called."""
    home = tmp_path / 'it\'s "here" & $there'
    home.mkdir()
    store = ("--store", f"sqlite:///{home / 'a b.db'}")
    (tmp_path / "r.jsonl").write_text(json.dumps(make_json(1)) + "\n")
    assert run_cli(["import", "r.jsonl", *store], cwd=tmp_path).code == 0
    with provider("--fault", "half_verdict@all*always") as url:
        run = run_cli(["run", *store, "--base-url", url, "--model", "m", "--json"], cwd=tmp_path)
    assert run.json()["failed"] == 1
    with pages(tmp_path, *store) as serving, visit(browser, f"{serving['url']}failures") as page:
        assert groups(page) == {"unreadable_reply": "1"}
        command = page.input_value("[data-kind=unreadable_reply] input")
        page.click("[data-kind=unreadable_reply] button")
        page.wait_for_selector("button:has-text('Copied')")
    program, *words = shlex.split(command)
    assert program == "citefidelity"
    assert run_cli([*words, "--json"], cwd=tmp_path).json()["contexts"] == 1


def test_markup_in_a_record_is_shown_and_not_run(tmp_path: Path, browser: Browser) -> None:
    """Ids that hold a script and an image with a handler stand there as the text they are."""
    record = make_json(1, source_id=HOSTILE, target_id=f"{{{{7*7}}}}`${{1}}`{HOSTILE}")
    (tmp_path / "r.jsonl").write_text(json.dumps(record) + "\n")
    assert run_cli(["import", "r.jsonl"], cwd=tmp_path).code == 0
    with provider("--fault", "half_verdict@all*always") as url:
        screen(tmp_path, url)
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}failures") as page:
        page.wait_for_selector("[data-kind] li")
        said = page.inner_text("[data-kind] li")
        assert f"{HOSTILE} -> {{{{7*7}}}}`${{1}}`{HOSTILE}" in said
        assert page.query_selector("[data-kind] img") is None
        assert page.title() == "Failures - main - citefidelity"


def test_what_is_not_delivered_is_named(tmp_path: Path, browser: Browser) -> None:
    """A verdict that waits for its neighbour, which failed for the moment, stands there with the way to see why."""
    fill(tmp_path, 2, contexts=2)
    with provider("--fault", "server_error@1*always") as url:
        report = screen(tmp_path, url, "--max-attempts", "1", "--concurrency", "1")
    assert (report["delivered"], report["left"]) == (1, 1)
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}failures") as page:
        page.wait_for_selector("#undelivered")
        said = page.inner_text("#failing")
        assert "1 citations have outcomes in the journal that are not in the store yet" in said
        assert page.input_value("input[aria-label=Verify]") == "citefidelity verify"
        assert page.inner_text("#undelivered ~ div ul a") == "citing-1 -> cited-1 [r1]"
