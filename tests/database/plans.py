"""What PostgreSQL does for each statement that the code under test sends, measured as it is sent."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
EXPLAINABLE = ("SELECT", "UPDATE", "DELETE", "INSERT")

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Explained:
    """A statement, and its plan with what happened when it ran."""

    sql: str
    plan: Node

    @property
    def nodes(self) -> list[Node]:
        return list(_tree(self.plan))

    @property
    def indexes(self) -> set[str]:
        """The indexes that it used."""
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    @property
    def table(self) -> str:
        """The table that it changes, or the first that it reads."""
        return next((str(node["Relation Name"]) for node in self.nodes if "Relation Name" in node), "")

    @property
    def buffers(self) -> int:
        """Pages of 8 KB that it looked at."""
        return int(self.plan["Shared Hit Blocks"] + self.plan["Shared Read Blocks"])

    def rows(self, table: str) -> int:
        """Rows of the table that it looked at, those that a filter then removed included."""
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
    """Runs each statement twice: first explained, in a savepoint that is rolled back, then as it is."""
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
