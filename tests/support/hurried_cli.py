"""The program in a process of its own, but in a hurry: claims on a graph live 3 s, and transactions may take 2.

Usage: python -m support.hurried_cli COMMAND ...
"""

from __future__ import annotations

import sys
from functools import partial

from citefidelity.cli import main
from citefidelity.stores import neo4j, neo4j_claim
from citefidelity.stores.neo4j_graph import Limits

FASTER = 10
"""So many times as fast as usual."""


def hurry() -> None:
    """For the whole process, before anything is opened."""
    neo4j_claim.LIFE_S /= FASTER
    neo4j_claim.RENEW_EVERY_S /= FASTER
    neo4j_claim.SURE_S /= FASTER
    limits = Limits(transaction_s=2.0, margin_s=1.0)
    neo4j.open_neo4j = partial(neo4j.open_neo4j, limits=limits)


if __name__ == "__main__":
    hurry()
    sys.exit(main())
