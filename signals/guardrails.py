"""What stands between a suggestion and the customer: facts that caution against an offer or stop it, and until when.

One statement reads the facts of any number of customers; the numbers come from the shipped
guardrails.yaml.  The nightly run keeps the result with the alert, a card asks again when it opens.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from expansion import clock, formats
from signals import defaults
from signals.models.alerts import PlayKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STOP, CAUTION, INFO = "stop", "caution", "info"
OFFERS = frozenset({PlayKind.UPSELL.value, PlayKind.CROSS_SELL.value})
_FOR_EVER = date.max


@dataclass(frozen=True, slots=True)
class Guard:
    """One fact about one customer.  ``until`` is the first day on which it no longer holds (None: open-ended).

    ``plays``: all, upsell (upsell and cross-sell), mail (only messages), or "same" with the playbook in ``play``.
    """

    key: str
    level: str
    fact_ja: str
    fact_en: str
    until: date | None
    plays: str
    play: str = ""

    def concerns(self, play_kind: str, playbook: str) -> bool:
        """Tell whether a card with this play shows the fact."""
        if self.plays == "same":
            return self.play == playbook
        return self.plays in {"all", "mail"} or play_kind in OFFERS

    def stops(self, play_kind: str, playbook: str) -> bool:
        """Tell whether an offer of this play has to wait.  Help, renewals and downsells are never stopped."""
        return self.level == STOP and self.plays != "mail" and play_kind in OFFERS and self.concerns(play_kind, playbook)

    def fact(self, language: str) -> str:
        return self.fact_ja if language.startswith("ja") else self.fact_en

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"until": self.until.isoformat() if self.until else None}


@cache
def shipped() -> Mapping[str, Mapping[str, Any]]:
    """Return the guardrails by key, as shipped."""
    return {item["key"]: item for item in defaults.read("guardrails.yaml")}


def check(customer_ids: Iterable[int], as_of: date) -> dict[int, list[Guard]]:
    """Return the facts that hold at the close of the day, stops first, for the customers that have any."""
    found: dict[int, list[Guard]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, _params(customer_ids, as_of))
        for customer_id, key, count, first, second, text in cursor.fetchall():
            guard = _guard(key, as_of=as_of, count=count, first=first, second=second, text=text)
            if guard is not None:
                found[customer_id].append(guard)
    order = list(shipped())
    for guards in found.values():
        guards.sort(key=lambda guard: ((STOP, CAUTION, INFO).index(guard.level), order.index(guard.key), guard.play))
    return dict(found)


def for_play(guards: Sequence[Guard], *, play_kind: str, playbook: str) -> tuple[list[Guard], bool]:
    """Return the facts that a card with this play shows, and whether one of them stops it."""
    shown = [guard for guard in guards if guard.concerns(play_kind, playbook)]
    return shown, any(guard.stops(play_kind, playbook) for guard in shown)


def _params(customer_ids: Iterable[int], as_of: date) -> dict[str, Any]:
    days = {key: int(item.get("days", 0)) for key, item in shipped().items()}
    return {
        "ids": list(customer_ids),
        "day": as_of,
        "zone": settings.TIME_ZONE,
        "end": clock.start_of(as_of + timedelta(days=1)),
        "offers_since": clock.start_of(as_of - timedelta(days=days["offers_in_30_days"] - 1)),
        "most": int(shipped()["offers_in_30_days"]["most"]),
        "person_since": clock.start_of(as_of - timedelta(days=days["same_person_in_7_days"] - 1)),
        "refusal_days": days["recent_refusal"],
        "contract_days": days["contract_end"],
        "detractor_since": as_of - timedelta(days=days["detractor"] - 1),
        "first_days": days["first_30_days"],
    }


def _guard(key: str, *, as_of: date, count: int, first: date, second: date | None, text: str) -> Guard | None:
    """Put one row of facts into words; None where a row turns out to be over.  ``first`` is absent from facts without a day."""
    rule = shipped()[key]
    days = int(rule.get("days", 0))
    until: date | None = None
    play = ""
    match key:
        case "offers_in_30_days":
            until = first + timedelta(days=days)
            fact_ja = f"{days}日間に{count}回の提案(上限{rule['most']}回)。{_ja(until)}から再開できます"
            fact_en = f"{count} offers in {days} days (limit {rule['most']}); free again on {_en(until)}"
        case "same_person_in_7_days":
            until = first + timedelta(days=days)
            fact_ja = f"{_ja(first)}に提案した方がいます。同じ方への提案は{days}日に1回まで"
            fact_en = f"Somebody got an offer on {_en(first)}; one offer to the same person in {days} days"
        case "recent_refusal":
            play, until = text, None if second == _FOR_EVER else second
            fact_ja = f"{_ja(first)}に見送り。" + (f"次の提案は{_ja(until)}以降" if until else "この提案は今後行いません")
            fact_en = f"Declined on {_en(first)}; " + (f"offer again from {_en(until)}" if until else "not to be offered again")
        case "contract_end":
            until = first
            left = (first - as_of).days
            fact_ja = f"契約終了({_ja(first)})まで{left}日。{days}日前からは新たな提案を控えます"
            fact_en = f"{left} days to the contract's end ({_en(first)}); no new offer in the last {days} days"
        case "open_ticket":
            fact_ja = f"重大な問い合わせが{count}件未解決({_ja(first)}から)。解決が先です"
            fact_en = f"{formats.count(count, 'tickets', language='en')} critical and open since {_en(first)}; solve that first"
        case "detractor":
            until = first + timedelta(days=days)
            fact_ja = f"{_ja(first)}のNPS回答が{count}点。まず満足度の回復を"
            fact_en = f"NPS answer of {count} on {_en(first)}; satisfaction first"
        case "first_30_days":
            until = first + timedelta(days=days)
            fact_ja = f"有料開始({_ja(first)})から{days}日以内。{_ja(until)}まで追加提案を控えます"
            fact_en = f"Within {days} days of the first paid day ({_en(first)}); no upsell before {_en(until)}"
        case "budget_freeze":
            until = _day_in(text) or first + timedelta(days=days)
            if until <= as_of:
                return None
            fact_ja = f"予算凍結の連絡({_ja(first)})。{_ja(until)}まで提案を控えます"
            fact_en = f"Budget freeze noted on {_en(first)}; no offer before {_en(until)}"
        case "band_watch":
            fact_ja = "ヘルスが「注意が必要」。成果の振り返りにとどめます"
            fact_en = "Health needs watching; a review of results only"
        case "band_act_now":
            fact_ja = "ヘルスが「対応が必要」。追加提案はせず、立て直しを優先します"
            fact_en = "Health needs action; no upsell, put things right first"
        case _:
            fact_ja = "メール配信の同意が得られている方がいません"
            fact_en = "Nobody there has agreed to e-mail"
    return Guard(key=key, level=rule["level"], fact_ja=fact_ja, fact_en=fact_en, until=until, plays=rule["plays"], play=play)


def _ja(day: date | None) -> str:
    return formats.day(day, language="ja", weekday=False)


def _en(day: date | None) -> str:
    return formats.day(day, language="en", weekday=False)


def _day_in(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


# (customer_id, key, count, first day, second day, text) of every fact; the day counts to its close.
_FACTS = """
SELECT customer_id, 'offers_in_30_days', count(*), (array_agg(on_day ORDER BY on_day))[count(*) - %(most)s + 1], NULL::date, ''
FROM (
    SELECT customer_id, (touched_at AT TIME ZONE %(zone)s)::date AS on_day FROM accounts_touch
    WHERE customer_id = ANY(%(ids)s) AND kind IN ('proposal', 'offer') AND withdrawn_at IS NULL
      AND touched_at >= %(offers_since)s AND touched_at < %(end)s
) offers GROUP BY customer_id HAVING count(*) >= %(most)s
UNION ALL
SELECT customer_id, 'same_person_in_7_days', count(*), max((touched_at AT TIME ZONE %(zone)s)::date), NULL, ''
FROM accounts_touch
WHERE customer_id = ANY(%(ids)s) AND kind IN ('proposal', 'offer') AND withdrawn_at IS NULL AND contact_id IS NOT NULL
  AND touched_at >= %(person_since)s AND touched_at < %(end)s
GROUP BY customer_id
UNION ALL
SELECT customer_id, 'recent_refusal', 1, on_day, until_day, play
FROM (
    SELECT DISTINCT ON (customer_id, play) customer_id, play, (touched_at AT TIME ZONE %(zone)s)::date AS on_day,
           coalesce(until, (touched_at AT TIME ZONE %(zone)s)::date + %(refusal_days)s) AS until_day
    FROM accounts_touch
    WHERE customer_id = ANY(%(ids)s) AND kind = 'refusal' AND withdrawn_at IS NULL AND play <> '' AND touched_at < %(end)s
    ORDER BY customer_id, play, touched_at DESC, id DESC
) refusals WHERE until_day > %(day)s
UNION ALL
SELECT customer_id, 'contract_end', 1, min(ends), NULL, ''
FROM (
    SELECT l.customer_id, CASE WHEN l.cancelled_on <= %(day)s THEN l.service_until
                               WHEN l.renews_on > %(day)s THEN l.renews_on ELSE l.ends_before END AS ends
    FROM accounts_contractline l
    WHERE l.customer_id = ANY(%(ids)s) AND l.mrr > 0 AND l.starts_on <= %(day)s
      AND (l.service_until IS NULL OR l.service_until > %(day)s)
      AND coalesce(l.trial_ends_on < %(day)s, l.status <> 'trial')
      AND NOT EXISTS (SELECT FROM accounts_contractline n
                      WHERE n.source = l.source AND n.line_id = l.line_id AND n.starts_on > l.starts_on)
) ending WHERE ends > %(day)s AND ends <= %(day)s + %(contract_days)s
GROUP BY customer_id
UNION ALL
SELECT customer_id, 'open_ticket', count(*), min((opened_at AT TIME ZONE %(zone)s)::date), NULL, ''
FROM accounts_ticket
WHERE customer_id = ANY(%(ids)s) AND (severity = 'p1' OR is_escalated) AND opened_at < %(end)s
  AND (closed_at >= %(end)s OR closed_at IS NULL AND status IN ('open', 'pending'))
GROUP BY customer_id
UNION ALL
SELECT customer_id, 'detractor', score, responded_on, NULL, ''
FROM (
    SELECT DISTINCT ON (customer_id) customer_id, score, responded_on
    FROM (
        SELECT DISTINCT ON (customer_id, person) customer_id, id, score, responded_on
        FROM (
            SELECT id, customer_id, score, responded_on,
                   coalesce('c' || contact_id, 'r' || nullif(respondent, ''), 'a' || id) AS person
            FROM accounts_npsresponse
            WHERE customer_id = ANY(%(ids)s) AND responded_on >= %(detractor_since)s AND responded_on <= %(day)s
        ) answers ORDER BY customer_id, person, responded_on DESC, id DESC
    ) latest WHERE score <= 6 ORDER BY customer_id, responded_on DESC, id DESC
) detractors
UNION ALL
SELECT customer_id, 'first_30_days', 1, first_paid, NULL, ''
FROM (
    SELECT customer_id, min("on") AS first_paid FROM accounts_mrrevent
    WHERE customer_id = ANY(%(ids)s) AND change > 0 GROUP BY customer_id
) paid WHERE first_paid <= %(day)s AND first_paid > %(day)s - %(first_days)s
UNION ALL
SELECT customer_id, 'budget_freeze', 1, on_day, NULL, said
FROM (
    SELECT DISTINCT ON (customer_id) customer_id, (occurred_at AT TIME ZONE %(zone)s)::date AS on_day,
           coalesce(detail->>'until', '') AS said
    FROM accounts_event
    WHERE customer_id = ANY(%(ids)s) AND kind = 'budget_freeze' AND occurred_at < %(end)s
    ORDER BY customer_id, occurred_at DESC, id DESC
) freezes
UNION ALL
SELECT customer_id, 'band_' || band, 1, NULL, NULL, ''
FROM signals_standing WHERE customer_id = ANY(%(ids)s) AND band IN ('watch', 'act_now')
UNION ALL
SELECT customer_id, 'no_consent', 1, NULL, NULL, ''
FROM accounts_contact WHERE customer_id = ANY(%(ids)s) GROUP BY customer_id HAVING bool_and(has_opted_out)
"""
