"""Several requests in flight: connections are reused, and slow servers do not delay the others."""

import socket
import threading

from mms.runtime.http_client import NoReply, Purpose, Reply, Request
from mms.runtime.in_flight import SLOW, InFlight
from tests.api.in_flight_requests import OK, SMALL, answering, read_request, send
from tests.api.sockets import Handler, tcp_server


def keep_alive(answers: int, ended: threading.Event) -> Handler:
    """Return a handler that answers this many requests on a connection, then closes it unannounced."""

    def serve(connection: socket.socket) -> None:
        for _ in range(answers):
            if not read_request(connection).strip():
                return
            connection.sendall(OK)
        connection.close()
        ended.set()

    return serve


def test_connection_is_reused_for_the_next_request(in_flight: InFlight[str]) -> None:
    with tcp_server(keep_alive(3, threading.Event())) as server:
        assert all(isinstance(send(in_flight, server.url), Reply) for _ in range(3))
        assert server.connections == 1


def test_closed_idle_connection_is_replaced(in_flight: InFlight[str]) -> None:
    ended = threading.Event()
    with tcp_server(keep_alive(1, ended)) as server:
        for round_number in range(1, 6):
            assert isinstance(send(in_flight, server.url), Reply)
            assert ended.wait(timeout=10)
            ended.clear()
            assert server.connections == round_number


def test_replies_are_returned_as_they_arrive(in_flight: InFlight[str]) -> None:
    release = threading.Event()

    def slow(connection: socket.socket) -> None:
        read_request(connection)
        release.wait(timeout=30)
        connection.sendall(OK)

    with tcp_server(slow) as slow_server, tcp_server(answering(OK)) as quick_server:
        in_flight.launch("slow", Request(slow_server.url, SMALL, {}, 20.0))
        in_flight.launch("quick", Request(quick_server.url, SMALL, {}, 20.0))
        assert (in_flight.room, sorted(in_flight.keys)) == (8, ["quick", "slow"])
        assert [key for key, _ in in_flight.completed(wait=10)] == ["quick"]
        assert in_flight.completed(wait=0) == []
        release.set()
        [(key, result)] = in_flight.completed(wait=10)
        assert (key, isinstance(result, Reply), in_flight.room) == ("slow", True, 10)
    assert in_flight.completed(wait=10) == []


def test_exit_abandons_in_flight_requests() -> None:
    finished = threading.Event()

    def silent(connection: socket.socket) -> None:
        read_request(connection)
        finished.wait(timeout=30)

    with tcp_server(silent) as server:
        with InFlight[str](1, Purpose.POSTBACK) as in_flight:
            in_flight.launch("one", Request(server.url, SMALL, {}, 20.0))
            assert in_flight.completed(wait=0.1) == []
        finished.set()


def test_slow_servers_do_not_delay_other_replies(in_flight: InFlight[str]) -> None:
    answer = threading.Event()

    def hang(connection: socket.socket) -> None:
        read_request(connection)
        answer.wait(timeout=10)
        connection.sendall(OK)

    def launch(*servers: str, timeout: float = 20.0) -> None:
        for key in servers:
            in_flight.launch(key, Request(urls[key], SMALL, {}, timeout))

    with tcp_server(hang) as hanging, tcp_server(answering(OK)) as prompt:
        urls = {"hanging": hanging.url, "prompt": prompt.url}
        launch("prompt")
        assert in_flight.expected == 0  # the server has no history yet
        assert [key for key, _ in in_flight.completed(wait=10)] == ["prompt"]
        launch("hanging", timeout=SLOW + 0.05)
        launch("prompt")
        assert in_flight.expected == 1
        assert [key for key, _ in in_flight.completed(wait=10, gather=10)] == ["prompt"]
        [(_, silence)] = in_flight.completed(wait=10)
        assert isinstance(silence, NoReply)
        launch("hanging", "prompt")
        assert in_flight.expected == 1
        assert [key for key, _ in in_flight.completed(wait=10, gather=10)] == ["prompt"]
        answer.set()
        assert [key for key, _ in in_flight.completed(wait=10)] == ["hanging"]
