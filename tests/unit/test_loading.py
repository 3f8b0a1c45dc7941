"""Settings: where they come from, which of them wins, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from citefidelity.config.addresses import EmbeddedAddress, Neo4jAddress
from citefidelity.config.graph_names import GraphNames
from citefidelity.config.loading import load_settings
from citefidelity.config.secret import Secret
from citefidelity.config.settings import DEFAULT, FILE, SETTINGS, Settings
from citefidelity.errors import UsageError
from citefidelity.records import Partition

CANARY = "sk-canary-0123456789"


def test_the_table_and_the_struct_name_the_same_settings() -> None:
    """Each row of the table is a field, and each field a row, in the same order."""
    derived = {"named_api_key", "origins"}
    assert {setting.name for setting in SETTINGS} == set(Settings.__struct_fields__) - derived


def test_defaults_are_those_of_the_design(tmp_path: Path) -> None:
    """With nothing said, each setting has the value that the design gives it."""
    settings = load_settings(environ={}, directory=tmp_path)
    assert settings.store == EmbeddedAddress(Path("citefidelity.db"))
    assert settings.screening == "main"
    assert (settings.concurrency, settings.citation_workers) == (100, 200)
    assert (settings.max_attempts, settings.grace) == (3, 20.0)
    assert settings.partition == Partition(1, 1)
    assert not settings.include_classified
    assert not settings.new_journal
    assert set(settings.origins.values()) == {DEFAULT}


def test_flag_over_environment_over_file(tmp_path: Path) -> None:
    """Each source hides those below it, and every value remembers its own."""
    (tmp_path / FILE).write_text("concurrency = 1\nrpm = 2\ntpm = '3k'\ninclude_classified = true\n")
    settings = load_settings(
        {"concurrency": "10"},
        environ={"CITEFIDELITY_CONCURRENCY": "20", "CITEFIDELITY_RPM": "30", "CITEFIDELITY_LIMIT": ""},
        directory=tmp_path,
    )
    assert (settings.concurrency, settings.rpm, settings.tpm) == (10, 30, 3_000)
    assert settings.include_classified
    assert settings.limit is None
    assert settings.citation_workers == 20
    assert settings.origins["concurrency"] == "--concurrency"
    assert settings.origins["rpm"] == "CITEFIDELITY_RPM"
    assert settings.origins["tpm"] == FILE
    assert settings.origins["limit"] == DEFAULT


def test_flags_that_were_not_given_hide_nothing(tmp_path: Path) -> None:
    """A flag of None leaves the environment's value standing."""
    settings = load_settings({"concurrency": None}, environ={"CITEFIDELITY_CONCURRENCY": "20"}, directory=tmp_path)
    assert settings.concurrency == 20


@pytest.mark.parametrize(
    ("flags", "environ", "file", "words"),
    [
        ({}, {}, "max-cost = 5", r"citefidelity.toml sets 'max-cost', which is no setting.*max_cost"),
        ({}, {}, "wibble = 5", "wibble"),
        ({}, {}, "concurrency = ", "cannot be read as TOML"),
        ({}, {}, "concurrency = true", "concurrency in citefidelity.toml must be a whole number"),
        ({}, {}, "concurrency = [1]", "concurrency in citefidelity.toml must be a whole number"),
        ({}, {}, "[concurrency]\na = 1", "concurrency in citefidelity.toml must be a whole number"),
        ({}, {}, "openai_api_key = 'x'", "from the environment only.*OPENAI_API_KEY or its _FILE"),
        ({}, {}, "no_proxy = 'x'", "from the environment only.*NO_PROXY"),
        ({}, {}, "new_journal = true", "given per command.*--new-journal"),
        (
            {},
            {"CITEFIDELITY_MAXCOST": "5"},
            "",
            "sets CITEFIDELITY_MAXCOST, which is no setting.*CITEFIDELITY_MAX_COST",
        ),
        ({}, {"CITEFIDELITY_NEO4J_URI": "x"}, "", "CITEFIDELITY_NEO4J_URI, which is no setting"),
        ({}, {"CITEFIDELITY_NEW_JOURNAL": "1"}, "", "given per command"),
        ({}, {"CITEFIDELITY_CONCURRENCY": "lots"}, "", "CITEFIDELITY_CONCURRENCY must be a whole number.*not 'lots'"),
        ({"concurrency": "0"}, {}, "", "--concurrency must be a whole number from 1 to 10000, not '0'"),
        ({"store": "mysql://h/d"}, {}, "", "--store must be sqlite:///FILE"),
        ({"store": "neo4j"}, {}, "", "NEO4J_URI, which is not set"),
        ({"store": "neo4j"}, {"NEO4J_URI": "http://h"}, "", "NEO4J_URI must be"),
        ({"provider": "acme"}, {}, "", "--provider must be one of openai, deepseek"),
        ({"screening": "a b"}, {}, "", "--screening must be"),
        ({"partition": "5/4"}, {}, "", "--partition must be"),
        ({"api_key_env": "MY_KEY"}, {}, "", "--api-key-env names MY_KEY, which is not set"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, flags: dict[str, object], environ: dict[str, str], file: str, words: str
) -> None:
    """Each wrong setting is one error that names the place, what it must be, and what to do."""
    if file:
        (tmp_path / FILE).write_text(file)
    with pytest.raises(UsageError) as refusal:
        load_settings(flags, environ=environ, directory=tmp_path)
    said = f"{refusal.value.message} {refusal.value.hint}"
    assert re.search(words, said), said


def test_a_key_given_as_the_name_of_a_variable_is_not_repeated(tmp_path: Path) -> None:
    """A key in the place of a variable's name is refused without showing it (G9)."""
    # One that looks like no key known, so that only the setting's shyness hides it.
    with pytest.raises(UsageError) as refusal:
        load_settings({"api_key_env": "hunter2-0123"}, environ={}, directory=tmp_path)
    assert "hunter2" not in refusal.value.message + refusal.value.hint


def test_a_password_in_a_url_is_not_repeated(tmp_path: Path) -> None:
    """A URL with a password is refused without showing the password (G9)."""
    for name, url in (("base_url", "https://me:hunter2@h/v1"), ("store", "neo4j://me:hunter2@h")):
        with pytest.raises(UsageError) as refusal:
            load_settings({name: url}, environ={}, directory=tmp_path)
        assert "hunter2" not in refusal.value.message + refusal.value.hint


def test_secrets_come_from_the_environment_and_stay_out_of_the_repr(tmp_path: Path) -> None:
    """Keys and passwords are read, from a file too, and no repr shows them (G9)."""
    (tmp_path / "pw").write_text("canary-password\n")
    environ = {
        "OPENAI_API_KEY": CANARY,
        "NEO4J_PASSWORD_FILE": str(tmp_path / "pw"),
        "HTTPS_PROXY": "http://me:canary-proxy@proxy:1",
        "VLLM_KEY": "canary-named",
    }
    settings = load_settings({"api_key_env": "VLLM_KEY"}, environ=environ, directory=tmp_path)
    assert settings.neo4j_password == Secret("canary-password")
    assert "NEO4J_PASSWORD_FILE" in settings.origins.values()
    assert settings.named_api_key == Secret("canary-named")
    assert "canary" not in repr(settings)
    assert len(settings.secrets()) == 4


def test_the_word_neo4j_takes_its_address_from_the_environment(tmp_path: Path) -> None:
    """NEO4J_URI names the server, and NEO4J_DATABASE the database unless the URL does."""
    environ = {"NEO4J_URI": "bolt://h:7687", "NEO4J_DATABASE": "graph"}
    settings = load_settings({"store": "neo4j"}, environ=environ, directory=tmp_path)
    assert settings.store == Neo4jAddress("bolt://h:7687", "graph")
    assert settings.origins["store"] == "--store and NEO4J_URI"
    named = load_settings({"store": "neo4j://h/other"}, environ=environ, directory=tmp_path)
    assert named.store == Neo4jAddress("neo4j://h", "other")


def test_names_of_a_graph_come_from_a_table_or_the_environment(tmp_path: Path) -> None:
    """The environment goes before the table as a whole, and either is remembered as the origin."""
    (tmp_path / FILE).write_text('rpm = 5\n[graph]\narticle = "Paper"\narticle_id = "doi"\n')
    settings = load_settings(environ={}, directory=tmp_path)
    assert (settings.graph, settings.origins["graph"]) == (GraphNames(article="Paper", article_id="doi"), FILE)
    settings = load_settings(environ={"CITEFIDELITY_GRAPH": "cites=REFERS_TO"}, directory=tmp_path)
    assert (str(settings.graph), settings.origins["graph"]) == ("cites=REFERS_TO", "CITEFIDELITY_GRAPH")


@pytest.mark.parametrize(
    ("line", "named"), [("artikel = 'Paper'", "'artikel'"), ("article = 'a b'", "article = 'a b'")]
)
def test_a_wrong_name_of_a_graph_is_told_with_its_place(tmp_path: Path, line: str, named: str) -> None:
    """The message names the file, the table and the field."""
    (tmp_path / FILE).write_text(f"[graph]\n{line}\n")
    with pytest.raises(UsageError) as told:
        load_settings(environ={}, directory=tmp_path)
    assert told.value.message.startswith(f"graph in {FILE}: ")
    assert named in told.value.message


@pytest.mark.parametrize(
    ("provider", "key"), [("openai", "for-openai"), ("deepseek", "for-deepseek"), ("vllm", None), ("ollama", None)]
)
def test_each_provider_gets_its_own_key_only(tmp_path: Path, provider: str, key: str | None) -> None:
    """No key goes to a provider that it is not for; servers of one's own get none unless it is named (G9)."""
    environ = {"OPENAI_API_KEY": "for-openai", "DEEPSEEK_API_KEY": "for-deepseek", "MINE": "named"}
    settings = load_settings(environ=environ, directory=tmp_path)
    assert settings.api_key(provider) == (Secret(key) if key else None)
    named = load_settings({"api_key_env": "MINE"}, environ=environ, directory=tmp_path)
    assert named.api_key(provider) == Secret("named")


def test_a_missing_key_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    """It is an error that names the variable, except for a server on this machine, which needs none."""
    settings = load_settings(environ={}, directory=tmp_path)
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set") as refusal:
        settings.require_api_key("openai", "api.openai.com")
    assert refusal.value.kind == "key_not_set"
    assert settings.require_api_key("openai", "127.0.0.1") is None
    assert settings.require_api_key("vllm", "gpu.example.org") is None


@pytest.mark.parametrize(
    ("flags", "environ", "file", "url"),
    [
        ({}, {}, "", None),
        ({}, {"OPENAI_BASE_URL": "http://env/v1"}, "", "http://env/v1"),
        ({}, {"OPENAI_BASE_URL": "http://env/v1"}, "base_url = 'http://file/v1'", "http://env/v1"),
        ({"base_url": "http://flag/v1"}, {"OPENAI_BASE_URL": "http://env/v1"}, "", "http://flag/v1"),
        ({}, {"OPENAI_BASE_URL": "http://a/v1", "CITEFIDELITY_BASE_URL": "http://b/v1"}, "", "http://b/v1"),
        ({}, {}, "base_url = 'http://file/v1'", "http://file/v1"),
    ],
)
def test_base_url(
    tmp_path: Path, flags: dict[str, object], environ: dict[str, str], file: str, url: str | None
) -> None:
    """OPENAI_BASE_URL stands in the environment's place, and is for openai only."""
    (tmp_path / FILE).write_text(file)
    settings = load_settings(flags, environ=environ, directory=tmp_path)
    assert settings.base_url_for("openai") == url
    assert settings.base_url_for("deepseek") == settings.base_url


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    """What a run began with stays as it is."""
    settings = load_settings(environ={}, directory=tmp_path)
    with pytest.raises(AttributeError):
        settings.concurrency = 5  # type: ignore[misc]  # the point of the test
    assert msgspec.structs.replace(settings, concurrency=5).concurrency == 5


@pytest.mark.parametrize(
    ("given", "named", "hint"),
    [
        ({"max_costs": 5}, "'max_costs' is no setting", "max_cost?"),
        ({"map": "a=b"}, "'map' is no setting", "citefidelity config"),
        ({"openai_api_key": CANARY}, "openai_api_key is taken from the environment", "OPENAI_API_KEY"),
        ({"neo4j_password": CANARY}, "neo4j_password is taken from the environment", "NEO4J_PASSWORD_FILE"),
    ],
)
def test_a_name_that_python_code_gives_is_looked_at(
    tmp_path: Path, given: dict[str, object], named: str, hint: str
) -> None:
    """A cap that is misspelt, or a key that would be passed over, is refused, and no secret is repeated."""
    with pytest.raises(UsageError, match=re.escape(named)) as caught:
        load_settings(given, environ={}, directory=tmp_path)
    assert hint in caught.value.hint
    assert CANARY not in str(caught.value) + caught.value.hint
