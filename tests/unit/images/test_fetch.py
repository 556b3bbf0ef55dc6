"""The fetcher against real servers on 127.0.0.2 (allowed by the tests' policy) and 127.0.0.1 (never allowed)."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from sightline.errors import FetchRefused, ImageTooLarge, SourceFailed
from sightline.images.fetch import Address, Fetcher, is_global

BODY = b"\xff\xd8\xff picture"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
Handler = Callable[[socket.socket, bytes], None]


def only_127_0_0_2(address: Address) -> bool:
    return str(address) == "127.0.0.2"


def names(**table: list[str]) -> Callable[[str, int], list[str]]:
    """A resolver that knows the names given (dots written as underscores) and numeric addresses."""

    def resolve(name: str, port: int) -> list[str]:
        try:
            return [str(ipaddress.ip_address(name))]
        except ValueError:
            key = name.replace(".", "_")
            if key not in table:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
            return table[key]

    return resolve


FETCHER = Fetcher(
    timeout=5,
    max_bytes=100_000,
    is_allowed=only_127_0_0_2,
    resolver=names(
        pictures_example=["127.0.0.2"], inside_example=["10.0.0.8"], mixed_example=["127.0.0.2", "127.0.0.1"]
    ),
)


@contextmanager
def serving(handler: Handler, host: str = "127.0.0.2") -> Iterator[tuple[int, list[bytes]]]:
    """A server that reads one request a connection and hands it to `handler`; gives its port and the requests."""
    listener = socket.create_server((host, 0))
    seen: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        with closing(connection):
            try:
                request = connection.recv(65536)
                seen.append(request)
                handler(connection, request)
            except OSError:
                pass  # the client hung up, as it should in most of these tests

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], seen
    finally:
        # `close` alone does not wake a thread that waits in `accept`.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def always(answer: bytes) -> Handler:
    return lambda connection, request: connection.sendall(answer)


def redirect(location: str) -> Handler:
    return always(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())


def test_gets_the_body_and_keeps_the_name_in_the_host_header() -> None:
    with serving(always(OK)) as (port, seen):
        assert FETCHER.get(f"http://pictures.example:{port}/a%20b.jpg?w=1") == BODY
    assert seen[0].startswith(b"GET /a%20b.jpg?w=1 HTTP/1.1\r\n")
    assert f"Host: pictures.example:{port}\r\n".encode() in seen[0]


def test_tls_asks_for_the_name_not_the_address() -> None:
    with serving(lambda connection, request: None) as (port, seen), pytest.raises(SourceFailed):
        FETCHER.get(f"https://pictures.example:{port}/")
    assert seen[0][0] == 0x16, "a TLS handshake record"
    assert b"pictures.example" in seen[0], "the server name indication of the ClientHello"


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """DNS rebinding: a name that is public when asked first and loopback when asked again."""
    answers = [["127.0.0.2"], ["127.0.0.1"]]
    asked: list[str] = []

    def rebinding(name: str, port: int) -> list[str]:
        asked.append(name)
        return answers[len(asked) - 1]

    with serving(always(OK)) as (port, _):
        assert replace(FETCHER, resolver=rebinding).get(f"http://rebind.example:{port}/") == BODY
    assert asked == ["rebind.example"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://localhost.example:{port}/"])
def test_a_redirect_to_loopback_is_refused_and_never_connected(url: str) -> None:
    fetcher = replace(FETCHER, resolver=names(localhost_example=["127.0.0.1"]))
    with serving(always(OK), "127.0.0.1") as (inner, reached):
        with serving(redirect(url.format(port=inner))) as (port, seen), pytest.raises(FetchRefused, match="public"):
            fetcher.get(f"http://127.0.0.2:{port}/")
        assert len(seen) == 1
        assert reached == []


def test_redirects_are_followed_up_to_three() -> None:
    def hop(connection: socket.socket, request: bytes) -> None:
        left = int(request.split()[1].removeprefix(b"/"))
        (redirect(f"/{left - 1}") if left else always(OK))(connection, request)

    with serving(hop) as (port, _):
        assert FETCHER.get(f"http://127.0.0.2:{port}/3") == BODY
        with pytest.raises(FetchRefused, match="more than 3 redirects"):
            FETCHER.get(f"http://127.0.0.2:{port}/4")


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.2/", "http://u:p@127.0.0.2/", "http://[::1"])
def test_a_redirect_passes_the_same_checks(location: str) -> None:
    with serving(redirect(location)) as (port, _), pytest.raises(FetchRefused):
        FETCHER.get(f"http://127.0.0.2:{port}/")


@pytest.mark.parametrize(
    "host", ["inside.example", "mixed.example", "10.0.0.8", "127.0.0.1", "[::1]", "[::ffff:127.0.0.2]"]
)
def test_a_name_that_resolves_to_a_forbidden_address_is_refused(host: str) -> None:
    with pytest.raises(FetchRefused, match="public internet") as refused:
        FETCHER.get(f"http://{host}/")
    assert "10.0.0.8" not in str(refused.value).replace(host, ""), "what a name resolves to is not told"


def test_the_system_resolver_s_own_spellings_of_loopback_are_refused() -> None:
    for host in ("localhost", "127.1", "0x7f000001", "2130706433", "0"):
        with pytest.raises(FetchRefused, match="public internet"):
            Fetcher(timeout=5).get(f"http://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://pictures.example/a.jpg",
        "gopher://pictures.example/",
        "data:image/png;base64,AAAA",
        "//pictures.example/a.jpg",
        "pictures.example/a.jpg",
        "http://",
        "http:///a.jpg",
        "http://user:secret@pictures.example/",
        "http://user@pictures.example/",
        "http://pictures.example:22/",
        "http://pictures.example:70000/",
        "http://pictures.example/\r\nX: y",
        "",
    ],
)
def test_addresses_that_are_not_fetched(url: str) -> None:
    with pytest.raises(FetchRefused) as refused:
        FETCHER.get(url)
    assert "secret" not in str(refused.value)


def test_an_unknown_name_and_a_closed_port_are_the_source_s_failure() -> None:
    with pytest.raises(SourceFailed):
        FETCHER.get("http://nowhere.example/")
    with serving(always(OK)) as (port, _):
        pass
    with pytest.raises(SourceFailed):
        FETCHER.get(f"http://127.0.0.2:{port}/")


def test_the_next_address_is_tried_where_the_first_does_not_answer() -> None:
    fetcher = replace(
        FETCHER, is_allowed=lambda address: address.is_loopback, resolver=lambda name, port: ["127.0.0.3", "127.0.0.2"]
    )
    with serving(always(OK)) as (port, _):
        assert fetcher.get(f"http://two.example:{port}/") == BODY


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_anything_but_a_whole_200_is_the_source_s_failure(answer: bytes) -> None:
    with serving(always(answer)) as (port, _), pytest.raises(SourceFailed):
        FETCHER.get(f"http://127.0.0.2:{port}/")


def drip(start: bytes) -> Handler:
    def handler(connection: socket.socket, request: bytes) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    return handler


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: ", b""],
    ids=["body", "header", "status"],
)
@pytest.mark.timeout(20)
def test_a_server_that_drips_meets_the_deadline(start: bytes) -> None:
    # Every single read gets its byte in time: only a deadline over all of them ends this.
    with serving(drip(start)) as (port, _), pytest.raises(SourceFailed, match=r"within 0\.6 s"):
        replace(FETCHER, timeout=0.6).get(f"http://127.0.0.2:{port}/")


@pytest.mark.timeout(20)
def test_a_resolver_that_hangs_meets_the_deadline() -> None:
    def hanging(name: str, port: int) -> list[str]:
        time.sleep(60)
        return []

    with pytest.raises(SourceFailed, match=r"within 0\.3 s"):
        replace(FETCHER, timeout=0.3, resolver=hanging).get("http://pictures.example/")


def test_an_endless_body_meets_the_cap() -> None:
    def endless(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")

    with serving(endless) as (port, _), pytest.raises(ImageTooLarge, match="more than the 100,000"):
        FETCHER.get(f"http://127.0.0.2:{port}/")


def test_an_announced_size_past_the_cap_is_not_even_read() -> None:
    announcing = always(b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n")
    with serving(announcing) as (port, _), pytest.raises(ImageTooLarge, match="announces 100,001"):
        FETCHER.get(f"http://127.0.0.2:{port}/")


def test_a_body_of_exactly_the_cap_is_fetched() -> None:
    body = b"x" * FETCHER.max_bytes
    with serving(always(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)) as (port, _):
        assert FETCHER.get(f"http://127.0.0.2:{port}/") == body


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(always(OK), "127.0.0.1") as (proxy, reached), serving(always(OK)) as (port, _):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        assert FETCHER.get(f"http://127.0.0.2:{port}/") == BODY
    assert reached == []


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001::200e", "64:ff9b::8.8.8.8"]
)
def test_public_addresses(text: str) -> None:
    assert is_global(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "168.63.129.16", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
        "fe80::1%eth0", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_global(ipaddress.ip_address(text))
