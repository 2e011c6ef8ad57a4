"""Command line `python -m simulator`: serve on the loopback interface until stopped."""

import argparse
from pathlib import Path

import aiohttp
from aiohttp import web

from simulator.app import Settings, create_app


def main() -> None:
    """Parse the options and run the server."""
    options = _parser().parse_args()
    expected = aiohttp.encode_basic_auth(options.mm7_user, options.mm7_password) if options.mm7_user else None
    settings = Settings(options.report_url, expected, options.log, options.pictures, options.delay)
    # Simulated hanging requests would delay the shutdown; all other requests finish within a second.
    web.run_app(create_app(settings), host=options.host, port=options.port, shutdown_timeout=1, access_log=None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator", description="Simulated MMSC, handsets and customer server."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--report-url", required=True, help="URL for delivery reports; may contain user:password@")
    parser.add_argument("--mm7-user", default="", help="require HTTP basic authentication on /mm7")
    parser.add_argument("--mm7-password", default="")
    parser.add_argument("--log", type=Path, help="append log entries to this file, one JSON document per line")
    parser.add_argument("--pictures", type=Path, help="serve the files of this directory under /pictures/")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before MMSC and customer handle a request")
    return parser


if __name__ == "__main__":
    main()
