"""Properties of the spec: both ways of writing it down bring it back."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.specs.spec import Spec, builtin_spec, differences, resolve
from citefidelity.specs.spec_toml import SpecPart, read

BASE = resolve(builtin_spec(), flags=SpecPart(model="m"))

sendable = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\r\t'), max_size=60)
names = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
tables = st.dictionaries(names, sendable.filter(str.strip), min_size=2, max_size=4)
specs = st.builds(
    lambda categories, types, before, after, temperature, segments: Spec(
        **msgspec.structs.asdict(BASE)
        | {
            "categories": categories,
            "types": types,
            "system": f"{before}json {{categories}}{{types}}{after}".replace("{before}", ""),
            "user": "{citing}\n{evidence}",
            "temperature": temperature,
            "segments": segments,
        }
    ),
    tables,
    tables,
    sendable.filter(lambda text: "{" not in text),
    sendable.filter(lambda text: "}" not in text),
    st.floats(0, 2),
    st.integers(1, 50),
)


@given(specs)
def test_toml_and_json_bring_back_the_same_spec(spec: Spec) -> None:
    """Whatever a spec holds, printing and reading it changes nothing, the order of its tables included."""
    part = msgspec.structs.asdict(read(spec.to_toml(), "printed")) | {"base_url": spec.base_url}
    for back in (Spec(**part), Spec.from_json(spec.to_json())):
        assert back.fingerprint() == spec.fingerprint()
        assert differences(spec, back) == []


@given(specs, specs)
def test_two_specs_differ_exactly_when_their_fingerprints_do(one: Spec, other: Spec) -> None:
    """A run is refused with a difference to show, and never without one."""
    assert (one.fingerprint() == other.fingerprint()) == (differences(one, other) == [])
