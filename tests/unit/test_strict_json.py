"""JSON is read strictly and exactly."""

from __future__ import annotations

import pytest

from citefidelity.errors import RecordError
from citefidelity.strict_json import MAX_DEPTH, read_exactly


def test_numbers_stay_as_they_are_written() -> None:
    """No number passes through a float; two spellings of one number are not the same JSON."""
    assert read_exactly(b"[1, 1.0, 1e0, 123456789012345678901234567890]") == [
        ("1",),
        ("1.0",),
        ("1e0",),
        ("123456789012345678901234567890",),
    ]
    assert read_exactly(b'"1"') != read_exactly(b"1")
    assert read_exactly(b"true") != read_exactly(b"1")


def test_a_number_of_any_length_is_read() -> None:
    """Python's limit on the digits of an integer does not apply to texts that nobody counts with."""
    assert read_exactly(b"9" * 5000) == ("9" * 5000,)


@pytest.mark.parametrize(
    ("text", "message", "field"),
    [
        (b"", "not JSON", ""),
        (b"{", "not JSON", ""),
        (b'{"a": 1} x', "not JSON", ""),
        (b'"\x01"', "not JSON", ""),
        (b"\xff", "not UTF-8", ""),
        (b"[NaN]", "NaN is not", ""),
        (b"[-Infinity]", "-Infinity is not", ""),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "stands twice", "b"),
        (b'"\\ud800"', "surrogate", ""),
        (b'{"\\udc00": 1}', "surrogate", ""),
        (b"[" * 100_000 + b"]" * 100_000, "levels deep", ""),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "levels deep", ""),
    ],
)
def test_what_would_not_come_out_as_it_went_in_is_refused(text: bytes, message: str, field: str) -> None:
    """Broken, doubled, bottomless and unprintable JSON each get a message of their own."""
    with pytest.raises(RecordError, match=message) as caught:
        read_exactly(text)
    assert caught.value.field == field


def test_a_surrogate_pair_is_one_character() -> None:
    """Escaped pairs are text like any other."""
    assert read_exactly(b'"\\ud834\\udd1e"') == "\U0001d11e"


def test_nesting_is_bounded_exactly() -> None:
    """The deepest nesting allowed is read, one level more is not."""
    assert read_exactly(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(RecordError, match=f"{MAX_DEPTH} levels"):
        read_exactly(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
