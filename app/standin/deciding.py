"""What becomes of a DNS question. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.standin import dnswire
from app.standin.dnswire import NotAnswered, Query, Wrong
from app.standin.names import Choice, Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, or none: then ``query`` is to be forwarded if ``is_forwarded``, else nothing is sent.

    ``words`` say for the log what was answered.
    """

    reply: bytes | None = None
    query: Query | None = None
    is_forwarded: bool = False
    words: str = ""


SILENCE = Decision()


def decide(data: bytes, choice: Choice, address: str, *, is_near: bool) -> Decision:
    """Decide on a datagram (or a message over TCP) as it came; never raises.

    ``is_near``: the client is on the adapter's own network. Others are refused, so that no open resolver stands here.
    """
    try:
        query = dnswire.read(data)
    except NotAnswered:
        return SILENCE
    except Wrong as error:
        return Decision(dnswire.bare_error(data, error.rcode), words=error.message) if is_near else SILENCE
    if not is_near:
        return Decision(dnswire.error(query, dnswire.REFUSED), query, words="refused: not on this network")
    if query.edns:
        return Decision(dnswire.error(query, dnswire.BADVERS), query, words="an EDNS version nobody has")
    if query.kin != dnswire.IN:
        return Decision(dnswire.error(query, dnswire.REFUSED), query, words="refused: another class")
    return _by_name(query, choice, address)


def _by_name(query: Query, choice: Choice, address: str) -> Decision:
    verdict = choice.verdict(query.name)
    if verdict is Verdict.ANSWERED:
        words = address if query.kind in (dnswire.A_, dnswire.ANY) else "nothing of this type"
        return Decision(dnswire.answer(query, address), query, words=words)
    if verdict is Verdict.REFUSED:
        return Decision(dnswire.error(query, dnswire.NXDOMAIN, is_ours=True), query, words="no such name")
    if choice.forward_to:
        return Decision(None, query, is_forwarded=True)
    return Decision(dnswire.error(query, dnswire.REFUSED), query, words="refused")
