"""``python -m citefidelity`` is the command ``citefidelity``."""

import sys

from citefidelity.cli import main

if __name__ == "__main__":
    sys.exit(main())
