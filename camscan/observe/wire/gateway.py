"""How is the port table of an internet gateway read: its description, then entry by entry?

Only GetGenericPortMappingEntry is ever posted, to the path the gateway's own description names, on the
same address and port, at most MAX_MAPPINGS times.
"""

from __future__ import annotations

from camscan.decode import http as http_decode
from camscan.decode import igd
from camscan.errors import DecodeError, ObserveError
from camscan.model.observation import Kind, Reason
from camscan.model.probe import Job
from camscan.observe.wire import http
from camscan.observe.wire.answer import Answer, Outcome, Refusal
from camscan.observe.wire.reading import Reading
from camscan.observe.wire.talk import Talk


async def read_mappings(talk: Talk, job: Job) -> Outcome:
    """The description and every entry as answers; what stopped the reading as a refusal."""
    host = http.authority(talk.address, job.port, tls=job.tls)
    reading = await talk.fetch(job, http.get_request(job.path, host))
    answers = [_answer(job, reading, f"GET {job.path}")]
    control = _control(reading.data)
    if control is None:
        return Outcome(answers=tuple(answers))
    for index in range(igd.MAX_MAPPINGS):
        message = http.mapping_request(control.path, host, control.service, index)
        try:
            entry = await talk.fetch(job, message)
        except ObserveError as problem:
            stopped = Refusal(reason=Reason(problem.reason), detail=f"entry {index}: {problem}")
            return Outcome(answers=tuple(answers), refusals=(stopped,))
        answers.append(
            _answer(job, entry, f"POST {control.path} GetGenericPortMappingEntry {index}")
        )
        if not igd.more(_body(entry.data)):
            break
    return Outcome(answers=tuple(answers))


def _control(data: bytes) -> igd.Control | None:
    try:
        return igd.control(_body(data))
    except DecodeError:
        return None


def _body(data: bytes) -> bytes:
    try:
        return http_decode.parse(data).body
    except DecodeError:
        return b""


def _answer(job: Job, reading: Reading, request: str) -> Answer:
    return Answer(
        kind=Kind.UPNP_XML,
        response=reading.data,
        port=job.port,
        request=request,
        tls=job.tls,
        truncated=not reading.complete,
    )
