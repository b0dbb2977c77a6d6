"""``python -m nstjax`` is the ``nstjax`` command."""

import sys

from nstjax.cli.main import main

# Reading processes import this module anew, under another name.
if __name__ == "__main__":
    sys.exit(main())
