"""``make bench``: the bulk benchmark."""

from bench.bulk import main

main()
