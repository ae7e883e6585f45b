"""Which exchange does a job name, and what does it say on the wire?

The closed list of `Exchange`, one function each. All are read-only: GET to listed paths, the one
SOAP questions of ONVIF and of a gateway's port table, OPTIONS and DESCRIBE, a handshake, listening, fixed search messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

import msgspec

from camscan.decode.ports import PortStates
from camscan.errors import DecodeError, ObserveError
from camscan.model.observation import Kind, Reason
from camscan.model.probe import Exchange, Job
from camscan.observe.wire import hello, http, rtsp, udp
from camscan.observe.wire.answer import Answer, Outcome, Refusal, Search
from camscan.observe.wire.gateway import read_mappings
from camscan.observe.wire.reading import Reading, SilentError, Stream, TarpitError, read
from camscan.observe.wire.talk import Talk
from camscan.observe.wire.tls import HandshakeError

FAVICON_PATH = "/favicon.ico"
_LISTEN = 2
"""An SDK port where no harmless message is known is listened to for so many `budget.idle`."""


async def ask(talk: Talk, job: Job) -> Outcome:
    """Put one job. ObserveError where it gave no answer at all; no connection is left half used."""
    if job.transport == "tcp" and job.port in talk.given_up:
        raise ObserveError(Reason.TIMEOUT, f"not asked again: {talk.given_up[job.port]}")
    if job.transport == "tcp" and talk.hopeless:
        raise ObserveError(
            Reason.TIMEOUT, f"not asked: {len(talk.given_up)} ports of this device never answered"
        )
    if job.exchange in _HTTP and job.port in talk.not_http:
        raise ObserveError(Reason.NOT_REQUESTED, f"port {job.port} does not speak HTTP")
    try:
        outcome = await _HOW[job.exchange](talk, job)
    except http.NotHttpError as problem:
        talk.not_http.add(job.port)
        await talk.close()
        outcome = _other_protocol(talk, job, problem.data)
    except HandshakeError as problem:
        await talk.close()
        if not problem.flight or problem.flight[0] in _TLS_RECORDS:
            raise
        talk.not_http.add(job.port)  # neither through TLS
        outcome = _other_protocol(talk, job, problem.flight)
    except TarpitError as problem:
        talk.given_up[job.port] = problem.detail
        await talk.close()
        raise
    except SilentError as problem:
        if job.exchange in _WRITES_FIRST:
            talk.waited_out()
            talk.given_up.setdefault(job.port, problem.detail)
        await talk.close()
        raise
    except BaseException:
        await talk.close()
        raise
    talk.answered = talk.answered or job.transport == "tcp"
    return outcome


async def _http_get(talk: Talk, job: Job) -> Outcome:
    path = job.path or "/"
    host = http.authority(talk.address, job.port, tls=job.tls)
    reading = await talk.fetch(job, http.get_request(path, host))
    answers = [_answer(job, reading, f"GET {path}")]
    refusals: list[Refusal] = []
    onward, why = http.redirect(
        reading.data, talk.address, job.port, tls=job.tls, listed=talk.means.listed
    )
    if why:
        refusals.append(Refusal(reason=Reason.OUT_OF_SCOPE, detail=why))
    if onward is not None and onward != path and not job.canary:
        try:
            followed = await talk.fetch(job, http.get_request(onward, host))
        except ObserveError as problem:
            refusals.append(Refusal(reason=Reason(problem.reason), detail=str(problem)))
        else:
            answers.append(_answer(job, followed, f"GET {onward}"))
    return Outcome(answers=_with_tls(talk, job, answers), refusals=tuple(refusals))


async def _http_post(talk: Talk, job: Job) -> Outcome:
    path = job.path or http.ONVIF_PATH
    host = http.authority(talk.address, job.port, tls=job.tls)
    reading = await talk.fetch(job, http.onvif_request(path, host))
    answer = _answer(job, reading, f"POST {path} GetSystemDateAndTime")
    return Outcome(answers=_with_tls(talk, job, [answer]))


async def _favicon(talk: Talk, job: Job) -> Outcome:
    path = job.path or FAVICON_PATH
    host = http.authority(talk.address, job.port, tls=job.tls)
    reading = await talk.fetch(job, http.get_request(path, host))
    try:
        described = talk.means.describe_favicon(reading.data) if reading.complete else b""
    except DecodeError:
        described = b""
    if described:
        answer = Answer(
            kind=Kind.FAVICON, response=described, port=job.port, request=f"GET {path}", tls=job.tls
        )
    else:  # a page or a refusal: an answer as good as any other
        page = msgspec.structs.replace(job, kind=Kind.HTTP)
        answer = _answer(page, reading, f"GET {path}")
    return Outcome(answers=_with_tls(talk, job, [answer]))


async def _rtsp(talk: Talk, job: Job) -> Outcome:
    target = rtsp.url(talk.address, job.port, "/")
    described = rtsp.url(talk.address, job.port, job.path or "/")
    answers: list[Answer] = []
    refusals: list[Refusal] = []
    stream: Stream | None = None
    try:
        for name, message in (
            (f"OPTIONS {target}", rtsp.options_request(target)),
            (f"DESCRIBE {described}", rtsp.describe_request(described)),
        ):
            if stream is None or not stream.alive:
                if stream is not None:
                    await stream.close()
                stream = await talk.stream(job)
            await talk.means.gate.request(talk.address, job.port, len(message))
            reading = await rtsp.exchange(stream, message, talk.limits(job))
            talk.measured(reading.waited)
            answers.append(_answer(job, reading, name))
    except ObserveError as problem:
        if not answers:
            raise
        refusals.append(Refusal(reason=Reason(problem.reason), detail=f"DESCRIBE: {problem}"))
    finally:
        if stream is not None:
            await stream.close()
    return Outcome(answers=_with_tls(talk, job, answers), refusals=tuple(refusals))


async def _tls(talk: Talk, job: Job) -> Outcome:
    if job.port not in talk.tls_seen:
        try:
            talk.keep(job.port, await talk.secure(job))
        except HandshakeError as problem:
            talk.tls_seen[job.port] = await _by_hand(talk, job, problem)
    talk.tls_told.add(job.port)
    return Outcome(answers=talk.tls_seen[job.port])


async def _by_hand(talk: Talk, job: Job, problem: HandshakeError) -> tuple[Answer, ...]:
    """What the server shows in clear, where OpenSSL cannot speak with it."""
    answers = hello.answers(problem.flight, job.port)
    if not any(answer.kind is Kind.HTTPS_CERT for answer in answers):
        channel = await talk.plain(job.port)
        try:
            message = hello.client_hello()
            await talk.means.gate.request(talk.address, job.port, len(message))
            channel.send(message)
            reading = await read(channel, hello.ending, talk.limits(job, slow=True))
        except ObserveError:
            if not answers:
                raise problem from None
        else:
            answers = hello.answers(reading.data, job.port) or answers
        finally:
            await channel.close()
    if not answers:
        raise problem
    return answers


async def _banner(talk: Talk, job: Job, *, within: float | None = None) -> Outcome:
    limits = talk.limits(job, speaks_first=True)
    if within is not None:
        limits = msgspec.structs.replace(limits, first_byte=min(within, limits.first_byte))
    stream = await talk.stream(job)
    try:
        reading = await read(stream, _never, limits, idle=limits.idle)
    finally:
        await stream.close()
    return Outcome(answers=_with_tls(talk, job, [_answer(job, reading, "connect")]))


async def _greeting(talk: Talk, job: Job) -> Outcome:
    message = talk.means.greetings.get(job.path)
    if message is None:  # nothing is known that may be said: listen for a moment
        try:
            return await _banner(talk, job, within=_LISTEN * talk.means.budget.idle)
        except SilentError as problem:  # it waits to be spoken to, as most SDK ports do
            raise ObserveError(Reason.WINDOW_TOO_SHORT, f"listened only: {problem}") from None
    stream = await talk.stream(job)
    try:
        await talk.means.gate.request(talk.address, job.port, len(message))
        stream.send(message)
        reading = await read(stream, _never, talk.limits(job), idle=talk.means.budget.idle)
    finally:
        await stream.close()
    return Outcome(answers=(_answer(job, reading, f"greeting {job.path}"),))


async def _snmp(talk: Talk, job: Job) -> Outcome:
    return await _datagrams(talk, job, talk.means.snmp_engine)


async def _search(talk: Talk, job: Job) -> Outcome:
    search = talk.means.searches.get(job.path)
    if search is None:
        raise ObserveError(Reason.REFUSED_BY_POLICY, f"no search message named {job.path!r}")
    return await _datagrams(talk, job, search)


async def _datagrams(talk: Talk, job: Job, search: Search) -> Outcome:
    try:
        found = await udp.ask(
            talk.means.gate,
            talk.address,
            job.port,
            search.message,
            budget=talk.means.budget,
            answer_port=search.answer_port,
            accepts=search.accepts,
            source=talk.means.source,
        )
    except udp.ClosedError:
        closed = msgspec.json.encode(PortStates(udp_closed=(job.port,)))
        answer = Answer(
            kind=Kind.PORTS,
            response=closed,
            port=job.port,
            transport="udp",
            request=search.request,
        )
        return Outcome(answers=(answer,))
    return Outcome(
        answers=tuple(
            Answer(
                kind=job.kind,
                response=data,
                port=job.port,
                transport="udp",
                request=search.request,
            )
            for data in dict.fromkeys(found)
        )
    )


def _never(_: bytearray) -> None:
    """A banner has no end but silence."""


def _answer(job: Job, reading: Reading, request: str) -> Answer:
    return Answer(
        kind=job.kind,
        response=reading.data,
        port=job.port,
        request=request,
        tls=job.tls,
        truncated=not reading.complete,
    )


def _other_protocol(talk: Talk, job: Job, data: bytes) -> Outcome:
    """A request was answered in a protocol of its own: the bytes are what counts."""
    answer = Answer(
        kind=Kind.GREETING,
        response=data,
        port=job.port,
        request=f"{job.exchange.value} {job.path}",
        tls=job.tls,
    )
    return Outcome(answers=_with_tls(talk, job, [answer]))


def _with_tls(talk: Talk, job: Job, answers: Collection[Answer]) -> tuple[Answer, ...]:
    """Certificate and version come with the first answer that needed the handshake."""
    if job.tls and job.port in talk.tls_seen and job.port not in talk.tls_told:
        talk.tls_told.add(job.port)
        return (*talk.tls_seen[job.port], *answers)
    return tuple(answers)


_WRITES_FIRST = frozenset(
    {Exchange.HTTP_GET, Exchange.HTTP_POST, Exchange.FAVICON, Exchange.TLS, Exchange.RTSP},
)
"""After these, a silent port is not asked again: it was given its whole budget."""

_TLS_RECORDS = frozenset({0x14, 0x15, 0x16, 0x17})
"""First bytes of TLS records (RFC 8446 section 5.1); other bytes are another protocol."""
_HTTP = frozenset({Exchange.HTTP_GET, Exchange.HTTP_POST, Exchange.FAVICON, Exchange.IGD_MAPPINGS})

_HOW: dict[Exchange, Callable[[Talk, Job], Awaitable[Outcome]]] = {
    Exchange.HTTP_GET: _http_get,
    Exchange.HTTP_POST: _http_post,
    Exchange.IGD_MAPPINGS: read_mappings,
    Exchange.FAVICON: _favicon,
    Exchange.RTSP: _rtsp,
    Exchange.TLS: _tls,
    Exchange.BANNER: _banner,
    Exchange.GREETING: _greeting,
    Exchange.SNMP_ENGINE: _snmp,
    Exchange.UDP_SEARCH: _search,
}
