"""`python -m denyproxy`."""

from denyproxy.cli import main

main()
