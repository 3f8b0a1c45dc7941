"""Spec files: every name known, every complaint with its place, and a way there and back."""

from __future__ import annotations

import tomllib
from importlib import resources

import msgspec
import pytest

from citefidelity.errors import UsageError
from citefidelity.specs.spec import BUILTIN_FILE, Spec, builtin_spec, resolve
from citefidelity.specs.spec_toml import SpecPart, read


def test_the_built_in_file_is_what_the_command_prints() -> None:
    """What people read in the package and what `citefidelity spec` prints is the same text."""
    text = resources.files("citefidelity.specs").joinpath(BUILTIN_FILE).read_text(encoding="utf-8")
    assert text == builtin_spec().to_toml()


def test_every_setting_has_its_comment_above_it() -> None:
    """Someone who changes the file can see what each setting does without a manual."""
    lines = builtin_spec().to_toml().splitlines()
    for number, line in enumerate(lines):
        if line.startswith(
            ("provider", "# name", "temperature", "max_", "segments", "[categories]", "[types]", "[prompt]")
        ):
            assert lines[number - 1].startswith("# "), line


def test_a_printed_spec_read_back_is_the_same_spec() -> None:
    """Printing, changing nothing and giving it with --spec changes nothing."""
    spec = resolve(builtin_spec(), flags=SpecPart(model='odd "name" \\ \t é'))
    fields = msgspec.structs.asdict(read(spec.to_toml(), "printed"))
    assert fields.pop("base_url") is None
    assert Spec(**fields, base_url=spec.base_url) == spec


def test_a_model_that_is_not_named_stays_a_comment() -> None:
    """The built-in spec names no model, and its file does not pretend to."""
    assert "name" not in tomllib.loads(builtin_spec().to_toml())["model"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[model\n", "no TOML"),
        ('[colour]\nred = "x"', "'colour'"),
        ('model = "x"', "'model'"),
        ("[model]\nbase_url = 'http://x'", "[model] base_url"),
        ("[model]\nname = 5", "[model] name"),
        ("[model]\ntemperature = true", "[model] temperature"),
        ("[model]\nmax_output_tokens = 1.5", "[model] max_output_tokens"),
        ("[evidence]\nsegmants = 3", "[evidence] segmants"),
        ("[evidence]\nsegments = '3'", "[evidence] segments"),
        ("[categories]\nYES = 'y'", "[categories]"),
        ("[categories]\nYES = 'y'\nNO = 3", "NO"),
        ("[types]\nx = 'y'", "'x'"),
        ("[prompt]\nsystem = 'json {categories}'", "[prompt] system"),
        ("[prompt]\nsystems = 'x'", "[prompt] systems"),
        ("[prompt]\nuser = '{citing}'", "[prompt] user"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_the_file(text: str, named: str) -> None:
    """An unknown name or a wrong value is an error, never left aside, with file and field."""
    with pytest.raises(UsageError) as caught:
        read(text, "mine.toml")
    assert "mine.toml" in caught.value.message
    assert named in caught.value.message


def test_a_file_may_say_little() -> None:
    """Every setting is optional; a whole number is a temperature too."""
    assert read("", "empty") == SpecPart()
    part = read("[model]\ntemperature = 1\n[categories]\nNO='n'\nYES='y'", "short")
    assert part.temperature == 1.0
    assert part.categories is not None
    assert list(part.categories) == ["NO", "YES"]


@pytest.mark.parametrize(
    "text",
    [
        '"""',
        '""""',
        'a\n"""b""',
        'ends with "',
        'ends\nwith "',
        "back\\slash\n\\n",
        "\r\n",
        "\x00\x1f\x7f",
        "\n",
        "\n\n a ",
        "tab\there\n",
    ],
)
def test_any_text_survives_the_way_through_the_file(text: str) -> None:
    """Quotes, backslashes, line ends and control characters come back as they were."""
    spec = resolve(builtin_spec(), flags=SpecPart(model="m", user=f"{{citing}}{text}{{evidence}}{text}"))
    assert read(spec.to_toml(), "printed").user == spec.user
    spec = resolve(builtin_spec(), flags=SpecPart(model="m", types={"A": f"x{text}"}))
    assert read(spec.to_toml(), "printed").types == spec.types
