"""The statements that read the facts behind features, each for customers with slots in a range, at the close of a day.

Every column is fixed-width and never NULL (``copy_to_arrays``): an unknown number is NaN, an unknown day −1.
Days are given as "days before the business date"; a negative one lies ahead.
"""

# ruff: noqa: E501, S608  (statements put together from column expressions, never from values)
from __future__ import annotations

# The ids of a range of slots lie together unless slots were given in another order; the reader drops the others.
_IN_RANGE = "{0}.customer_id BETWEEN %(id_from)s AND %(id_until)s"
_AGO = "(%(day)s - {0})"
_LOCAL = "({0} AT TIME ZONE %(zone)s)::date"

CUSTOMERS = """
SELECT id, slot FROM accounts_customer
WHERE slot >= %(slot_from)s AND slot < %(slot_until)s AND merged_into_id IS NULL ORDER BY slot
"""

# Lines in service on the day.  ``due`` is the number of days to the renewal (accounts.contracts.renewals_frame), −1 for none.
LINES = f"""
SELECT l.customer_id, l.product_id, coalesce(l.quantity, 'NaN')::float8, (l.mrr * 100)::bigint, (l.arr * 100)::bigint,
       (ascii(l.currency) * 256 + ascii(substr(l.currency, 2))) * 256 + ascii(substr(l.currency, 3)),
       (CASE WHEN l.arr <= 0 OR l.cancelled_on <= %(day)s OR later.found THEN -1
             WHEN l.trial_ends_on >= %(day)s OR l.trial_ends_on IS NULL AND l.status = 'trial' THEN -1
             WHEN l.renews_on > %(day)s THEN l.renews_on - %(day)s
             WHEN l.ends_before > %(day)s THEN l.ends_before - %(day)s ELSE -1 END)::int4,
       coalesce(l.notice_days, 0)::int4,
       (CASE WHEN l.auto_renew IS NULL THEN -1 WHEN l.auto_renew THEN 1 ELSE 0 END)::int4,
       (CASE WHEN l.trial_ends_on IS NOT NULL THEN l.trial_ends_on >= %(day)s ELSE l.status = 'trial' END)::int4,
       (CASE WHEN l.paused_from IS NULL AND l.status = 'paused' THEN coalesce(l.paused_before > %(day)s, true)
             ELSE coalesce(l.paused_from <= %(day)s AND coalesce(l.paused_before > %(day)s, true), false) END)::int4
FROM accounts_contractline l
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM accounts_contractline n
                   WHERE n.source = l.source AND n.line_id = l.line_id AND n.starts_on > l.starts_on) AS found
) later
WHERE {_IN_RANGE.format("l")} AND l.starts_on <= %(day)s AND (l.service_until IS NULL OR l.service_until > %(day)s)
"""
LINES_TYPES = {
    "customer_id": "i8", "product_id": "i8", "quantity": "f8", "mrr_cents": "i8", "arr_cents": "i8", "currency": "i4", "due": "i4",
    "notice_days": "i4", "auto_renew": "i4", "is_trial": "i4", "is_paused": "i4",
}  # fmt: skip

# The first paid day, and the start of the newest trial line, of each customer.
FIRST_PAID = f"""
SELECT l.customer_id,
       coalesce({_AGO.format("min(greatest(l.starts_on, l.trial_ends_on + 1)) FILTER (WHERE l.mrr > 0 AND (l.status <> 'trial' OR l.trial_ends_on IS NOT NULL))")}, -1)::int4,
       coalesce({_AGO.format("max(l.starts_on) FILTER (WHERE l.trial_ends_on IS NOT NULL OR l.status = 'trial')")}, -1)::int4
FROM accounts_contractline l
WHERE {_IN_RANGE.format("l")} AND l.starts_on <= %(day)s GROUP BY l.customer_id
"""
FIRST_PAID_TYPES = {"customer_id": "i8", "first_paid": "i4", "trial_started": "i4"}

# What others pay in a year for each of some products: quartiles over the lines in service, per currency.
OWNED_PRICES = """
SELECT l.product_id, (ascii(l.currency) * 256 + ascii(substr(l.currency, 2))) * 256 + ascii(substr(l.currency, 3)),
       percentile_cont(0.25) WITHIN GROUP (ORDER BY l.arr::float8), percentile_cont(0.75) WITHIN GROUP (ORDER BY l.arr::float8), count(*)
FROM accounts_contractline l
WHERE l.product_id = ANY(%(products)s) AND l.arr > 0 AND l.starts_on <= %(day)s AND (l.service_until IS NULL OR l.service_until > %(day)s)
GROUP BY 1, 2
"""
OWNED_PRICES_TYPES = {"product_id": "i8", "currency": "i4", "low": "f8", "high": "f8", "lines": "i8"}

# Users and departments of the last 28 days, of the last 7, and of the 28 before.
ACTIVITY = f"""
SELECT customer_id, count(*) FILTER (WHERE in_7), count(*) FILTER (WHERE in_28), count(*) FILTER (WHERE in_before),
       coalesce(sum(minutes), 0)::float8, coalesce(sum(days), 0)::bigint
FROM (
    SELECT a.customer_id, bool_or(a.day > %(day)s - %(week)s) AS in_7, bool_or(a.day > %(day)s - 28) AS in_28,
           bool_or(a.day <= %(day)s - 28) AS in_before, sum(a.minutes) FILTER (WHERE a.day > %(day)s - 28) AS minutes,
           count(*) FILTER (WHERE a.day > %(day)s - 28) AS days
    FROM accounts_activitydaily a
    WHERE {_IN_RANGE.format("a")} AND a.day >= %(day_56)s AND a.day <= %(day)s AND (a.events > 0 OR a.minutes > 0) GROUP BY a.customer_id, a.user_key
) users GROUP BY customer_id
"""
ACTIVITY_TYPES = {"customer_id": "i8", "users_7": "i8", "users_28": "i8", "users_before": "i8", "minutes": "f8", "user_days": "i8"}

DEPARTMENTS = f"""
SELECT a.customer_id, count(DISTINCT a.department)
FROM accounts_activitydaily a
WHERE {_IN_RANGE.format("a")} AND a.day > %(day)s - 28 AND a.day <= %(day)s AND (a.events > 0 OR a.minutes > 0) AND a.department <> '' GROUP BY a.customer_id
"""
DEPARTMENTS_TYPES = {"customer_id": "i8", "departments": "i8"}

ACTIVE_DAYS = f"""
SELECT DISTINCT a.customer_id, {_AGO.format("a.day")}
FROM accounts_activitydaily a
WHERE {_IN_RANGE.format("a")} AND a.day > %(day)s - 28 AND a.day <= %(day)s AND (a.events > 0 OR a.minutes > 0)
"""
ACTIVE_DAYS_TYPES = {"customer_id": "i8", "ago": "i4"}

# The last day of activity of customers whose last use lies further back.
LAST_ACTIVITY = f"""
SELECT c.id, {_AGO.format("l.day")}
FROM unnest(%(customers)s::bigint[]) AS c (id) CROSS JOIN LATERAL (
    SELECT a.day FROM accounts_activitydaily a WHERE a.customer_id = c.id AND a.day <= %(day)s ORDER BY a.day DESC LIMIT 1
) l
"""
LAST_ACTIVITY_TYPES = {"customer_id": "i8", "ago": "i4"}

# Purchases that are no unchanged renewal: orders one by one (a negative one is a refund) …
ORDERS = f"""
SELECT o.customer_id, (ascii(o.currency) * 256 + ascii(substr(o.currency, 2))) * 256 + ascii(substr(o.currency, 3)), o.ordered_on,
       (o.amount * 100)::bigint
FROM accounts_order o WHERE {_IN_RANGE.format("o")} AND o.ordered_on <= %(day)s AND o.kind <> 'renewal'
"""
# … and contract changes that added revenue, one per day, taken for a year.
UPGRADES = f"""
SELECT e.customer_id, (ascii(e.currency) * 256 + ascii(substr(e.currency, 2))) * 256 + ascii(substr(e.currency, 3)), e."on",
       (sum(e.change) * 1200)::bigint
FROM accounts_mrrevent e WHERE {_IN_RANGE.format("e")} AND e."on" <= %(day)s AND e.change > 0
  AND e.cause IN ('start', 'plan', 'seats', 'capacity', 'addon', 'product') GROUP BY e.customer_id, e.currency, e."on"
"""
PURCHASES_TYPES = {"customer_id": "i8", "currency": "i4", "day": "date", "cents": "i8"}

TICKETS = f"""
SELECT t.customer_id, count(*) FILTER (WHERE open), count(*) FILTER (WHERE open AND t.severity = 'p1'),
       count(*) FILTER (WHERE open AND t.is_escalated), count(*) FILTER (WHERE t.opened_at >= %(since_28)s),
       coalesce(avg(t.satisfaction) FILTER (WHERE t.opened_at >= %(since_90)s), 'NaN')::float8
FROM accounts_ticket t
CROSS JOIN LATERAL (
    SELECT t.closed_at >= %(end)s OR (t.closed_at IS NULL AND t.status IN ('open', 'pending')) AS open
) s
WHERE {_IN_RANGE.format("t")} AND t.opened_at < %(end)s AND (s.open OR t.opened_at >= %(since_90)s) GROUP BY t.customer_id
"""
TICKETS_TYPES = {"customer_id": "i8", "open": "i8", "p1": "i8", "escalated": "i8", "opened_28": "i8", "satisfaction": "f8"}

# The latest answer of each person within 12 months; an answer without a person counts by itself.
NPS = f"""
SELECT customer_id, count(*), count(*) FILTER (WHERE score >= 9), count(*) FILTER (WHERE score <= 6),
       count(*) FILTER (WHERE score <= 6 AND responded_on > %(day)s - 90),
       (array_agg(score::float8 ORDER BY is_key DESC, responded_on DESC, id DESC))[1]
FROM (
    SELECT DISTINCT ON (n.customer_id, coalesce('c' || n.contact_id, 'r' || nullif(n.respondent, ''), 'a' || n.id))
           n.customer_id, n.id, n.score, n.responded_on, coalesce(p.role IN ('decision_maker', 'executive', 'champion'), false) AS is_key
    FROM accounts_npsresponse n LEFT JOIN accounts_contact p ON p.id = n.contact_id
    WHERE {_IN_RANGE.format("n")} AND n.responded_on >= %(nps_from)s AND n.responded_on <= %(day)s
    ORDER BY n.customer_id, coalesce('c' || n.contact_id, 'r' || nullif(n.respondent, ''), 'a' || n.id), n.responded_on DESC, n.id DESC
) latest GROUP BY customer_id
"""
NPS_TYPES = {"customer_id": "i8", "answers": "i8", "promoters": "i8", "detractors": "i8", "detractors_90": "i8", "latest": "f8"}

TOUCHES = f"""
SELECT t.customer_id, count(*) FILTER (WHERE is_contact AND t.touched_at >= %(since_7)s),
       count(*) FILTER (WHERE t.kind IN ('proposal', 'offer') AND t.touched_at >= %(since_30)s),
       coalesce({_AGO.format(_LOCAL.format("max(t.touched_at) FILTER (WHERE is_contact)"))}, -1)::int4,
       coalesce({_AGO.format(_LOCAL.format("max(t.touched_at) FILTER (WHERE is_contact AND p.role IN ('decision_maker', 'executive'))"))}, -1)::int4,
       coalesce({_AGO.format(_LOCAL.format("max(t.touched_at) FILTER (WHERE t.kind = 'refusal')"))}, -1)::int4
FROM accounts_touch t LEFT JOIN accounts_contact p ON p.id = t.contact_id
CROSS JOIN LATERAL (SELECT t.kind IN ('meeting', 'call', 'mail', 'proposal') AS is_contact) k
WHERE {_IN_RANGE.format("t")} AND t.touched_at < %(end)s AND t.withdrawn_at IS NULL GROUP BY t.customer_id
"""
TOUCHES_TYPES = {"customer_id": "i8", "contacts_7": "i8", "offers_30": "i8", "touch": "i4", "executive": "i4", "refusal": "i4"}

# Trials that started and did not end, and the newest note of a frozen budget with the day on which it ends.
EVENTS = f"""
SELECT customer_id, coalesce({_AGO.format("max(on_day) FILTER (WHERE kind = 'trial_started')")}, -1)::int4,
       coalesce({_AGO.format("max(on_day) FILTER (WHERE kind = 'trial_ended')")}, -1)::int4,
       coalesce(max(CASE WHEN kind <> 'budget_freeze' THEN NULL
                         WHEN said ~ '^\\d{{4}}-\\d\\d-\\d\\d' THEN substr(said, 1, 10)::date ELSE on_day + 90 END) > %(day)s, false)::int4
FROM (
    SELECT DISTINCT ON (e.customer_id, e.kind) e.customer_id, e.kind, {_LOCAL.format("e.occurred_at")} AS on_day,
           coalesce(e.detail->>'until', '') AS said
    FROM accounts_event e
    WHERE {_IN_RANGE.format("e")} AND e.kind IN ('trial_started', 'trial_ended', 'budget_freeze') AND e.occurred_at < %(end)s
    ORDER BY e.customer_id, e.kind, e.occurred_at DESC, e.id DESC
) newest GROUP BY customer_id
"""
EVENTS_TYPES = {"customer_id": "i8", "trial_started": "i4", "trial_ended": "i4", "is_frozen": "i4"}

# Whether a source has delivered anything at all: without it, nothing is known about anybody.
ARRIVED = """
SELECT EXISTS (SELECT FROM accounts_ticket WHERE opened_at < %(end)s),
       EXISTS (SELECT FROM accounts_activitydaily WHERE day > %(day)s - 28 AND day <= %(day)s)
"""
