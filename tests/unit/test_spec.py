"""The spec: what it holds, when two are the same, and how they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from citefidelity.config import settings
from citefidelity.config.base_url import LOOPBACK, normalise_base_url
from citefidelity.errors import UsageError
from citefidelity.models import local
from citefidelity.models.presets import PRESETS
from citefidelity.specs import spec_checks
from citefidelity.specs.spec import DEFAULT_BASE_URLS, LOCAL_MODEL, Spec, builtin_spec, differences, load_spec, resolve
from citefidelity.specs.spec_toml import SpecPart


def changed(spec: Spec, **fields: Any) -> Spec:
    """``spec`` with some fields replaced, and checked."""
    return Spec(**(msgspec.structs.asdict(spec) | fields))


@pytest.fixture
def spec() -> Spec:
    """A complete spec that names a model."""
    return resolve(builtin_spec(), flags=SpecPart(model="a-model"))


def test_the_built_in_spec_has_the_promised_categories_and_types() -> None:
    """The names are those that records, stores and readers count on."""
    spec = builtin_spec()
    assert set(spec.categories) == {
        "SUPPORT",
        "CONTRADICT",
        "NOT_SUBSTANTIATE",
        "OVERSIMPLIFY",
        "IRRELEVANT",
        "MISQUOTE",
        "INDIRECT",
        "ETIQUETTE",
        "UNCERTAIN",
    }
    assert set(spec.types) == {"CONCEPTUAL", "METHODOLOGICAL", "BACKGROUND", "ATTRIBUTION"}
    assert (spec.segments, spec.max_chars) == (5, 2000)


def test_the_fingerprint_of_the_built_in_spec_changes_only_on_purpose(spec: Spec) -> None:
    """A release that changes the built-in prompt or the way of hashing must say so here and in the changelog."""
    assert spec.fingerprint() == "83865c309e2ed61c83a074f1da7a82c0ee805f5598335b7c1c673dc24d82404b"


def test_json_brings_back_the_same_spec(spec: Spec) -> None:
    """What the journal and the store keep is the whole spec, its orders included."""
    back = Spec.from_json(spec.to_json())
    assert back == spec
    assert back.fingerprint() == spec.fingerprint()
    assert list(back.categories) == list(spec.categories)


def test_a_stored_spec_with_an_unknown_setting_is_refused(spec: Spec) -> None:
    """A later version's spec cannot be honoured by leaving out what is not understood."""
    text = spec.to_json().replace('{"provider"', '{"top_p":0.5,"provider"', 1)
    with pytest.raises(UsageError, match="top_p"):
        Spec.from_json(text)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"provider": 1}', "null"])
def test_what_is_no_stored_spec_is_refused(text: str) -> None:
    """A damaged row gives one clear error."""
    with pytest.raises(UsageError):
        Spec.from_json(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("provider", "ollama"),
        ("base_url", "https://example.org/v1"),
        ("model", "another"),
        ("temperature", 0.5),
        ("max_output_tokens", 801),
        ("segments", 4),
        ("max_chars", 1999),
        ("categories", {"YES": "it does", "NO": "it does not"}),
        ("types", {"ANY": "whatever"}),
        ("system", "json {categories} {types}"),
        ("user", "{citing}{evidence}"),
    ],
)
def test_every_field_is_in_the_fingerprint_and_in_the_differences(spec: Spec, field: str, value: object) -> None:
    """Nothing that changes an answer can change unseen."""
    other = changed(spec, **{field: value})
    assert other.fingerprint() != spec.fingerprint()
    assert differences(spec, other)
    assert differences(spec, spec) == []


def test_the_order_of_categories_counts(spec: Spec) -> None:
    """The model is told to take the first that fits, so another order is another spec."""
    other = changed(spec, categories=dict(reversed(spec.categories.items())))
    assert other.fingerprint() != spec.fingerprint()
    [line] = differences(spec, other)
    assert "another order" in line


def test_differences_name_the_setting_and_both_values(spec: Spec) -> None:
    """A person who is refused must see what to give instead."""
    other = changed(spec, model="other", temperature=1.0)
    assert differences(spec, other) == ["[model] name: 'a-model' -> 'other'", "[model] temperature: 0.0 -> 1.0"]


def test_differences_of_categories_name_each(spec: Spec) -> None:
    """New, gone and redefined categories are told apart."""
    categories = {**spec.categories, "PARTLY": "half of it"}
    del categories["ETIQUETTE"]
    categories["SUPPORT"] = "the evidence says it"
    lines = differences(spec, changed(spec, categories=categories))
    assert [line.partition(":")[0] for line in lines] == [
        "[categories] ETIQUETTE",
        "[categories] PARTLY",
        "[categories] SUPPORT",
    ]


def test_long_texts_are_shown_where_they_begin_to_differ(spec: Spec) -> None:
    """Two prompts that differ late are not told apart by their beginnings."""
    [line] = differences(spec, changed(spec, system=spec.system + " Mind the commas."))
    assert "Mind the commas" in line
    assert len(line) < 300


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("temperature", 2.1, "[model] temperature"),
        ("temperature", float("nan"), "[model] temperature"),
        ("max_output_tokens", 0, "[model] max_output_tokens"),
        ("segments", 0, "[evidence] segments"),
        ("segments", 51, "[evidence] segments"),
        ("max_chars", 0, "[evidence] max_chars"),
        ("categories", {"ONLY": "one"}, "[categories]"),
        ("categories", {"lower": "a", "UPPER": "b"}, "lower"),
        ("categories", {"A": " ", "B": "b"}, "A: the definition is blank"),
        ("types", {}, "[types]"),
        ("system", "json {categories}", "{types}"),
        ("system", "{categories} {types}", "JSON"),
        ("user", "{citing} {evidence} {titel}", "{titel}"),
        ("user", "{citing} {evidence} \ud800", "surrogate"),
        ("model", "two\nlines", "[model] name"),
        ("provider", "nobody", "[model] provider"),
        ("base_url", "https://u:p@example.org", "password"),
    ],
)
def test_values_that_cannot_be_used_are_refused(spec: Spec, field: str, value: object, named: str) -> None:
    """A spec that exists can be used; what is wrong is named as in the file."""
    with pytest.raises(UsageError) as caught:
        changed(spec, **{field: value})
    assert named in caught.value.message


def test_uncertain_is_not_required(spec: Spec) -> None:
    """A spec may judge by two categories of its own."""
    assert list(changed(spec, categories={"YES": "yes", "NO": "no"}).categories) == ["YES", "NO"]


def test_flags_go_before_the_file_and_the_file_before_the_built_in(spec: Spec) -> None:
    """What is said last on the command line holds; what nobody says stays."""
    file = SpecPart(model="from-file", temperature=0.5, segments=3)
    resolved = resolve(builtin_spec(), file, SpecPart(model="from-flag"))
    assert (resolved.model, resolved.temperature, resolved.segments) == ("from-flag", 0.5, 3)
    assert resolved.system == spec.system


def test_without_a_model_nothing_is_asked() -> None:
    """No provider's favourite is chosen behind anybody's back."""
    with pytest.raises(UsageError) as caught:
        resolve(builtin_spec())
    assert caught.value.kind == "no_model"
    assert "--model" in caught.value.hint


def test_the_local_provider_brings_its_one_model() -> None:
    """The local server has one model, so naming it would be a ceremony."""
    spec = resolve(builtin_spec(), flags=SpecPart(provider="local"))
    assert (spec.model, spec.base_url) == (LOCAL_MODEL, "loopback")


def test_what_is_said_of_providers_elsewhere_agrees() -> None:
    """The presets, the settings and the spec know the same providers at the same places, and the same local model."""
    places = {preset.name: normalise_base_url(preset.base_url or LOOPBACK) for preset in PRESETS}
    assert places == dict(DEFAULT_BASE_URLS)
    assert set(places) == set(spec_checks.PROVIDERS) == set(settings.PROVIDERS)
    assert LOCAL_MODEL == local.LOCAL_MODEL


def test_a_provider_brings_its_base_url_unless_flags_name_one(spec: Spec) -> None:
    """Another provider must never get the requests, or the key, meant for the first."""
    assert spec.base_url == "https://api.openai.com/v1"
    assert resolve(spec, flags=SpecPart(provider="deepseek")).base_url == "https://api.deepseek.com"
    assert resolve(spec, flags=SpecPart(base_url="http://GPU:80/v1/")).base_url == "http://gpu/v1"


def test_flags_left_out_differ_in_nothing_from_a_screening_that_has_begun(spec: Spec) -> None:
    """Going on with a screening needs none of the flags it began with."""
    begun = changed(spec, base_url="https://example.org/v1", categories={"YES": "yes", "NO": "no"})
    assert differences(begun, resolve(begun)) == []


def test_a_spec_file_is_read_from_disk(tmp_path: Path) -> None:
    """What the file says is there, what it leaves out is None."""
    path = tmp_path / "mine.toml"
    path.write_text('[model]\nname = "m"\n', encoding="utf-8")
    assert load_spec(path) == SpecPart(model="m")


def test_a_spec_file_that_cannot_be_read_is_one_clear_message(tmp_path: Path) -> None:
    """Missing, a directory, or not UTF-8: the file is named, and there is no stack trace."""
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing.toml", tmp_path, bad):
        with pytest.raises(UsageError) as caught:
            load_spec(path)
        assert str(path) in caught.value.message
