"""Every setting: its meaning, its bounds, and where its value came from.

A value comes from a flag, else from the environment, else from ``citefidelity.toml`` in the working directory, else
it is the default. A name that is not known is an error in the file and in the environment alike: a money cap that is
misspelt is a cap that is not there, and a warning is read when the money is gone.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from citefidelity.config import values
from citefidelity.config.addresses import StoreAddress, is_this_machine, parse_store
from citefidelity.config.graph_names import GraphNames, graph_names
from citefidelity.config.listening import ListenAddress, listen_address
from citefidelity.config.secret import Secret
from citefidelity.errors import UsageError
from citefidelity.records import WHOLE, Partition

PREFIX = "CITEFIDELITY_"
FILE = "citefidelity.toml"
DEFAULT = "default"
DEFAULT_STORE = "sqlite:///citefidelity.db"
PROVIDERS = ("openai", "deepseek", "ollama", "vllm", "local")
KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "deepseek": "DEEPSEEK_API_KEY"}


class Setting(NamedTuple):
    """One setting. ``variable`` is its environment variable, where it is not ``CITEFIDELITY_<NAME>``."""

    name: str
    parse: values.Parse
    help: str
    metavar: str = ""
    default: object = None
    variable: str = ""
    secret: bool = False
    """Comes from the environment only (``VARIABLE`` or ``VARIABLE_FILE``), and is never shown."""
    consent: bool = False
    """Given with a flag, for one command: in a file it would be given for ever and forgotten."""
    in_file: bool = True
    """Whether it may stand in ``citefidelity.toml``; no secret and no consent may."""
    shy: bool = False
    """A wrong value is not repeated in the message: it may be a secret in the wrong place."""

    @property
    def from_environment(self) -> str:
        """The name of its environment variable."""
        return self.variable or f"{PREFIX}{self.name.upper()}"

    @property
    def flag(self) -> str:
        """How it is written on the command line."""
        return f"--{self.name.replace('_', '-')}"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one command. Times are seconds, money is US dollars, None means not set."""

    store: StoreAddress
    journal: Path | None
    screening: str
    provider: str | None
    base_url: str | None
    model: str | None
    spec: Path | None
    api_key_env: str | None
    concurrency: int
    citation_workers: int
    limit: int | None
    max_time: float | None
    max_cost: float | None
    max_tokens: int | None
    price: str | None
    rpm: int | None
    tpm: int | None
    max_attempts: int
    timeout: float | None
    grace: float
    include_classified: bool
    partition: Partition
    new_journal: bool
    yes: bool
    metrics: ListenAddress | None
    otel: bool
    web: bool
    web_address: ListenAddress | None
    web_token: Secret | None
    openai_api_key: Secret | None
    openai_base_url: str | None
    deepseek_api_key: Secret | None
    named_api_key: Secret | None
    """The key in the variable that ``api_key_env`` names."""
    neo4j_uri: str | None
    neo4j_username: str | None
    neo4j_password: Secret | None
    neo4j_database: str | None
    graph: GraphNames
    """What a Neo4j graph calls its articles, citations and their properties."""
    https_proxy: Secret | None
    no_proxy: str | None
    ssl_cert_file: Path | None
    origins: dict[str, str]
    """For each setting: the flag or variable, ``citefidelity.toml``, or ``default``."""

    def base_url_for(self, provider: str) -> str | None:
        """The base URL that was asked for, None for the provider's own. ``OPENAI_BASE_URL`` is for ``openai`` only."""
        from_file = self.origins["base_url"] in {FILE, DEFAULT}
        if provider == "openai" and self.openai_base_url is not None and from_file:
            return self.openai_base_url
        return self.base_url

    def api_key(self, provider: str) -> Secret | None:
        """The key that may be sent to this provider, so that no key ever goes to another one."""
        if self.api_key_env is not None:
            return self.named_api_key
        return {"openai": self.openai_api_key, "deepseek": self.deepseek_api_key}.get(provider)

    def require_api_key(self, provider: str, host: str) -> Secret | None:
        """The key for this provider; None where none is needed.

        Raises:
            UsageError: this provider wants a key, none is set, and ``host`` is not this machine.
        """
        key = self.api_key(provider)
        variable = self.api_key_env or KEY_VARIABLES.get(provider)
        if key is None and variable is not None and not is_this_machine(host):
            raise UsageError(
                f"{variable} is not set, and {host} wants a key. Nothing was asked.",
                f"export {variable}=... (or {variable}_FILE=FILE). A server on this machine needs none: --base-url.",
                kind="key_not_set",
            )
        return key

    def secrets(self) -> list[Secret]:
        """All secrets that are set, to be blanked out of whatever is written."""
        return [value for name in self.__struct_fields__ if isinstance(value := getattr(self, name), Secret)]


def _word(*words: str) -> str:
    return "|".join(words)


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "store",
        parse_store,
        "where citations live: sqlite:///FILE, neo4j://HOST:PORT[/DB], bolt://..., or the word neo4j for NEO4J_URI",
        "URL",
        DEFAULT_STORE,
    ),
    Setting("journal", values.file, "the journal; by default it lies beside an embedded store", "FILE"),
    Setting("screening", values.screening_name, "which set of verdicts", "NAME", "main"),
    Setting(
        "provider",
        values.choice(*PROVIDERS),
        "who answers; openai (the default) with --base-url is any OpenAI-compatible server",
        _word(*PROVIDERS),
    ),
    Setting("base_url", values.base_url, "the server's address, such as http://localhost:8000/v1", "URL"),
    Setting("model", values.text, "the model's name, as the provider calls it", "NAME"),
    Setting("spec", values.file, "a spec as TOML; `citefidelity spec` prints the built-in one", "FILE"),
    Setting(
        "api_key_env", values.variable_name, "the NAME of the environment variable that holds the key", "NAME", shy=True
    ),
    Setting("concurrency", values.whole(1, 10_000), "calls in flight at once", "N", 100),
    Setting(
        "citation_workers",
        values.whole(1, 100_000),
        "citations open at once; by default twice the concurrency",
        "N",
    ),
    Setting("limit", values.count, "take up at most N citations that have something to ask", "N"),
    Setting("max_time", values.seconds(0.1, 31_536_000), "stop asking after this long (90s, 15m, 1h30m)", "TIME"),
    Setting("max_cost", values.money, "stop at this cost of the whole screening, over all its runs", "USD"),
    Setting("max_tokens", values.count, "stop at this many tokens of the whole screening (500k, 2M)", "N"),
    Setting(
        "price",
        values.text,
        "US dollars for a million tokens of input and output, where the price is not known or another",
        "IN,OUT",
    ),
    Setting("rpm", values.count, "requests a minute, at most", "N"),
    Setting("tpm", values.count, "tokens a minute, at most", "N"),
    Setting("max_attempts", values.whole(1, 100), "attempts per context and run", "N", 3),
    Setting(
        "timeout",
        values.seconds(0.1, 86_400),
        "total time for one attempt; by default 300 s, for deepseek 660 s",
        "TIME",
    ),
    Setting("grace", values.seconds(0, 86_400), "how long a stopped run keeps what is in flight", "TIME", 20.0),
    Setting(
        "include_classified",
        values.switch,
        "also take citations that another program marked as classified",
        default=False,
    ),
    Setting("partition", values.partition, "work on part I of N only; each part has its own journal", "I/N", WHOLE),
    Setting(
        "new_journal",
        values.switch,
        "go on without the unfinished journal of this screening; what it holds may be paid again",
        default=False,
        consent=True,
        in_file=False,
    ),
    Setting("yes", values.switch, "do not ask before calls leave this machine", default=False),
    Setting(
        "metrics",
        listen_address,
        "serve the run's numbers for Prometheus, as http://HOST:PORT/metrics; a port alone is on this machine only",
        "HOST:PORT",
    ),
    Setting(
        "otel",
        values.switch,
        "tell each call to an OpenTelemetry collector, which the OTEL_* variables name (http://localhost:4318)",
        default=False,
    ),
    Setting("web", values.switch, "show the run in a browser; the address is printed when it begins", default=False),
    Setting(
        "web_address",
        listen_address,
        "where the pages are served; by default on this machine only, at port 8650 or a free one",
        "HOST:PORT",
    ),
    Setting(
        "web_token", values.text, "what the pages are asked with; made up where needed", secret=True, in_file=False
    ),
    Setting(
        "openai_api_key",
        values.text,
        "key for openai, to its --base-url too",
        variable="OPENAI_API_KEY",
        secret=True,
        in_file=False,
    ),
    Setting("openai_base_url", values.base_url, "base URL for openai", "URL", variable="OPENAI_BASE_URL"),
    Setting(
        "deepseek_api_key",
        values.text,
        "key for deepseek, sent nowhere else",
        variable="DEEPSEEK_API_KEY",
        secret=True,
        in_file=False,
    ),
    Setting("neo4j_uri", values.text, "the store that --store neo4j means", "URL", variable="NEO4J_URI", shy=True),
    Setting("neo4j_username", values.text, "user of the Neo4j server", "NAME", variable="NEO4J_USERNAME"),
    Setting("neo4j_password", values.text, "its password", variable="NEO4J_PASSWORD", secret=True, in_file=False),
    Setting("neo4j_database", values.text, "database, where the URL names none", "NAME", variable="NEO4J_DATABASE"),
    Setting(
        "graph",
        graph_names,
        "what a Neo4j graph calls its parts: a table [graph] in the file, or article=Paper,cites=CITES,...",
        "FIELD=NAME,...",
        GraphNames(),
        variable=f"{PREFIX}GRAPH",
    ),
    Setting(
        "https_proxy",
        values.text,
        "proxy for calls that leave this machine",
        variable="HTTPS_PROXY",
        secret=True,
        in_file=False,
    ),
    Setting("no_proxy", values.text, "hosts that are reached without it", variable="NO_PROXY", in_file=False),
    Setting("ssl_cert_file", values.file, "certificates to trust", variable="SSL_CERT_FILE", in_file=False),
)
"""All of them, in the order in which ``citefidelity config`` shows them."""
