"""Downloads of customers' files during a request, under one time limit and one byte limit for all files together."""

import asyncio
import time
from dataclasses import dataclass, field

import aiohttp

from mms.runtime.http_client import CHUNK_SIZE, CONNECT_TIMEOUT, Guard, Purpose, guarded_session
from mms.runtime.http_responses import HeadersTooLarge, UnreadableCoding, decoded
from mms.runtime.http_urls import as_written, redirected

TIME_LIMIT = 20.0  # seconds, for all files of a request
BYTES_MAX = 100_000_000  # all files of a request; they are held in memory until they are stored
REDIRECTS_MAX = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class DownloadError(Exception):
    """A download failed; the message gives the customer the reason."""


class DownloadTooLarge(DownloadError):
    """The file exceeds the size limit."""


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    data: bytes
    content_type: str


@dataclass(slots=True)
class Downloads:
    """The sequential downloads of one request. The time between them, such as that for a slot, does not count."""

    seconds_left: float = field(default_factory=lambda: TIME_LIMIT)
    bytes_left: int = field(default_factory=lambda: BYTES_MAX)
    private: bool = False  # whether an address of the latest download was not public

    def fetch(self, url: str, size_max: int) -> DownloadedFile:
        """Download at most `size_max` bytes over http or https, following at most 3 redirects.

        Raises DownloadError with the reason for the customer.
        """
        if self.seconds_left <= 0:  # aiohttp treats 0 as no limit
            raise _too_slow()
        guard, started = Guard(Purpose.DOWNLOAD), time.monotonic()
        try:
            file = _download(url, min(size_max, self.bytes_left), self.seconds_left, guard)
        except DownloadTooLarge:
            if size_max <= self.bytes_left:
                raise
            raise DownloadTooLarge(f"the files of a request may not exceed {BYTES_MAX} bytes in total") from None
        finally:
            self.private = guard.private
            self.seconds_left -= time.monotonic() - started
        self.bytes_left -= len(file.data)
        return file


def _download(url: str, size_max: int, seconds: float, guard: Guard) -> DownloadedFile:
    if not url.lower().startswith(("http://", "https://")):
        raise DownloadError("its address is not an http or https URL")
    try:
        return asyncio.run(_fetch_within(seconds, url, size_max, guard))
    except TimeoutError:
        raise _too_slow() from None
    except (HeadersTooLarge, UnreadableCoding) as problem:
        raise DownloadError(str(problem)) from None
    except aiohttp.ClientSSLError:  # before ValueError, which certificate errors also are
        raise DownloadError("no secure connection to its server") from None
    except aiohttp.ClientConnectorError as problem:
        raise DownloadError(_connection_problem(problem)) from None
    except (ValueError, aiohttp.NonHttpUrlClientError):
        raise DownloadError("its address, or one that it redirects to, is not valid") from None
    except (aiohttp.ClientError, OSError):
        raise DownloadError("its server closed the connection or does not speak HTTP") from None


def _too_slow() -> DownloadError:
    return DownloadError(f"its server was too slow; all files of a request must arrive within {TIME_LIMIT:g} seconds")


def _connection_problem(problem: aiohttp.ClientConnectorError) -> str:
    # One text for both: whether a name exists in the platform's own network is not the customer's business.
    if isinstance(problem, aiohttp.ClientConnectorDNSError) or "is not allowed" in str(problem.os_error):
        return "its host has no public address"
    return "no connection to its server"


async def _fetch_within(seconds: float, url: str, size_max: int, guard: Guard) -> DownloadedFile:
    async with asyncio.timeout(seconds), guarded_session(1, guard) as session:
        for _ in range(REDIRECTS_MAX + 1):
            found = await _fetch(session, url, size_max)
            if isinstance(found, DownloadedFile):
                return found
            url = redirected(url, found)
    raise DownloadError(f"more than {REDIRECTS_MAX} redirects")


async def _fetch(session: aiohttp.ClientSession, url: str, size_max: int) -> DownloadedFile | str:
    """Return the file at the address, or the Location of a redirect."""
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT, sock_read=CONNECT_TIMEOUT)
    async with session.get(as_written(url), timeout=timeout, allow_redirects=False) as response:
        location = response.headers.get("Location", "").strip()
        if response.status in REDIRECTS and location:
            return location
        if response.status != 200:
            raise DownloadError(f"its server answered HTTP {response.status}")
        data = decoded(await _read(response, size_max), response.headers.get("Content-Encoding", ""), size_max)
        _check_size(data, size_max)
        return DownloadedFile(data, response.headers.get("Content-Type", ""))


async def _read(response: aiohttp.ClientResponse, size_max: int) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_SIZE):
        data += chunk
        _check_size(data, size_max)
    return bytes(data)


def _check_size(data: bytes | bytearray, size_max: int) -> None:
    if len(data) > size_max:
        raise DownloadTooLarge(f"it is larger than {size_max} bytes")
