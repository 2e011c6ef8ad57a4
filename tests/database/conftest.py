"""The fixtures that send messages, shared with tests/flow."""

from tests.flow.conftest import run_workers, send, send_report

__all__ = ["run_workers", "send", "send_report"]
