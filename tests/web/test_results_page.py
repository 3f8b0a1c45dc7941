"""The pages *Results*, *Problem papers* and that of one citation, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Browser, Page

from support.browser import PHONE, browser_mark, is_too_wide, visit
from support.cli import provider, run_cli
from support.makers import make_json
from support.pages import fill, pages, screen, status

pytestmark = browser_mark

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
WORDED = f"Aspirin lowers {HOSTILE} the risk [CITATION]."


def import_records(directory: Path, records: list[dict[str, Any]]) -> None:
    """A store with these."""
    (directory / "r.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert run_cli(["import", "r.jsonl"], cwd=directory).code == 0


def exported(directory: Path) -> list[dict[str, Any]]:
    """Every citation as ``export`` has it."""
    said = run_cli(["export"], cwd=directory)
    return [json.loads(line) for line in said.stdout.splitlines()]


def total(page: Page) -> int:
    """How many contexts the filter lets through, as the page says once it has all results."""
    page.wait_for_selector("#total[data-gathered=true]")
    return int(page.get_attribute("#total", "data-total") or "0")


def groups(page: Page) -> dict[str, int]:
    """How many ended in each way, as the page says."""
    links = page.query_selector_all("[data-group]")
    numbers = {link.get_attribute("data-group") or "": link.inner_text().rpartition(" ")[2] for link in links}
    return {name: int(number.replace(",", "")) for name, number in numbers.items()}


def query(page: Page) -> dict[str, str]:
    """What the address asks for."""
    return dict(parse_qsl(urlsplit(page.url).query))


def test_the_numbers_are_those_of_status(tmp_path: Path, browser: Browser) -> None:
    """Each category and each kind of failure has the number that ``status --json`` has, also behind its link."""
    fill(tmp_path, 60, contexts=2)
    faults = ("too_long_openai@2*always", "half_json@3*always", "server_error@5*always")
    with provider(*(word for fault in faults for word in ("--fault", fault))) as url:
        screen(tmp_path, url, "--concurrency", "1", "--max-attempts", "2")
    journal = status(tmp_path)["journal"]
    expected = {f"verdict:{name}": number for name, number in journal["categories"].items()}
    expected |= {f"failed:{name}": number for name, number in journal["failures_by_kind"].items()}
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}results") as page:
        found = groups(page)
        left = {name: number for name, number in found.items() if name.startswith("to_do:")}
        assert left["to_do:server_error"] == 1
        assert sum(left.values()) == journal["left"]
        assert found == expected | left
        assert total(page) == journal["answered"] + journal["failed"] + journal["left"] == 120
        page.click("[data-group='verdict:CONTRADICT']")
        page.wait_for_url("**category=CONTRADICT*")
        assert total(page) == journal["categories"]["CONTRADICT"]
        assert {one.inner_text() for one in page.query_selector_all("li strong")} == {"CONTRADICT"}


def test_a_filter_is_in_the_address_and_survives(tmp_path: Path, browser: Browser) -> None:
    """What the form asks stands in the address, gives what the export gives, and is there after a reload."""
    fill(tmp_path, 60, contexts=2)
    with provider() as url:
        screen(tmp_path, url)
    verdicts = [context["verdict"] for record in exported(tmp_path) for context in record["contexts"]]
    sure = [one for one in verdicts if one["confidence"] >= 0.5 and one["category"] == "SUPPORT"]
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}results") as page:
        page.click("summary")
        page.select_option("select[name=category]", "SUPPORT")
        page.fill("input[name=min]", "0.5")
        page.select_option("select[name=sort]", "lowest")
        page.click(".filters button")
        page.wait_for_url("**min=0.5*")
        assert query(page) == {"category": "SUPPORT", "min": "0.5", "sort": "lowest"}
        page.reload()
        page.wait_for_selector("#total")
        assert total(page) == len(sure)
        assert page.input_value("input[name=min]") == "0.5"
        shown = [float(said) for said in re.findall(r"confidence (0\.\d+|1\.00)", page.inner_text(".results"))]
        assert shown == sorted(round(one["confidence"], 2) for one in sure)


def test_one_goes_from_page_to_page(tmp_path: Path, browser: Browser) -> None:
    """Each context stands on exactly one page; a page beyond the last shows the last."""
    fill(tmp_path, 60, contexts=2)
    with provider() as url:
        screen(tmp_path, url)
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}results?sort=highest") as page:
        seen = links(page)
        for number in (2, 3):
            page.click(".pager a:has-text('Next')")
            page.wait_for_url(f"**page={number}*")
            seen += links(page)
        assert len(seen) == len(set(seen)) == 120
        page.goto(f"{serving['url']}results?sort=highest&page=99")
        assert links(page) == seen[100:]
        page.fill(".pager input[type=number]", "1")
        page.click(".pager button")
        page.wait_for_url("**page=1*")
        assert links(page) == seen[:50]


def links(page: Page) -> list[str]:
    """The contexts on the page."""
    page.wait_for_selector("#total[data-gathered=true]")
    return [one.inner_text() for one in page.query_selector_all(".results a")]


def test_what_a_run_adds_is_offered(tmp_path: Path, browser: Browser) -> None:
    """What is read stays where it is while a run goes on; the page says that there is more, and shows it when asked."""
    fill(tmp_path, 4)
    with provider() as url:
        screen(tmp_path, url, "--limit", "1")
        with pages(tmp_path) as serving, visit(browser, f"{serving['url']}results?sort=lowest") as page:
            assert total(page) == 1
            screen(tmp_path, url, "--limit", "2")
            page.wait_for_selector("#progress a")
            assert total(page) == 1
            page.click("#progress a")
            page.wait_for_selector("#total[data-total='3']")
            assert query(page) == {"sort": "lowest"}
            assert not page.is_visible("#progress a")


def test_texts_and_articles_are_searched(tmp_path: Path, browser: Browser) -> None:
    """A part of an id and words of title, citing text and justification find the context, and only it."""
    contexts = [
        {"instance_id": 1, "context_text": "Statins harm zebrafish [1].", "evidence_segments": [{"text": "So."}]}
    ]
    import_records(tmp_path, [*map(make_json, range(1, 6)), make_json(6, contexts, source_title="A tale of Façades")])
    with provider() as url:
        screen(tmp_path, url)
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}results?words=zebrafish+harm") as page:
        page.wait_for_selector("#total[data-total='1']")
        for asked in ("words=facad", "article=TING-6", "citing=citing-6", "cited=cited-6", "words=scripted+zebrafish"):
            page.goto(f"{serving['url']}results?{asked}")
            page.wait_for_selector("#total[data-total='1']")
            assert links(page) == ["citing-6 -> cited-6 [r1], context 1"]
        page.goto(f"{serving['url']}results?words=nowhere")
        page.wait_for_selector("#total:has-text('No context.')")


def test_markup_is_shown_and_not_run(tmp_path: Path, browser: Browser) -> None:
    """Titles, citing text, evidence and ids that hold a script stand there as the text they are, on every page."""
    contexts = [
        {"instance_id": HOSTILE, "context_text": f"Before. {WORDED}", "citation_sentence": WORDED, "section": HOSTILE,
         "evidence_segments": [{"text": f"So it is {HOSTILE} and {{{{7*7}}}}.", "section": HOSTILE}]}
    ]  # fmt: skip
    import_records(tmp_path, [make_json(1, contexts, source_title=HOSTILE, target_title=HOSTILE, source_id=HOSTILE)])
    with provider() as url:
        screen(tmp_path, url)
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}results?words=%3Cscript%3E", width=PHONE) as page:
        page.wait_for_selector(".results")
        assert page.inner_text("blockquote") == WORDED
        assert not is_too_wide(page)
        page.click(".results a")
        page.wait_for_selector(".context")
        assert page.inner_text("mark.sentence.marker") == "[CITATION]"
        assert "".join(one.inner_text() for one in page.query_selector_all("mark.sentence")) == WORDED
        assert f"So it is {HOSTILE} and {{{{7*7}}}}." in page.inner_text("section[aria-label=Evidence]")
        assert page.query_selector("main img, main script") is None
        assert not is_too_wide(page)
        page.goto(f"{serving['url']}papers?category=SUPPORT&category=CONTRADICT")
        page.wait_for_selector("#papers form")
        assert page.query_selector("main img, main script") is None
        assert not is_too_wide(page)


def test_text_from_right_to_left_is_set_so(tmp_path: Path, browser: Browser) -> None:
    """An Arabic passage begins on the right of its place; an English one on the left."""
    arabic = "أظهرت الدراسات أن العلاج فعال [CITATION] في معظم المرضى."
    contexts = [{"instance_id": 1, "context_text": text} for text in (arabic, "It works [CITATION].")]
    import_records(tmp_path, [make_json(at, [one]) for at, one in enumerate(contexts, 1)])
    first_letter = """(quote) => {
      const letter = document.createRange();
      const walk = document.createTreeWalker(quote, NodeFilter.SHOW_TEXT);
      const text = walk.nextNode();
      letter.setStart(text, 0);
      letter.setEnd(text, 1);
      const room = quote.getBoundingClientRect();
      return (letter.getBoundingClientRect().left - room.left) / room.width;
    }"""
    with provider() as url:
        screen(tmp_path, url)
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}citation?source=citing-1&target=cited-1") as page:
        page.wait_for_selector(".citing")
        assert page.eval_on_selector(".citing", first_letter) > 0.9
        page.goto(f"{serving['url']}citation?source=citing-2&target=cited-2")
        page.wait_for_selector(".citing")
        assert page.eval_on_selector(".citing", first_letter) < 0.1


def test_a_citation_shows_all_that_show_shows(tmp_path: Path, browser: Browser) -> None:
    """Verdict, justification, every attempt, the raw reply and the prompt, as ``show --json`` has them."""
    fill(tmp_path, 1)
    with provider("--fault", "server_error@1*1") as url:
        screen(tmp_path, url)
    said = run_cli(["show", "citing-1", "cited-1", "--json"], cwd=tmp_path).json()
    context = said["citations"][0]["contexts"][0]
    address = "citation?source=citing-1&target=cited-1&reference=r1&instance=1"
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}{address}") as page:
        assert context["verdict"]["category"] in page.inner_text(".ending")
        assert page.inner_text(".said") == context["verdict"]["justification"]
        attempts = [one.inner_text() for one in page.query_selector_all(".attempt p")]
        assert [one.split(",")[0] for one in attempts] == [f"Attempt {one['attempt']}" for one in context["attempts"]]
        assert "server_error" in attempts[0]
        assert page.text_content(".attempt:last-of-type .reply") == context["attempts"][-1]["reply"]
        assert page.text_content(".prompt") == context["prompt"]
        assert page.text_content(".fixed") == said["fixed_prompt"]
        assert page.input_value("input[aria-label=Show]") == "citefidelity show citing-1 cited-1 r1 1"
        page.goto(f"{serving['url']}citation?source=citing-9&target=cited-1")
        assert "There is no citation citing-9 -> cited-1" in page.inner_text("#problem")


def test_a_command_that_cannot_be_copied_whole_is_not_offered(tmp_path: Path, browser: Browser) -> None:
    """A field of one line drops the end of a line within an id: the command would be about another citation."""
    import_records(tmp_path, [make_json(1, source_id="citing\n1"), make_json(2)])
    with (
        pages(tmp_path) as serving,
        visit(browser, f"{serving['url']}citation?source=citing%0A1&target=cited-1") as page,
    ):
        assert "citing\n1 -> cited-1" in (page.text_content("h2") or "")
        assert page.query_selector(".command") is None
        page.goto(f"{serving['url']}citation?source=citing-2&target=cited-2")
        assert page.input_value("input[aria-label=Show]") == "citefidelity show citing-2 cited-2 r1"


def test_problem_papers_lead_to_their_contexts(tmp_path: Path, browser: Browser) -> None:
    """The counts are those of the export, for the categories that are chosen, and the links show those contexts."""
    import_records(tmp_path, [make_json(n, 3, target_id=f"cited-{n % 3}") for n in range(1, 31)])
    with provider() as url:
        screen(tmp_path, url)
    judged: dict[str, list[str]] = {}
    for record in exported(tmp_path):
        categories = [context["verdict"]["category"] for context in record["contexts"]]
        judged.setdefault(record["target_id"], []).extend(categories)
    unsupported = {"CONTRADICT", "NOT_SUBSTANTIATE", "MISQUOTE", "IRRELEVANT"}
    expected = {
        article: f"{sum(one in unsupported for one in all_of_it)} of {len(all_of_it)} contexts unsupported"
        for article, all_of_it in judged.items()
    }
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}papers", width=PHONE) as page:
        cards = page.query_selector_all("[data-side=cited] > li")
        found = {card.get_attribute("data-article"): card.inner_text() for card in cards}
        assert found.keys() == expected.keys()
        assert all(expected[article or ""] in said for article, said in found.items())
        assert not is_too_wide(page)
        page.uncheck("input[value=MISQUOTE]")
        page.click("#papers button")
        page.wait_for_url("**category=CONTRADICT*")
        assert "MISQUOTE" not in page.inner_text("[data-side=cited]")
        link = page.query_selector("[data-article=cited-1] a:has-text('CONTRADICT')")
        assert link is not None
        number = int(link.inner_text().split(" ")[1])
        link.click()
        page.wait_for_url("**cited=cited-1*")
        assert total(page) == number == judged["cited-1"].count("CONTRADICT")
