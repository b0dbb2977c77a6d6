"""``python -m nstjax`` is the ``nstjax`` command."""

import sys

from nstjax.cli.main import main

sys.exit(main())
