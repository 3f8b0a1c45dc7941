"""The spec: all that changes an answer. A screening keeps the one it began with, whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from hashlib import blake2b, sha256
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from citefidelity.config.base_url import LOOPBACK, normalise_base_url
from citefidelity.errors import UsageError
from citefidelity.specs import spec_checks, spec_toml
from citefidelity.specs.spec_toml import SpecPart

BUILTIN_FILE = "builtin_spec.toml"
EXCERPT = 60
"""Characters of a long text that a difference shows."""

DEFAULT_BASE_URLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openai": "https://api.openai.com/v1",
        "deepseek": "https://api.deepseek.com",
        "ollama": LOOPBACK,
        "vllm": LOOPBACK,
        "local": LOOPBACK,
    }
)
"""Where a provider is when no base URL is given."""

LOCAL_MODEL = "smollm2-135m-instruct-q4_1"
"""The one model that the provider ``local`` has."""


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that changes an answer. Every value that exists has been checked.

    ``base_url`` is in its one form (``normalise_base_url``). The order of ``categories``
    and ``types`` counts: it is the order in which the model is told to decide. ``model`` is empty only in the
    built-in spec, which names none.

    Raises :class:`~citefidelity.errors.UsageError` on construction where a value cannot be used.
    """

    provider: str
    base_url: str
    model: str
    temperature: float
    max_output_tokens: int
    segments: int
    max_chars: int
    categories: dict[str, str]
    types: dict[str, str]
    system: str
    user: str

    def __post_init__(self) -> None:
        """Check every value, so that no other module has to."""
        msgspec.structs.force_setattr(self, "base_url", normalise_base_url(self.base_url))
        for name in self.__struct_fields__:
            problem = spec_checks.problem(name, getattr(self, name))
            if problem:
                raise _bad_spec(f"The spec cannot be used: {spec_toml.field(name)}: {problem}.")

    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal over the spec's canonical JSON; equal exactly when two specs ask alike."""
        fields = msgspec.structs.asdict(self)
        # Pairs, because the order of categories counts and sorting the keys of an object would lose it.
        pairs = {name: list(value.items()) if isinstance(value, dict) else value for name, value in fields.items()}
        return sha256(json.dumps(pairs, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def to_json(self) -> str:
        """One line of JSON, for the journal and the store."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Spec:
        """The spec that :meth:`to_json` wrote.

        Raises:
            UsageError: it is none, or it was written by a version that knows more settings.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as err:
            raise _bad_spec(f"A stored spec cannot be read: {err}.") from err

    def to_toml(self) -> str:
        """The spec as a file that ``--spec`` takes, explained by comments. The base URL is no part of it."""
        return spec_toml.write(msgspec.structs.asdict(self))


def builtin_spec() -> Spec:
    """The spec that holds where nothing else is said. It names no model."""
    text = resources.files("citefidelity.specs").joinpath(BUILTIN_FILE).read_text(encoding="utf-8")
    part = msgspec.structs.asdict(spec_toml.read(text, BUILTIN_FILE))
    part |= {"base_url": DEFAULT_BASE_URLS[part["provider"]], "model": part["model"] or ""}
    return Spec(**part)


def load_spec(path: Path) -> SpecPart:
    """What a spec file says. What it leaves out stays as in the built-in spec.

    Raises:
        UsageError: it cannot be read, or something in it is not known; names the file and the field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is not UTF-8"
        raise _bad_spec(f"The spec file {path} cannot be read: {reason}.") from err
    return spec_toml.read(text, str(path))


def resolve(builtin: Spec, file: SpecPart | None = None, flags: SpecPart | None = None) -> Spec:
    """The spec of a run: flags over file over ``builtin``.

    For a screening that has begun, ``builtin`` is its own spec, so that flags left out differ in nothing. Another
    provider brings its own base URL unless the flags name one.

    Raises:
        UsageError: no model is named anywhere, or a value cannot be used.
    """
    fields = msgspec.structs.asdict(builtin)
    for part in (file, flags):
        if part is not None:
            fields |= {name: value for name, value in msgspec.structs.asdict(part).items() if value is not None}
    provider = fields["provider"]
    if flags is None or flags.base_url is None:
        same = provider == builtin.provider
        fields["base_url"] = builtin.base_url if same else DEFAULT_BASE_URLS.get(provider, builtin.base_url)
    if provider == "local" and not fields["model"]:
        fields["model"] = LOCAL_MODEL
    spec = Spec(**fields)
    if not spec.model:
        raise UsageError(
            "No model is named. Nothing was asked.",
            "Name one with --model NAME, or in a spec file as [model] name.",
            kind="no_model",
        )
    return spec


def differences(a: Spec, b: Spec) -> list[str]:
    """What differs between two specs, a line for each setting: from ``a`` to ``b``. Long texts are shown in part."""
    lines: list[str] = []
    for name in Spec.__struct_fields__:
        one, other = getattr(a, name), getattr(b, name)
        label = spec_toml.field(name)
        if isinstance(one, dict):
            lines += _table_differences(label, one, other)
        elif one != other:
            long = isinstance(one, str) and max(len(one), len(other)) > EXCERPT
            show = partial(_excerpt, since=_first_difference(one, other)) if long else repr
            lines.append(f"{label}: {show(one)} -> {show(other)}")
    return lines


def _table_differences(label: str, a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    lines = [f"{label} {name}: gone" for name in a if name not in b]
    lines += [f"{label} {name}: new" for name in b if name not in a]
    for name in a:
        if name in b and a[name] != b[name]:
            since = _first_difference(a[name], b[name])
            lines.append(f"{label} {name}: {_excerpt(a[name], since)} -> {_excerpt(b[name], since)}")
    if not lines and list(a) != list(b):
        lines.append(f"{label}: another order: {', '.join(a)} -> {', '.join(b)}")
    return lines


def _first_difference(a: str, b: str) -> int:
    return next((at for at, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b)))


def _excerpt(text: str, since: int) -> str:
    start = max(0, since - EXCERPT // 4)
    before, after = "..." if start else "", "..." if len(text) > start + EXCERPT else ""
    digest = blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{before}{text[start : start + EXCERPT]!r}{after} ({len(text)} characters, {digest})"


def _bad_spec(message: str) -> UsageError:
    return UsageError(
        message, "`citefidelity spec` prints the built-in spec, with every setting explained.", kind="bad_spec"
    )
