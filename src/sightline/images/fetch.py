"""Fetch a picture's bytes by URL without becoming a way into the network that the server stands in.

A server that fetches addresses named by strangers can be turned against its own neighbours (server-side
request forgery, OWASP A10:2021): cloud metadata at 169.254.169.254, databases on private addresses, the
loopback interface. So here the name is resolved once, every address it resolves to must be public, and
the connection goes to the address that was checked: asking DNS again would let the answer change in between
(DNS rebinding). Redirects pass the same checks. One deadline and one size cap hold for all of it.

Whether a request may name URLs at all (`Settings.online`, `Settings.offline`) is the caller's decision.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import httpcore
import httpx

from sightline.errors import FetchRefused, ImageTooLarge, SourceFailed

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""(name, port) to the numeric addresses it stands for; raises `OSError` for a name that is not known."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_IPV6_PUBLIC = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# What `ipaddress.is_global` lets through, in some Python version that this package supports.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocol assignments; a cloud keeps its metadata at 192.0.0.192
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "168.63.129.16/32",  # a cloud's own host agent, on a public-looking address
        "2001::/23",  # IETF protocol assignments, Teredo among them (RFC 4380: IPv4 inside)
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 (RFC 3056: IPv4 inside)
        "3fff::/20",  # documentation (RFC 9637)
    )
)


def is_global(address: Address) -> bool:
    """Whether an address is one of the public internet: the default policy of `Fetcher`.

    False for private, loopback, link-local, multicast, reserved and unspecified addresses, and for IPv6
    addresses that carry an IPv4 address (mapped, 6to4, Teredo). NAT64 (RFC 6052, `64:ff9b::/96`) is how
    an IPv6-only network names every IPv4 host, so there the IPv4 address inside is judged instead.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_global(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _IPV6_PUBLIC:
            return False
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not any(address.version == network.version and address in network for network in _NOT_PUBLIC)


def resolve(name: str, port: int) -> list[str]:
    """The numeric addresses of a name, by the system's resolver, in its order of preference."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Gets the bytes at http and https addresses. Immutable; threads may share one.

    `timeout` is the seconds that one `get` may take in all: resolving, redirects, TLS and body together.
    `max_bytes` caps the body. `is_allowed` judges each resolved address, `resolver` finds them. Proxies,
    `.netrc` and other settings of the environment are not looked at: a proxy would connect for us,
    to an address that nobody checked.
    """

    timeout: float = 10.0
    max_bytes: int = 20 * 1024 * 1024
    max_redirects: int = 3
    user_agent: str = "sightline/0.1"
    is_allowed: Callable[[Address], bool] = is_global
    resolver: Resolver = field(default=resolve, repr=False)

    def get(self, url: str, *, accept: str = "image/*") -> bytes:
        """The body at `url`.

        Raises `FetchRefused` for a scheme, port or address that may not be fetched, credentials in the
        address or more than `max_redirects` redirects; `SourceFailed` where the host cannot be reached,
        is too slow or answers anything but 200; `ImageTooLarge` past `max_bytes`.
        """
        target = _parse(url)
        deadline = _Deadline(self.timeout)
        for _ in range(self.max_redirects + 1):
            answer = self._ask(target, accept, deadline)
            if isinstance(answer, bytes):
                return answer
            target = _follow(target, answer)
        raise FetchRefused(f"more than {self.max_redirects} redirects")

    def _ask(self, url: httpx.URL, accept: str, deadline: _Deadline) -> bytes | str:
        """The body, or the `Location` of a redirect."""
        backend = _CheckedBackend(self.is_allowed, self.resolver, deadline)
        headers = [("User-Agent", self.user_agent), ("Accept", accept), ("Accept-Encoding", "identity")]
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        try:
            with (
                httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend) as pool,
                pool.stream("GET", target, headers=[("Host", url.netloc.decode("ascii")), *headers]) as response,
            ):
                return self._read(response, url.host)
        except (httpcore.TimeoutException, TimeoutError):
            raise SourceFailed(f"{url.host} did not deliver within {self.timeout:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as error:
            raise SourceFailed(f"{url.host} could not be reached: {_one_line(error)}") from None

    def _read(self, response: httpcore.Response, host: str) -> bytes | str:
        headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        if response.status in _REDIRECTS and headers.get(b"location"):
            return headers[b"location"]
        if response.status != 200:
            raise SourceFailed(f"{host} answered with status {response.status}")
        # A compressed body was not asked for, and a few bytes of it can stand for gigabytes.
        if headers.get(b"content-encoding", "identity").strip().lower() != "identity":
            raise SourceFailed(f"{host} sent a compressed body that was not asked for")
        length = headers.get(b"content-length", "")
        if length.isdecimal() and int(length) > self.max_bytes:
            raise ImageTooLarge(f"{host} announces {int(length):,} bytes; at most {self.max_bytes:,} are fetched")
        body = bytearray()
        for part in response.iter_stream():
            body += part
            if len(body) > self.max_bytes:
                raise ImageTooLarge(f"{host} sends more than the {self.max_bytes:,} bytes that are fetched")
        return bytes(body)


class _Deadline:
    """One point in time that every step of a fetch shares."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; raises `TimeoutError` when there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


class _CheckedBackend(httpcore.NetworkBackend):
    """Resolves, checks, and connects to what it checked. TLS and the Host header still see the name."""

    def __init__(self, is_allowed: Callable[[Address], bool], resolver: Resolver, deadline: _Deadline) -> None:
        self._is_allowed, self._resolver, self._deadline = is_allowed, resolver, deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._addresses(host, port)
        failure: Exception = httpcore.ConnectError("the name has no address")
        for waiting, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                # An address that never answers leaves time for the next one.
                stream = self._sockets.connect_tcp(address, port, self._deadline.left() / waiting)
                return _TimedStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        name = host.removeprefix("[").removesuffix("]")
        texts = _within(lambda: self._resolver(name, port), self._deadline)
        addresses = [ipaddress.ip_address(text) for text in texts]
        # One forbidden address among good ones is refused too: it is the sign of a name set up for this.
        # The address itself is not told: what a private name resolves to is nobody's business outside.
        if not all(self._is_allowed(address) for address in addresses):
            raise FetchRefused(f"{name} is not an address of the public internet")
        return [str(address) for address in addresses]


class _TimedStream(httpcore.NetworkStream):
    """A stream whose every operation ends at the deadline: a server that drips bytes gains nothing."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise FetchRefused("not a valid http or https address") from None
    if parsed.scheme not in ("http", "https"):
        raise FetchRefused("only http and https addresses are fetched")
    if not parsed.host:
        raise FetchRefused("the address names no host")
    if parsed.userinfo:
        raise FetchRefused("an address with a user name or password in it is not fetched")
    # Ports below 1024 belong to other services (SSH, SMTP, LDAP), which HTTP's lines could be made to talk to.
    if parsed.port is not None and parsed.port not in (80, 443) and not 1024 <= parsed.port <= 65535:
        raise FetchRefused(f"port {parsed.port} is not fetched; 80, 443 and those from 1024 are")
    return parsed


def _follow(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = _parse(str(url.join(location)))
    except (httpx.InvalidURL, ValueError):
        raise FetchRefused("redirected to something that is not an address") from None
    if url.scheme == "https" and target.scheme == "http":
        raise FetchRefused("redirected from https to http")
    return target


def _within(work: Callable[[], Sequence[str]], deadline: _Deadline) -> Sequence[str]:
    """What `work` returns or raises, or `TimeoutError`: the system's resolver takes no timeout of its own."""
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(work())
        except Exception as error:
            answers.put(error)

    threading.Thread(target=run, daemon=True, name="sightline-resolve").start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
