"""A key that comes back is blanked in every spelling, and nothing else is touched."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.config.secret import BLANK, Secret
from citefidelity.models.blank import Blanker

KEY = "sk-proj-Ab9/x+Y_z.0123456789=="
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=60)


@pytest.mark.parametrize(
    "spelling",
    [
        KEY,
        KEY.replace("/", "\\/"),
        KEY.replace("/", "\\\\/"),
        "".join(f"\\u{ord(character):04x}" for character in KEY),
        "".join(f"\\u{ord(character):04X}" for character in KEY),
        "".join(f"\\\\u{ord(character):04x}" for character in KEY),
        quote(KEY, safe=""),
        quote(KEY, safe="").lower().replace("ab9", "Ab9").replace("y_z", "Y_z"),
        f"s\\u006b{KEY[2:]}",
    ],
)
def test_every_spelling_is_blanked(spelling: str) -> None:
    """As it is, escaped for JSON once or twice, and escaped for a URL."""
    body = f'{{"message": "you sent Bearer {spelling}, which is wrong"}}'
    expected = f'{{"message": "you sent Bearer {BLANK}, which is wrong"}}'
    assert Blanker([Secret(KEY)]).body(body.encode()) == expected.encode()
    assert Blanker([Secret(KEY)]).text(body) == expected


def test_a_key_that_was_cut_is_blanked_at_the_end() -> None:
    """The first part of a key is no longer shown where a body broke off inside it."""
    blanker = Blanker([Secret(KEY)])
    for length in range(4, len(KEY)):
        assert blanker.cut_body(b"you sent " + KEY[:length].encode()) == f"you sent {BLANK}".encode()
    assert blanker.cut_body(b"you sent sk-") == b"you sent sk-"


def test_innocent_bodies_stay_as_they_are() -> None:
    """Without the key, every byte is kept; without a key, there is nothing to look for."""
    body = json.dumps({"text": 'Risk fell by 12 % \u2013 "significant" \\u0041 sk-proj-'}).encode()
    assert Blanker([Secret(KEY)]).body(body) == body
    assert Blanker([]).body(KEY.encode()) == KEY.encode()
    assert Blanker([Secret("abc")]).body(b"abc") == b"abc"


@given(KEYS, st.binary(max_size=50), st.binary(max_size=50))
def test_a_key_is_found_in_any_surroundings(key: str, before: bytes, after: bytes) -> None:
    """Whatever stands around it, the key is gone from a body, raw or as JSON text."""
    blanker = Blanker([Secret(key)])
    assert key.encode() not in blanker.body(before + key.encode() + after).replace(BLANK.encode(), b"")
    escaped = json.dumps(key)[1:-1].encode()
    assert escaped not in blanker.body(b'{"a": "' + escaped + b'"}').replace(BLANK.encode(), b"")


def test_a_hostile_body_takes_no_time() -> None:
    """Two megabytes of what the search has to try at every byte are searched in well under a second."""
    blanker = Blanker([Secret(KEY)])
    began = time.perf_counter()
    for piece in (b"\\", b"s", b"sk-proj-", b"\\u0073", b"%73"):
        blanker.body((piece * 2_000_000)[:2_000_000] + b"%")
    assert time.perf_counter() - began < 5
