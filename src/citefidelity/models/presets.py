"""What is known of each provider: where it is, which key it takes, and how it wants to be asked.

Checked against the providers' own pages in November 2026; ``docs/providers.md`` says more.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from citefidelity.errors import UsageError
from citefidelity.models.chat import LimitParameter

Style = Literal["json_schema", "json_object", "none"]


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask one provider.

    ``key_variable`` names the environment variable of its key, None where no key is sent unless one is named.
    ``own_temperature`` is a pattern of the models that refuse any temperature but their own. ``timeout`` is the total
    time of one attempt in seconds.
    """

    name: str
    base_url: str | None
    key_variable: str | None = None
    style: Style = "json_schema"
    limit_parameter: LimitParameter = "max_tokens"
    own_temperature: str | None = None
    timeout: float = 300.0
    extra_body: dict[str, object] = {}

    def temperature_for(self, model: str, wanted: float) -> float | None:
        """The temperature to send: the one that the spec wants, or None where the model would refuse the request."""
        if self.own_temperature is not None and re.match(self.own_temperature, model):
            return None
        return wanted


PRESETS: tuple[Preset, ...] = (
    Preset(
        name="openai",
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        limit_parameter="max_completion_tokens",  # its present models refuse the older name
        own_temperature=r"o\d|gpt-(?:[5-9]|\d\d)",  # the models that reason
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


def preset_for(provider: str, base_url: str | None = None) -> Preset:
    """The preset of a provider, at its own address or at ``base_url``.

    ``openai`` at another address is any compatible server: those know the older name of the token limit, and take a
    temperature.

    Raises:
        UsageError: there is no such provider.
    """
    for preset in PRESETS:
        if preset.name == provider:
            break
    else:
        known = ", ".join(preset.name for preset in PRESETS)
        raise UsageError(f"There is no provider {provider!r}.", f"Known are: {known}. --base-url takes any other.")
    if base_url is None or base_url.rstrip("/") == preset.base_url:
        return preset
    if provider == "openai":
        preset = msgspec.structs.replace(preset, limit_parameter="max_tokens", own_temperature=None)
    return msgspec.structs.replace(preset, base_url=base_url)
