"""`python -m simulator`: serve on the loopback interface until stopped."""

import argparse
from pathlib import Path

import aiohttp
from aiohttp import web

from simulator.app import Settings, make_app


def main() -> None:
    options = _parser().parse_args()
    expected = aiohttp.encode_basic_auth(options.mm7_user, options.mm7_password) if options.mm7_user else None
    settings = Settings(options.report_url, expected, options.log, options.pictures, options.pause)
    # Requests that hang by design would hold up the end; nothing else takes a second.
    web.run_app(make_app(settings), host=options.host, port=options.port, shutdown_timeout=1, access_log=None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="A stand-in MMSC, handsets and customer.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--report-url", required=True, help="where delivery reports go; may hold user:password@")
    parser.add_argument("--mm7-user", default="", help="ask for HTTP basic authentication on /mm7")
    parser.add_argument("--mm7-password", default="")
    parser.add_argument("--log", type=Path, help="append every log entry to this file, one JSON document a line")
    parser.add_argument("--pictures", type=Path, help="serve the files of this folder under /pictures/")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before MMSC and customer take up a request")
    return parser


if __name__ == "__main__":
    main()
