"""Judge citations with a language model: nothing lost, nothing paid twice, nothing made up.

From Python, a notebook's event loop included::

    import citefidelity

    await citefidelity.import_files("citations.jsonl", store="sqlite:///my.db")
    report = await citefidelity.run(store="sqlite:///my.db", base_url="http://localhost:8000/v1", model="qwen3")
    audit = await citefidelity.verify(store="sqlite:///my.db")
    async for record in citefidelity.results(store="sqlite:///my.db"):
        ...
"""

from typing import TYPE_CHECKING

from citefidelity.errors import CitefidelityError

if TYPE_CHECKING:
    from citefidelity.api import import_files, results, run, verify

__all__ = ["CitefidelityError", "import_files", "results", "run", "verify"]


def __dir__() -> list[str]:
    """What a prompt offers after the dot: the public names, loaded or not."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    """The functions are loaded when they are first used: the command line starts without them."""
    if name in __all__:
        from citefidelity import api  # noqa: PLC0415 - as said

        return getattr(api, name)
    raise AttributeError(f"module 'citefidelity' has no attribute {name!r}")
