"""The simulator as a separate process, independent of the platform."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "platform"), "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_process_serves_until_it_is_terminated() -> None:
    port = free_port()
    command = [sys.executable, "-m", "simulator", "--port", str(port), "--report-url", "http://127.0.0.1:1/"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/log", timeout=5) as answer:
            assert json.load(answer) == []
        process.terminate()
        assert process.wait(timeout=10) == 0


def test_simulator_does_not_import_the_platform() -> None:
    code = "import sys, simulator.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "simulator" in loaded
    assert {"mms", "handsets", "billing", "config", "django", "celery"}.isdisjoint(loaded)
