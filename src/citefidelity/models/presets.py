"""What is known of each provider: where it is, which key it takes, and how it wants to be asked.

Checked against the providers' own pages in November 2026; ``docs/providers.md`` says more.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from citefidelity.errors import UsageError

Style = Literal["json_schema", "json_object", "none"]
LimitParameter = Literal["max_tokens", "max_completion_tokens"]


REASONING_MODEL = re.compile(r"(?:.*/)?(?:o\d|gpt-(?:[5-9]|\d\d))")
"""OpenAI's models that reason, at OpenAI or behind a gateway: they refuse the older name of the token limit, and any
temperature but their own."""


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask one provider.

    ``key_variable`` names the environment variable of its key, None where no key is sent unless one is named.
    ``timeout`` is the total time of one attempt in seconds.
    """

    name: str
    base_url: str | None
    key_variable: str | None = None
    style: Style = "json_schema"
    limit_parameter: LimitParameter = "max_tokens"
    takes_temperature: bool = True
    timeout: float = 300.0
    extra_body: dict[str, object] = {}


PRESETS: tuple[Preset, ...] = (
    Preset(
        name="openai",
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        limit_parameter="max_completion_tokens",
    ),
    Preset(
        name="deepseek",
        base_url="https://api.deepseek.com",
        key_variable="DEEPSEEK_API_KEY",
        style="json_object",  # a schema is answered with 400 or 422
        timeout=660.0,  # it lets a request wait for up to ten minutes before it begins
        extra_body={"thinking": {"type": "disabled"}},  # on by default: slow, billed, and deaf to the temperature
    ),
    Preset(name="ollama", base_url="http://localhost:11434/v1"),
    Preset(name="vllm", base_url="http://localhost:8000/v1"),
    Preset(name="local", base_url=None),  # it starts its own server and knows where
)


def preset_for(provider: str, base_url: str | None = None, model: str = "") -> Preset:
    """The preset of a provider, at its own address or at ``base_url``, for ``model``.

    ``openai`` at another address is any compatible server, and those know the older name of the token limit.

    Raises:
        UsageError: there is no such provider.
    """
    for preset in PRESETS:
        if preset.name == provider:
            break
    else:
        known = ", ".join(preset.name for preset in PRESETS)
        raise UsageError(f"There is no provider {provider!r}.", f"Known are: {known}. --base-url takes any other.")
    if base_url is not None and base_url.rstrip("/") != preset.base_url:
        preset = msgspec.structs.replace(preset, base_url=base_url, limit_parameter="max_tokens")
    if provider == "openai" and REASONING_MODEL.match(model):
        preset = msgspec.structs.replace(preset, limit_parameter="max_completion_tokens", takes_temperature=False)
    return preset
