"""Secrets do not show themselves (G9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from citefidelity.config.secret import BLANK, Secret, blank_out, read_secret
from citefidelity.errors import UsageError

CANARY = "sk-canary-0123456789"


def test_a_secret_shows_only_that_it_is_set() -> None:
    """No way of turning it into text shows the value; only reveal does."""
    secret = Secret(CANARY)
    assert CANARY not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY)
    assert secret != Secret("other")
    assert len({secret, Secret(CANARY)}) == 1


def test_read_from_a_variable_or_from_a_file(tmp_path: Path) -> None:
    """The variable itself, or the file that its _FILE twin names, without the line break at its end."""
    file = tmp_path / "key"
    file.write_text(f"{CANARY}\n")
    assert read_secret("KEY", {"KEY": CANARY}) == (Secret(CANARY), "KEY")
    assert read_secret("KEY", {"KEY_FILE": str(file)}) == (Secret(CANARY), "KEY_FILE")
    assert read_secret("KEY", {"KEY": ""}) is None
    assert read_secret("KEY", {}) is None


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"KEY": CANARY, "KEY_FILE": "x"}, "Both KEY and KEY_FILE"),
        ({"KEY_FILE": "/does/not/exist"}, "cannot be read: /does/not/exist"),
        ({"KEY": "  "}, "blank"),
        ({"KEY": f"{CANARY}\n{CANARY}"}, "characters that no key has"),
        ({"KEY": f"{CANARY}é"}, "characters that no key has"),
    ],
)
def test_a_secret_that_cannot_be_used(environ: dict[str, str], words: str) -> None:
    """It is refused by the variable's name, and never shown."""
    with pytest.raises(UsageError, match=words) as refusal:
        read_secret("KEY", environ)
    assert CANARY not in refusal.value.message + refusal.value.hint


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    """A key file of arbitrary bytes is refused by its name."""
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not text"):
        read_secret("KEY", {"KEY_FILE": str(file)})


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key hunter2hunter2 was sent", f"key {BLANK} was sent"),
        ("Authorization: Bearer abcdefgh12345", f"Authorization: Bearer {BLANK}"),
        ("https://me:pw@host/x", f"https://{BLANK}@host/x"),
        ("with sk-abcdefgh1234 in it", f"with {BLANK} in it"),
        ("the task-force met", "the task-force met"),
        ("https://host/a@b", "https://host/a@b"),
    ],
)
def test_blank_out(text: str, clean: str) -> None:
    """Known secrets and what looks like one are blanked, and ordinary words are left."""
    assert blank_out(text, [Secret("hunter2hunter2")]) == clean


def test_a_very_short_secret_does_not_blank_ordinary_words() -> None:
    """A password of a letter or two would make every message unreadable."""
    assert blank_out("a store", [Secret("a")]) == "a store"
