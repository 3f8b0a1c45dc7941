"""The child process that holds the local model: ``python local_server.py WEIGHTS SLOTS CONTEXT_TOKENS``.

A script that stands alone, so that it starts without loading the rest of the package. It serves on a free port of
127.0.0.1, says ``listening URL`` on standard output, and lives as long as its standard input stays open.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

MODEL_NAME = "smollm2-135m-instruct-q4_1"
ANNOUNCEMENT = "listening "
PR_SET_PDEATHSIG = 1


def die_with_parent() -> threading.Thread:
    """End this process as soon as its parent is gone, however that died; the thread that watches."""

    def watch() -> None:
        while os.read(0, 1024):  # sys.stdin has a lock that this thread would hold when the interpreter ends
            pass
        os._exit(0)  # destructors would first wait for the answers under way

    if sys.platform == "linux":
        # A sibling forked by the parent may hold the other end of our standard input open beyond the parent's death.
        import ctypes  # noqa: PLC0415 - this system only

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    watcher = threading.Thread(target=watch, name="parent-watch", daemon=True)
    watcher.start()
    return watcher


def serve(weights: str, slots: int, context_tokens: int) -> Any:
    """The server, listening; it stops when it is let go of."""
    import xllamacpp  # noqa: PLC0415 - the parent imports this module for its names alone

    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.model_alias = {MODEL_NAME}
    params.n_parallel = slots
    params.n_ctx = slots * context_tokens
    params.ui = False
    params.endpoint_slots = False  # it would show the papers being judged to any page in a browser
    params.cors_origins = "http://127.0.0.1"
    params.cache_ram_mib = 0  # each slot keeps its own last prompt; this one would grow to 8 GiB
    params.warmup = False
    params.sampling.temp = 0.0  # unless a request says otherwise: the same question, the same answer
    params.verbosity = 1
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until the parent is gone."""
    watcher = die_with_parent()
    weights, slots, context_tokens = sys.argv[1:]
    try:
        server = serve(weights, int(slots), int(context_tokens))
    except RuntimeError as err:
        sys.exit(str(err))  # the engine has said more on standard error
    print(f"{ANNOUNCEMENT}{server.listening_address}/v1", flush=True)  # noqa: T201 - the parent reads it
    watcher.join()


if __name__ == "__main__":
    main()
