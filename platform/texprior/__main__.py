"""``python -m texprior``: the command line."""

import sys

from texprior.cli import main

sys.exit(main())
