"""Query plans of the statements that the code under test executes, measured by EXPLAIN ANALYZE or auto_explain."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg.errors import Diagnostic

EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
AUTO_EXPLAIN = {
    "log_analyze": "on",
    "log_buffers": "on",
    "log_timing": "off",
    "log_format": "json",
    "log_level": "notice",
    "log_min_duration": "0",
}
EXPLAINABLE = ("SELECT", "WITH", "UPDATE", "DELETE", "INSERT")

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Explained:
    """A statement and its plan, with the measured rows and buffers."""

    sql: str
    plan: Node

    @property
    def nodes(self) -> list[Node]:
        return list(_tree(self.plan))

    @property
    def indexes(self) -> set[str]:
        """The names of the indexes used."""
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    @property
    def table(self) -> str:
        """The table that the statement changes, or the first that it reads."""
        return next((str(node["Relation Name"]) for node in self.nodes if "Relation Name" in node), "")

    @property
    def buffers(self) -> int:
        """The number of pages (8 KB) read."""
        return int(self.plan["Shared Hit Blocks"] + self.plan["Shared Read Blocks"])

    def rows(self, table: str) -> int:
        """Return the number of rows read from the table, including those that a filter removed."""
        scans = [node for node in self.nodes if "Scan" in node["Node Type"]]
        return sum(_rows(scan) for scan in scans if scan.get("Relation Name") == table)


def _tree(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", ()):
        yield from _tree(child)


def _rows(node: Node) -> int:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])


@contextmanager
def explained() -> Iterator[list[Explained]]:
    """Collect the plans of all statements in the context.

    Each statement runs twice: under EXPLAIN ANALYZE in a savepoint that is rolled back, then as it is.
    """
    found: list[Explained] = []

    def explain(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(EXPLAINABLE):
            found.append(Explained(sql, _plan(sql, params)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found


def _plan(sql: str, params: Any) -> Node:
    server = connection.connection
    with server.transaction(force_rollback=True):
        ((document,),) = server.execute(EXPLAIN + sql, params)
    plan: Node = document[0]["Plan"]
    return plan


@contextmanager
def executed() -> Iterator[list[Explained]]:
    """Collect the plans of all statements in the context as PostgreSQL executes them, a prepared one's cached plan too.

    PostgreSQL's auto_explain sends them; loading it needs a superuser.
    """
    found: list[Explained] = []

    def collect(notice: Diagnostic) -> None:
        _, is_plan, document = (notice.message_primary or "").partition("plan:\n")
        if is_plan:
            plan = json.loads(document)
            found.append(Explained(plan["Query Text"], plan["Plan"]))

    with connection.cursor() as cursor:
        cursor.execute("LOAD 'auto_explain'")
        for name, value in AUTO_EXPLAIN.items():
            cursor.execute(f"SET auto_explain.{name} = {value}")
        server = connection.connection
        server.add_notice_handler(collect)
        try:
            yield found
        finally:
            cursor.execute("SET auto_explain.log_min_duration = -1")
            server.remove_notice_handler(collect)
