"""A counting, misbehaving provider: an HTTP server on this machine that answers as scripted and keeps book.

In a test::

    async with ScriptedProvider(script=["reset@3", "rate_limited_seconds@every:10"]) as provider:
        model = ChatModel(provider.base_url, "scripted")
        ...
        assert provider.stats().duplicates == 0

As a process of its own, ``python -m citefidelity.testing.provider --help``: it prints one line of JSON with its
``base_url``, answers ``GET /stats``, and ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import msgspec

from citefidelity.errors import UsageError
from citefidelity.testing.acts import Act, Ending, Said, pieces
from citefidelity.testing.answers import Choices, choices_in
from citefidelity.testing.faults import ACTS, rate_limited
from citefidelity.testing.hits import Book, Hit, Stats
from citefidelity.testing.limiter import Limiter
from citefidelity.testing.script import HELP, Script, parse_script, share_of
from citefidelity.testing.wire import Connection, Request

MOST_SCHEMAS = 64


class Message(msgspec.Struct):
    """One message of a chat."""

    role: str
    content: str


class Asked(msgspec.Struct):
    """What matters of a request for a chat completion."""

    model: str
    messages: list[Message]
    response_format: msgspec.Raw = msgspec.Raw(b"null")


class ScriptedProvider:
    """An OpenAI-compatible server under a script.

    Args:
        script: rules (see :mod:`citefidelity.testing.script`), or a function from a hit to an act.
        latency: seconds, from and to; where in between follows from the prompt and ``seed``.
        in_flight: requests allowed in flight; more get 429.
        per_window: requests allowed within ``window`` seconds; more get 429.
        tell_when: whether such a 429 carries ``Retry-After``.
        api_key: the key that is wanted; None takes any, or none.
        balance: what it says is left on the account, in US dollars.
        log: a file that gets one line of JSON for each request, without keys.
        tls: serves https with these certificates.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a provider may do
        self,
        script: Script | Sequence[str] = (),
        *,
        latency: tuple[float, float] = (0.0, 0.0),
        seed: int = 0,
        in_flight: int | None = None,
        per_window: int | None = None,
        window: float = 60.0,
        tell_when: bool = True,
        api_key: str | None = None,
        balance: float = 9.5,
        log: Path | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._script = script if callable(script) else parse_script(script)
        self._latency = latency
        self._seed = seed
        self._limiter = Limiter(time.monotonic, in_flight, per_window, window)
        self._tell_when = tell_when
        self._api_key = api_key
        self._balance = balance
        self._log_path = log
        self._log: TextIO | None = None
        self._tls = tls
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._choices: dict[bytes, Choices] = {}
        self._decoder = msgspec.json.Decoder(Asked)
        self.book = Book(time.monotonic)

    @property
    def base_url(self) -> str:
        """Where it listens, as ``--base-url`` takes it."""
        assert self._server is not None, "it is not listening"  # noqa: S101 - misuse in a test
        port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self._tls else 'http'}://{self._host}:{port}/v1"

    @property
    def hits(self) -> Sequence[Hit]:
        """The last requests, oldest first."""
        return self.book.recent

    def stats(self) -> Stats:
        """What has happened so far."""
        return self.book.stats()

    async def __aenter__(self) -> Self:
        """Listen."""
        if self._log_path is not None:
            # One line, one write: what is in the file when this process is killed is whole.
            self._log = self._log_path.open("a", encoding="utf-8", buffering=1)
            self.book = Book(time.monotonic, self._log)
        self._server = await asyncio.get_running_loop().create_server(
            self._connection, self._host, self._port, ssl=self._tls, backlog=4_096
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop all connections and listen no more."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.drop()
            await self._server.wait_closed()
        if self._log is not None:
            self._log.close()

    def _connection(self) -> Connection:
        connection = Connection(self._handle, self._connections.discard)
        self._connections.add(connection)
        return connection

    def _handle(self, request: Request, connection: Connection) -> None:
        path = request.path.partition("?")[0]
        if path.endswith("/chat/completions") and request.method == "POST":
            self._chat(request, connection)
        elif path == "/stats":
            _answer(connection, self.stats())
        elif not self._takes(request.headers.get("authorization", "")):
            _answer(connection, {"error": {"message": "Incorrect API key provided."}}, status="401 Unauthorized")
        elif path.endswith("/models"):
            _answer(connection, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})
        elif path.endswith("/user/balance"):
            left = {"currency": "USD", "total_balance": f"{self._balance:.2f}"}
            _answer(connection, {"is_available": self._balance > 0, "balance_infos": [left]})
        else:
            _answer(connection, {"error": {"message": f"nothing at {path}"}}, status="404 Not Found")

    def _chat(self, request: Request, connection: Connection) -> None:
        try:
            asked = self._decoder.decode(request.body)
            fixed, variable = asked.messages[0].content, asked.messages[-1].content
        except (msgspec.DecodeError, IndexError):
            _answer(connection, {"error": {"message": "no chat"}}, status="400 Bad Request")
            return
        choices = self._choices_for(bytes(asked.response_format))
        hit = Hit(fixed=fixed, variable=variable, model=asked.model, choices=choices, arrived=time.monotonic())
        hit.headers, hit.request = request.headers, request.body
        hit.authorization = request.headers.get("authorization", "")
        self.book.arrive(hit)
        refusal = self._refusal(hit)
        act = refusal or self._script(hit)
        hit.act = act.name
        said = act.say(hit)
        if said.billed is not None:
            self.book.bill(hit, said.billed)
        connection.gone = partial(self.book.end, hit, answered=False)
        connection.after(0.0 if refusal else self._delay(hit), partial(_perform, self.book, act, hit, said, connection))

    def _refusal(self, hit: Hit) -> Act | None:
        if not self._takes(hit.authorization):
            return ACTS["key_rejected"]
        wait = self._limiter.wait(self.book.in_flight)
        return None if wait is None else rate_limited(wait if self._tell_when else None)

    def _takes(self, authorization: str) -> bool:
        return self._api_key is None or authorization == f"Bearer {self._api_key}"

    def _delay(self, hit: Hit) -> float:
        low, high = self._latency
        return low if low == high else low + (high - low) * share_of(hit, f"latency {self._seed}")

    def _choices_for(self, response_format: bytes) -> Choices:
        known = self._choices.get(response_format)
        if known is None:
            if len(self._choices) >= MOST_SCHEMAS:
                self._choices.clear()
            asked = msgspec.json.decode(response_format)
            wrapped = asked.get("json_schema") if isinstance(asked, dict) else None
            known = choices_in(wrapped.get("schema") if isinstance(wrapped, dict) else None)
            self._choices[response_format] = known
        return known


def _perform(book: Book, act: Act, hit: Hit, said: Said, connection: Connection) -> None:
    parts, ending = pieces(act, hit, said.body)
    _send(parts, 0, act.pause, connection, partial(_finish, book, act, hit, connection, ending))


def _send(parts: list[bytes], start: int, pause: float, connection: Connection, finish: Callable[[], None]) -> None:
    if start < len(parts):
        connection.send(parts[start])
    if start + 1 < len(parts):
        connection.after(pause, partial(_send, parts, start + 1, pause, connection, finish))
    else:
        finish()


def _finish(book: Book, act: Act, hit: Hit, connection: Connection, ending: Ending) -> None:
    if ending != "silence":
        # A silent one stays in flight until the client has had enough.
        book.end(hit, answered=act.whole, good=act.good)
        connection.finish(ending)


def _answer(connection: Connection, value: object, status: str = "200 OK") -> None:
    body = msgspec.json.encode(value)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    connection.send(head.encode() + body)
    connection.finish("keep")


def _latency(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    return float(low), float(high or low)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m citefidelity.testing.provider", description=HELP, epilog=f"Acts: {', '.join(ACTS)}."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=_latency, default=(0.0, 0.0), metavar="FROM:TO", help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], metavar="RULE", help="may be repeated")
    parser.add_argument("--in-flight", type=int, help="more get 429")
    parser.add_argument("--per-window", type=int, help="requests within --window seconds; more get 429")
    parser.add_argument("--window", type=float, default=60.0)
    parser.add_argument("--silent-limit", action="store_true", help="429 without Retry-After")
    parser.add_argument("--api-key-env", metavar="NAME", help="the variable that holds the key which is wanted")
    parser.add_argument("--log", type=Path, metavar="FILE", help="one line of JSON for each request")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input is closed")
    arguments = parser.parse_args()
    try:
        parse_script(arguments.fault)
    except UsageError as err:
        parser.error(err.message)
    return arguments


def _until_closed(stdin: int, stop: asyncio.Event) -> None:
    if not os.read(stdin, 4_096):
        stop.set()


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if arguments.with_parent:
        loop.add_reader(sys.stdin.fileno(), _until_closed, sys.stdin.fileno(), stop)
    provider = ScriptedProvider(
        arguments.fault,
        latency=arguments.latency,
        seed=arguments.seed,
        in_flight=arguments.in_flight,
        per_window=arguments.per_window,
        window=arguments.window,
        tell_when=not arguments.silent_limit,
        api_key=os.environ[arguments.api_key_env] if arguments.api_key_env else None,
        log=arguments.log,
        host=arguments.host,
        port=arguments.port,
    )
    async with provider:
        sys.stdout.write(f"{msgspec.json.encode({'base_url': provider.base_url, 'pid': os.getpid()}).decode()}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
