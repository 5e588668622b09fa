"""`python -m actcli`."""

import sys

from actcli.cli import main

if __name__ == "__main__":
    sys.exit(main())
