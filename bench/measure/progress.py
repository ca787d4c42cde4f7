"""Where a run of some minutes stands, on stderr; stdout has the table alone."""

import sys


def tell(words):
    print("bench: " + words, file=sys.stderr, flush=True)
