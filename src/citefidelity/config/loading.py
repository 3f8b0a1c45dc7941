"""Puts the settings together: flags over environment over ``citefidelity.toml`` over defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from citefidelity.config.addresses import Neo4jAddress, StoreAddress, parse_store
from citefidelity.config.secret import Secret, blank_out, read_secret
from citefidelity.config.settings import DEFAULT, FILE, PREFIX, SETTINGS, Setting, Settings
from citefidelity.errors import UsageError

NO_FLAGS: Mapping[str, object] = {}
LONGEST_SHOWN = 80


def load_settings(
    flags: Mapping[str, object] = NO_FLAGS, *, environ: Mapping[str, str], directory: Path = Path()
) -> Settings:
    """All settings, each with where it came from.

    ``flags`` holds what was given on the command line, by setting name; a value of None was not given.

    Raises:
        UsageError: a name that is not known, a value that cannot be, a secret in the wrong place. Names the place.
    """
    _refuse_flags(flags)
    _refuse_unknown_variables(environ)
    from_file = _read_file(directory / FILE)
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        found[setting.name], origins[setting.name] = _one(setting, flags, environ, from_file)
    found["store"] = _store(found, origins)
    if found["citation_workers"] is None:
        found["citation_workers"] = 2 * found["concurrency"]
    found["named_api_key"] = _named_key(found["api_key_env"], origins, environ)
    return Settings(**found, origins=origins)


def _one(
    setting: Setting, flags: Mapping[str, object], environ: Mapping[str, str], from_file: Mapping[str, object]
) -> tuple[object, str]:
    """The value of one setting, and where it came from."""
    if setting.secret:
        secret = read_secret(setting.from_environment, environ)
        return secret if secret is not None else (None, DEFAULT)
    if flags.get(setting.name) is not None:
        return _parsed(setting, flags[setting.name], setting.flag), setting.flag
    variable = setting.from_environment
    # A variable that is set to nothing is how a compose file or a CI system leaves one out.
    if environ.get(variable):
        if setting.consent:
            raise _bad(f"{variable} has no effect: this consent is given per command.", f"Give {setting.flag} instead.")
        return _parsed(setting, environ[variable], variable), variable
    if setting.name in from_file:
        return _parsed(setting, from_file[setting.name], f"{setting.name} in {FILE}"), FILE
    return setting.default, DEFAULT


def _parsed(setting: Setting, raw: object, place: str) -> object:
    # Only the bare word is looked up in NEO4J_URI, which has to be read first.
    if setting.name == "store" and raw == "neo4j":
        return raw
    try:
        return setting.parse(raw)
    except ValueError as err:
        shown = "" if setting.shy else f", not {_shown(raw)}"
        raise _bad(f"{place} {err}{shown}.", f"{setting.name}: {setting.help}.") from err
    except UsageError as err:
        raise UsageError(f"{place}: {err.message}", err.hint, kind=err.kind) from err


def _store(found: Mapping[str, Any], origins: dict[str, str]) -> StoreAddress:
    store, uri = found["store"], found["neo4j_uri"]
    place = origins["store"]
    if store == "neo4j":
        if uri is None:
            raise _bad("--store neo4j takes its address from NEO4J_URI, which is not set.", "export NEO4J_URI=...")
        store, place = uri, "NEO4J_URI"
        origins["store"] = f"{origins['store']} and NEO4J_URI"
    if isinstance(store, str):
        try:
            store = parse_store(store)
        except ValueError as err:
            raise _bad(f"{place} {err}.", "") from err
    if isinstance(store, Neo4jAddress) and store.database is None and found["neo4j_database"]:
        store = msgspec.structs.replace(store, database=found["neo4j_database"])
    address: StoreAddress = store
    return address


def _named_key(variable: str | None, origins: dict[str, str], environ: Mapping[str, str]) -> Secret | None:
    if variable is None:
        origins["named_api_key"] = DEFAULT
        return None
    found = read_secret(variable, environ)
    if found is None:
        raise UsageError(
            f"{origins['api_key_env']} names {variable}, which is not set. Nothing was asked.",
            f"export {variable}=...",
            kind="key_not_set",
        )
    origins["named_api_key"] = found[1]
    return found[0]


def _read_file(path: Path) -> Mapping[str, object]:
    """The settings file as it stands, its names checked; empty where there is none."""
    if not path.exists():
        return {}
    import tomllib  # noqa: PLC0415 - needed only where there is a file

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise _bad(f"{path} cannot be read as TOML: {err}.", "Mend it, or move it away.") from err
    known = {setting.name: setting for setting in SETTINGS}
    for name in content:
        if name not in known:
            raise _unknown(f"{path} sets {name!r}, which is no setting.", name, known)
        if known[name].consent:
            raise _bad(f"{path} sets {name}: this consent is given per command.", f"Give {known[name].flag} instead.")
        if not known[name].in_file:
            also = " or its _FILE" if known[name].secret else ""
            raise _bad(
                f"{path} sets {name}, which is taken from the environment only: such a file gets shared.",
                f"Take it out and set {known[name].from_environment}{also}.",
            )
    return content


def _refuse_flags(flags: Mapping[str, object]) -> None:
    """Only Python code can give such: the command line has no flag for a secret, and has looked at each name."""
    known = {setting.name: setting for setting in SETTINGS}
    for name in flags:
        if name not in known:
            raise _unknown(f"{name!r} is no setting.", name, known)
        if known[name].secret:
            variable = known[name].from_environment
            raise _bad(f"{name} is taken from the environment only.", f"Set {variable} or {variable}_FILE instead.")


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    known = [setting.from_environment for setting in SETTINGS]
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            raise _unknown(f"The environment sets {name}, which is no setting.", name, known)


def _unknown(message: str, name: str, known: Iterable[str]) -> UsageError:
    from difflib import get_close_matches  # noqa: PLC0415 - for this message only

    close = get_close_matches(name.replace("-", "_"), list(known), n=1)
    hint = f"Did you mean {close[0]}?" if close else "`citefidelity config` lists every setting."
    return UsageError(message, hint, kind="unknown_setting")


def _bad(message: str, hint: str) -> UsageError:
    return UsageError(message, hint, kind="bad_setting")


def _shown(raw: object) -> str:
    """A wrong value as the message repeats it: short, and without the password that a URL may hold."""
    text = blank_out(repr(raw), ())
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
