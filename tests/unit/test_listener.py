"""Where the pages listen, and what they are asked with."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from citefidelity.config.listening import ListenAddress
from citefidelity.errors import UsageError
from citefidelity.web import listener as listening
from citefidelity.web.listener import Listener

ANYWHERE = ListenAddress("0.0.0.0", 0)  # noqa: S104 - a port that nobody knows, for this test only
HERE = ListenAddress("127.0.0.1", 0)


def test_this_machine_needs_no_token() -> None:
    """On loopback the address alone opens the pages."""
    listener = Listener(HERE, None)
    with closing(listener.socket):
        serving = listener.serving()
        assert (listener.token, serving.token_needed) == (None, False)
        assert serving.url == f"http://127.0.0.1:{listener.socket.getsockname()[1]}/"


def test_others_need_a_token_that_cannot_be_guessed() -> None:
    """Where others can ask, a token is made up anew each time, and stands in the address that is printed."""
    first, second = Listener(ANYWHERE, None), Listener(ANYWHERE, None)
    with closing(first.socket), closing(second.socket):
        assert first.token is not None
        assert len(first.token) >= 32
        assert first.token != second.token
        assert first.serving().url.endswith(f"/?token={first.token}")
        assert "0.0.0.0" not in first.serving().url  # noqa: S104 - no browser opens it


def test_a_token_that_was_given_is_not_repeated() -> None:
    """It counts on this machine, too, and stands in no address."""
    listener = Listener(HERE, "given-" + 16 * "x")
    with closing(listener.socket):
        assert listener.serving().token_needed
        assert "given" not in listener.serving().url


def test_a_short_token_is_refused() -> None:
    """What could be guessed is no token."""
    with pytest.raises(UsageError, match="fewer than 16"):
        Listener(HERE, 15 * "x")


def test_a_usual_port_that_is_taken_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wish there are always pages, at the usual port or at a free one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(listening, "DEFAULT", ListenAddress("127.0.0.1", port))
        listener = Listener(None, None)
        with closing(listener.socket):
            assert listener.serving().port not in {0, port}
        with pytest.raises(UsageError, match=f"cannot be served at 127.0.0.1:{port}"):
            Listener(ListenAddress("127.0.0.1", port), None)


def test_the_names_it_may_be_called_by() -> None:
    """The name that was asked for and that of the machine are good names."""
    listener = Listener(HERE, None)
    with closing(listener.socket):
        assert {"127.0.0.1", socket.gethostname().lower()} <= listener.names
