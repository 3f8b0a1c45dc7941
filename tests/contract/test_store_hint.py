"""A hint where to begin reading: whatever it is, every citation that is to do is read once."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from citefidelity.ports import Store, ToDo
from citefidelity.records import WHOLE, CitationKey, Partition
from support.makers import make_delivery, make_key, make_record
from support.stores import deliver, to_do

NUMBERS = range(230)
DONE = range(120)
HINTS = st.one_of(
    st.none(),
    st.sampled_from([make_key(number) for number in NUMBERS]),
    st.builds(CitationKey, st.text(max_size=5), st.text(max_size=5), st.just("r1")),
    st.builds(CitationKey, st.integers().map(str), st.just("x"), st.just("")),
)
PARTS = st.sampled_from([WHOLE, Partition(1, 3), Partition(3, 3)])


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(behind=HINTS, part=PARTS)
async def test_whatever_the_hint_each_citation_is_read_once(
    store: Store, behind: CitationKey | None, part: Partition
) -> None:
    """A hint may be right, stale, from elsewhere or nonsense: nothing is left out and nothing comes twice."""
    await store.put([make_record(number) for number in NUMBERS])
    await deliver(store, *(make_delivery(number) for number in DONE))
    read = await to_do(store, ToDo(screening="main", partition=part, behind=behind))
    assert sorted(read) == sorted(make_key(n) for n in NUMBERS if n not in DONE and part.holds(make_key(n)))


async def test_what_comes_to_do_before_the_hint_is_read_too(store: Store) -> None:
    """A citation that was imported or set aside after the cursor had passed it waits for the way round."""
    await store.put([make_record(number) for number in range(1, 10)])
    await deliver(store, *(make_delivery(number) for number in range(1, 6)))
    await store.withdraw("main", [make_key(1)])
    await store.put([make_record(0)])
    read = await to_do(store, ToDo(screening="main", behind=make_key(5)))
    assert sorted(read) == sorted(make_key(number) for number in (0, 1, *range(6, 10)))


@pytest.mark.parametrize("behind", [None, make_key(150)])
async def test_what_is_delivered_between_two_pages_is_not_read_again(store: Store, behind: CitationKey | None) -> None:
    """The way round shows the store as it is by then, not as it was when reading began."""
    await store.put([make_record(number) for number in range(450)])
    seen: list[CitationKey] = []
    async for page in store.pages(ToDo(screening="main", behind=behind)):
        seen += [one.key for one in page]
        await deliver(store, make_delivery(0), make_delivery(449))
    assert len(seen) == len(set(seen))
    assert {make_key(number) for number in range(1, 449)} <= set(seen)
