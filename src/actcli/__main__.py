"""`python -m actcli`."""

from actcli.cli import run

if __name__ == "__main__":
    run()
