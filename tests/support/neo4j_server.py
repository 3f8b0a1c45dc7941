"""A real Neo4j server on this machine, as an ordinary process: to be tested against, killed, stopped and restarted.

``python -m support.neo4j_server`` runs one in the foreground, for trying things out (``make neo4j``).
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import neo4j
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from support.neo4j_jars import LONG_TERM, Neo4jRuntime, NoServer, neo4j_runtime

USER = "neo4j"
READY_WITHIN_S = 90.0
LOOK_AGAIN_S = 0.1
STOPS_WITHIN_S = 30.0
ENDED_BY = (signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG = 1
OPENED_PACKAGES = ("java.nio", "java.io", "sun.nio.ch")
SETTINGS = (
    "server.default_listen_address=127.0.0.1",
    "server.http.enabled=false",
    "server.https.enabled=false",
    "server.memory.pagecache.size=96m",
    "dbms.usage_report.enabled=false",
    "db.tx_log.preallocate=false",
)


class Neo4jServer:
    """One server with a directory, a port and a password of its own.

    Args:
        runtime: what to start.
        home: an empty directory, or one that a server has used before.
        heap: the JVM's, as ``512m``.
        quick: start fast rather than run fast: for tests, not for measuring.
        port: of the Bolt protocol; a free one unless told.
    """

    def __init__(
        self, runtime: Neo4jRuntime, home: Path, *, heap: str = "512m", quick: bool = True, port: int = 0
    ) -> None:
        self._runtime = runtime
        self._heap = heap
        self._quick = quick
        self._process: subprocess.Popen[bytes] | None = None
        self.home = home
        self.port = port or _free_port()
        self.uri = f"bolt://127.0.0.1:{self.port}"
        self.password = secrets.token_urlsafe(16)
        self._password_is_set = False
        self._extra: tuple[str, ...] = ()

    def start(self, extra: Sequence[str] = ()) -> None:
        """Start, with these further lines of configuration, and wait until it answers over Bolt."""
        self.launch(extra)
        self.await_answer()

    def launch(self, extra: Sequence[str] = ()) -> None:
        """Start without waiting. To be called in the main thread: the server dies with the thread that started it."""
        self._extra = tuple(extra)
        self._configure(extra)
        with (self.home / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - safe: it makes one system call
            )

    def await_answer(self) -> None:
        """Wait until it answers.

        Raises:
            NoServer: it ended, or did not answer in time; with what it said.
        """
        until = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self._running().poll() is not None or time.monotonic() > until:
                self.kill()
                raise NoServer(f"Neo4j did not start: {(self.home / 'console.log').read_text()[-1500:]}")
            time.sleep(LOOK_AGAIN_S)

    def ensure(self, extra: Sequence[str] = (), *, cleanly: bool = False) -> None:
        """Have it running with just these further lines of configuration, whatever was done to it before.

        ``cleanly``: end it in peace before, which takes it some ten seconds. A read-only one cannot recover.
        """
        if self.is_running and tuple(extra) == self._extra:
            self.resume()
            return
        if cleanly:
            self.stop()
        self.kill()
        self.start(extra)

    def stop(self) -> None:
        """End it cleanly; safe when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it in its tracks: connections stay open and nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._running().send_signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was never started"
        return self._process

    def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(how)
        try:
            self._process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _configure(self, extra: Sequence[str]) -> None:
        (self.home / "conf").mkdir(parents=True, exist_ok=True)
        address = f"127.0.0.1:{self.port}"
        lines = [
            *SETTINGS,
            f"server.bolt.listen_address={address}",
            f"server.bolt.advertised_address={address}",
            *extra,
        ]
        (self.home / "conf" / "neo4j.conf").write_text("\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        speed = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"] if self._quick else ["-XX:+UseG1GC"]
        opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES]
        quiet = ["-Dio.netty.tryReflectionSetAccessible=true", "-Dlog4j2.disable.jmx=true"]
        where = [f"--home-dir={self.home}", f"--config-dir={self.home / 'conf'}", "--console-mode"]
        jars = ["-cp", f"{self._runtime.jars}/*", self._runtime.main]
        return [str(self._runtime.java), "-Xms256m", f"-Xmx{self._heap}", *speed, *opened, *quiet, *jars, *where]

    def _answers(self) -> bool:
        """Whether it speaks Bolt to our user; the first time, the password that every new server has is changed."""
        password = self.password if self._password_is_set else USER
        try:
            with neo4j.GraphDatabase.driver(
                self.uri, auth=(USER, password), connection_timeout=2, max_transaction_retry_time=0
            ) as driver:
                if not self._password_is_set:
                    change = "ALTER CURRENT USER SET PASSWORD FROM $old TO $new"
                    driver.execute_query(change, old=USER, new=self.password, database_="system")
                    self._password_is_set = True
                    return False
                driver.execute_query("RETURN 1", database_="neo4j")
                return True
        except AuthError:
            raise
        except (Neo4jError, DriverError):
            return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _die_with_parent() -> None:
    """A test run that is killed leaves no server behind (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Run a server in the foreground until Ctrl-C, in a directory that is thrown away."""
    port = int(os.environ.get("NEO4J_PORT", "7687"))
    with tempfile.TemporaryDirectory(prefix="neo4j-") as home:
        runtime = neo4j_runtime(os.environ.get("NEO4J_VERSION", LONG_TERM))
        server = Neo4jServer(runtime, Path(home), heap="1g", quick=False, port=port)
        server.start()
        sys.stdout.write(
            "Neo4j is ready. In another terminal:\n\n"
            f"  export NEO4J_URI={server.uri} NEO4J_USERNAME={USER} NEO4J_PASSWORD={server.password}\n"
            "  citefidelity import FILE --store neo4j\n\n"
            "Ctrl-C ends it; what it holds is thrown away.\n"
        )
        sys.stdout.flush()
        # Only now: the server would inherit it, and could not be ended.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDED_BY)
        signal.sigwait(ENDED_BY)
        server.stop()


if __name__ == "__main__":
    main()
