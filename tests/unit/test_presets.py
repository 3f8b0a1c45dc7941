"""What is known of each provider."""

from __future__ import annotations

import pytest

from citefidelity.config.settings import KEY_VARIABLES, PROVIDERS
from citefidelity.errors import UsageError
from citefidelity.models.presets import PRESETS, preset_for
from citefidelity.models.route import checked_base_url
from citefidelity.specs.spec import DEFAULT_BASE_URLS


def test_every_provider_has_its_preset() -> None:
    """Presets, settings and specs speak of the same providers, keys and addresses."""
    assert tuple(preset.name for preset in PRESETS) == PROVIDERS
    for preset in PRESETS:
        assert KEY_VARIABLES.get(preset.name) == preset.key_variable
        if preset.key_variable is not None:
            assert DEFAULT_BASE_URLS[preset.name] == preset.base_url
        if preset.base_url is not None:
            checked_base_url(preset.base_url)


def test_deepseek_does_not_think_and_is_waited_for() -> None:
    """Thinking is switched off, JSON mode stands for the schema, and a queue of ten minutes is no timeout."""
    deepseek = preset_for("deepseek")
    assert deepseek.extra_body == {"thinking": {"type": "disabled"}}
    assert deepseek.style == "json_object"
    assert deepseek.limit_parameter == "max_tokens"
    assert deepseek.timeout == 660


@pytest.mark.parametrize(
    ("base_url", "model", "limit", "temperature"),
    [
        (None, "gpt-4o-mini", "max_completion_tokens", True),
        ("https://api.openai.com/v1/", "gpt-4o-mini", "max_completion_tokens", True),
        (None, "gpt-5-mini", "max_completion_tokens", False),
        (None, "o3", "max_completion_tokens", False),
        ("http://localhost:8000/v1", "qwen3", "max_tokens", True),
        ("http://localhost:8000/v1", "gpt-oss-20b", "max_tokens", True),
        ("https://gateway.example.org/v1", "openai/gpt-5.1", "max_completion_tokens", False),
    ],
)
def test_openai_is_asked_as_the_model_takes_it(
    base_url: str | None, model: str, limit: str, *, temperature: bool
) -> None:
    """The name of the token limit and the temperature follow from the address and the model."""
    preset = preset_for("openai", base_url, model)
    assert (preset.limit_parameter, preset.takes_temperature) == (limit, temperature)


def test_another_address_keeps_the_rest() -> None:
    """A base URL replaces the provider's own, and nothing else that it needs."""
    preset = preset_for("deepseek", "https://proxy.example.org/v1")
    assert preset.base_url == "https://proxy.example.org/v1"
    assert preset.extra_body == {"thinking": {"type": "disabled"}}


def test_an_unknown_provider_is_named() -> None:
    """The message says which there are."""
    with pytest.raises(UsageError, match="acme") as caught:
        preset_for("acme")
    assert "deepseek" in caught.value.hint
