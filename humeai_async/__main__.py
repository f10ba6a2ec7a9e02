"""`python -m humeai_async` is the command line."""

from humeai_async.cli import main

main()
