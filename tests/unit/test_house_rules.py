"""Rules of the code that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted(file for folder in ("src", "tests", "benchmarks") for file in (ROOT / folder).rglob("*.py"))
MOST_LINES = 320
EXCEPTION = re.compile("# " + "noqa(.*)")
WITH_REASON = re.compile(r": [A-Z0-9]+(?:, [A-Z0-9]+)*\s+(?:-|#) \S")


def test_a_file_can_be_read_in_one_sitting() -> None:
    """No file is longer than MOST_LINES."""
    assert [file for file in FILES if file.read_text().count("\n") > MOST_LINES] == []


def test_an_exception_to_a_rule_says_why() -> None:
    """Each rule that is switched off in a line is named there, with the reason."""
    unexplained = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (found := EXCEPTION.search(line)) and not WITH_REASON.match(found[1])
    ]
    assert unexplained == []


def test_no_message_sends_to_a_file_that_is_not_installed() -> None:
    """Who has installed the package has no docs/: what they say is said in the message, or it is no help."""
    package = ROOT / "src" / "citefidelity"
    sent = [
        f"{file.relative_to(package)}:{node.lineno}"
        for file in package.rglob("*.py")
        if file != package / "cli" / "pages.py"  # writes one of these files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        # Docstrings are for who reads the code, and quote files in ``.
        if re.search(r"(?<!``)docs/\w+", node.value)
    ]
    assert sent == []
