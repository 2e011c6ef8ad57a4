"""The web server: granian with the platform's options. Docker, demo, bench, chaos and tests all start this module.

`python -m config.web` takes further options of granian, such as --host and --port.
"""

import resource
import sys
from pathlib import Path
from typing import Final

import granian.cli

WORKERS: Final = 2
# Threads of a worker: many, because each may wait for the rest of a request. config/wsgi.py limits how many process
# requests.
THREADS: Final = 256
# Connections of a worker, with or without a request: beyond them, it accepts none. By default these are only 512.
CONNECTIONS: Final = 8192
# File descriptors of a worker for everything else.
OTHER_FILES: Final = 1024
# Milliseconds for the headers of a request, from the connection or the answer before: then silent and idle connections
# are closed. Only with --http=1: granian keeps a silent connection for ever while it might become one of HTTP/2.
HEADERS_WITHIN: Final = 10_000

LOG_CONFIG: Final = Path(__file__).with_name("granian.json")

OPTIONS: Final = (
    "--interface=wsgi",
    "--http=1",
    "--no-ws",
    f"--workers={WORKERS}",
    f"--blocking-threads={THREADS}",
    "--backlog=4096",
    f"--backpressure={CONNECTIONS}",
    f"--http1-header-read-timeout={HEADERS_WITHIN}",
    f"--log-config={LOG_CONFIG}",
)


def main() -> None:
    """Run granian until it is stopped."""
    _allow_files(CONNECTIONS + OTHER_FILES)
    sys.argv[1:] = [*OPTIONS, *sys.argv[1:], "config.wsgi:application"]
    granian.cli.entrypoint()  # type: ignore[no-untyped-call]


def _allow_files(number: int) -> None:
    """Raise the limit of open files, which the workers inherit, to this number if the system permits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    permitted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, permitted), hard))


if __name__ == "__main__":
    main()
