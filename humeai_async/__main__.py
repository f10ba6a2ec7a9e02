"""`python -m humeai_async` is the command line."""

from humeai_async.cli.main import main

if __name__ == "__main__":
    main()
