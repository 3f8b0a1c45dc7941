"""What people write as a value, and what it means."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.config import values
from citefidelity.records import Partition


@pytest.mark.parametrize(
    ("parse", "raw", "value"),
    [
        (values.whole(1, 10), "10", 10),
        (values.whole(1, 10), 3, 3),
        (values.count, "500k", 500_000),
        (values.count, "2M", 2_000_000),
        (values.count, "1.5k", 1_500),
        (values.count, "1_000", 1_000),
        (values.count, 7, 7),
        (values.money, "2.50", 2.5),
        (values.money, "$2.50", 2.5),
        (values.money, 3, 3.0),
        (values.seconds(0, 86_400), "90", 90.0),
        (values.seconds(0, 86_400), "90s", 90.0),
        (values.seconds(0, 86_400), "15m", 900.0),
        (values.seconds(0, 86_400), "1h30m", 5_400.0),
        (values.seconds(0, 86_400), "0", 0.0),
        (values.seconds(0, 86_400), 0.5, 0.5),
        (values.switch, True, True),
        (values.switch, "yes", True),
        (values.switch, "Off", False),
        (values.choice("a", "b"), "b", "b"),
        (values.file, "x/y.db", Path("x/y.db")),
        (values.screening_name, "main-2.b", "main-2.b"),
        (values.variable_name, "MY_KEY", "MY_KEY"),
        (values.text, " gpt-5 ", "gpt-5"),
        (values.base_url, "https://api.example.org/v1/", "https://api.example.org/v1"),
        (values.base_url, "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (values.partition, "2/4", Partition(2, 4)),
    ],
)
def test_good_values(parse: values.Parse, raw: object, value: object) -> None:
    """Each way of writing a value gives that value."""
    assert parse(raw) == value


@pytest.mark.parametrize(
    ("parse", "raw"),
    [
        (values.whole(1, 10), "11"),
        (values.whole(1, 10), "0"),
        (values.whole(1, 10), "2.5"),
        (values.whole(1, 10), "two"),
        (values.whole(1, 10), True),
        (values.whole(1, 10), "nan"),
        (values.whole(1, 10), [1]),
        (values.count, "0"),
        (values.count, "1.2345k"),
        (values.count, "-5"),
        (values.money, "0"),
        (values.money, "inf"),
        (values.money, "5 EUR"),
        (values.seconds(0.1, 60), "61"),
        (values.seconds(0, 60), " "),
        (values.seconds(0, 60), "5 apples"),
        (values.seconds(0, 60), "-1"),
        (values.switch, "maybe"),
        (values.switch, 1),
        (values.choice("a", "b"), "A"),
        (values.file, ""),
        (values.file, "a\0b"),
        (values.screening_name, ""),
        (values.screening_name, "-x"),
        (values.screening_name, "a" * 65),
        (values.screening_name, "a/b"),
        (values.screening_name, "a\n"),
        (values.variable_name, "sk-abcdef"),
        (values.text, "  "),
        (values.text, "a\nb"),
        (values.base_url, "api.example.org"),
        (values.base_url, "ftp://example.org"),
        (values.base_url, "https://user:pw@example.org"),
        (values.base_url, "https://example.org/?a=b"),
        (values.base_url, "https://example.org:99999"),
        (values.base_url, "https://[oops"),
        (values.partition, "0/4"),
        (values.partition, "5/4"),
        (values.partition, "1"),
        (values.partition, "1/0"),
        (values.partition, "1/1001"),
        (values.partition, 2),
    ],
)
def test_bad_values(parse: values.Parse, raw: object) -> None:
    """A value that cannot be is refused with words that say what it must be."""
    with pytest.raises(ValueError, match="must"):
        parse(raw)


@given(st.integers(1, values.MAX_PARTS).flatmap(lambda of: st.tuples(st.integers(1, of), st.just(of))))
def test_partition_round_trip(pair: tuple[int, int]) -> None:
    """Every part that can be is read back from how it is shown."""
    part = Partition(*pair)
    assert values.partition(str(part)) == part


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_no_value_breaks_a_parser(raw: object) -> None:
    """Whatever is written, a parser gives a value or says in words what is wrong; it never fails otherwise."""
    parsers: list[values.Parse] = [
        values.text,
        values.switch,
        values.whole(1, 10),
        values.count,
        values.money,
        values.seconds(0, 10),
        values.file,
        values.screening_name,
        values.variable_name,
        values.partition,
        values.base_url,
    ]
    for parse in parsers:
        try:
            parse(raw)
        except ValueError as err:
            assert "must" in str(err)  # noqa: PT017 - either way is right; only the words are checked
