"""What passed between the vendor and a customer: people, NPS, tickets, events, meetings, departments, projects.

Told month by month like the contracts.  A row carries the day on which it came to be
and, where it changes once more, the day of that; ``tables`` cuts by both.
"""

# ruff: noqa: E501
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random

from accounts.sample import names
from accounts.sample.behaviours import CONSIDERING
from accounts.sample.company import ITEMS, Company
from accounts.sample.contracts import History
from accounts.sample.profiles import Profile
from expansion.periods import add_business_days, add_months, is_business_day, month_start

_DEPARTMENTS = (
    "情報システム部",
    "総務部",
    "経理部",
    "営業部",
    "品質保証部",
    "製造企画部",
    "人事部",
    "法務部",
    "購買部",
    "経営企画室",
)
_TITLES = {"decision_maker": ("部長", "本部長", "次長"), "executive": ("取締役", "執行役員", "専務"), "champion": ("課長", "主任", "係長"),
           "user": ("担当", "主任", "リーダー"), "billing": ("担当", "課長")}  # fmt: skip
_THEMES = ("ログインできない", "権限設定の質問", "検索結果が出ない", "アップロードの失敗", "請求書の宛名変更", "容量の確認", "外部共有の設定", "承認ルートの変更",
           "CSV出力の文字化け", "API連携のエラー", "監査ログの保管期間", "二要素認証の設定")  # fmt: skip
_NOTES = {
    "meeting": ("定例会。{theme}の運用は定着。次は他部署への展開を相談したいとのこと。", "四半期の振り返り。文書を探す時間が減ったと評価いただいた。",
                "定例会。来期の計画をヒアリング。{department}での利用を検討中。", "活用状況を共有。棚卸しの手順を一緒に見直した。"),
    "call": ("電話で利用状況を確認。特に問題なし。", "{theme}について電話で説明。解決。", "担当者へ近況の確認。繁忙期で返信が遅れているとのこと。"),
    "mail": ("新機能の案内を送付。", "定例会の議事録を送付。", "{theme}の手順書を送付。", "活用事例を送付。返信あり。"),
    "proposal": ("{item}の見積りを提出。", "{item}のご提案。社内で検討いただく。", "{item}をご提案。費用対効果の資料を追加で送付。"),
}  # fmt: skip
_PRAISE = (
    "担当の対応が早い。",
    "検索が速くなり助かっている。",
    "監査の準備が楽になった。",
    "他部署にも勧めたい。",
    "使い方の研修がよかった。",
    "",
)
_NEUTRAL = ("おおむね満足。", "もう少し画面がわかりやすいとよい。", "", "価格は妥当。", "")
_COMPLAINTS = (
    "問い合わせの回答に時間がかかる。",
    "画面の表示が遅い日がある。",
    "設定が難しく、現場に広がらない。",
    "期待した機能がまだ使えない。",
)
_CASUAL_EVENTS = (
    ("webinar_registered", 0.020), ("webinar_attended", 0.016), ("document_downloaded", 0.022), ("feature_requested", 0.012), ("feature_viewed", 0.020),
    ("demo_requested", 0.004), ("problem_solved", 0.010), ("event_attended", 0.006), ("referral_made", 0.003), ("security_need", 0.003),
    ("adjacent_problem", 0.005), ("life_event.new_business", 0.002), ("life_event.overseas", 0.001),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contact:
    contact_id: str
    name: str
    email: str
    title: str
    department: str
    role: str
    opted_out: bool
    opinion: float


@dataclass(frozen=True, slots=True)
class Ticket:
    opened_at: datetime
    closed_at: datetime | None
    severity: str
    satisfaction: int | None
    theme: str
    escalated: bool


@dataclass(slots=True)
class Voice:
    """Everything that was said; instants are local times of the organisation."""

    contacts: list[Contact] = field(default_factory=list)
    answers: list[tuple[date, str, int, str]] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    events: list[tuple[datetime, str, dict[str, str]]] = field(default_factory=list)
    touches: list[tuple[datetime, str, str, str, str, date | None]] = field(default_factory=list)
    departments: list[tuple[str, int, bool, date]] = field(default_factory=list)
    projects: list[tuple[str, int, date]] = field(default_factory=list)


def voice(who: Profile, told: History, given: Company, *, through: date) -> Voice:
    """Tell what was said from the first day (or the customer's) to the end of the month of ``through``."""
    said = Voice()
    people = Random(f"{given.seed}/people/{who.number}")  # noqa: S311
    said.contacts = _contacts(who, people)
    rng = Random(f"{given.seed}/voice/{who.number}")  # noqa: S311
    month = month_start(max(given.first_day, who.begins or given.as_of - timedelta(days=150)))
    while month <= through and (told.ends is None or month < told.ends):
        _month(said, month, who, given, rng, ends=told.ends)
        month = add_months(month, 1)
    _keep_time(said, who, told)
    _departments(said, who, given, people)
    _projects(said, who, given, people, ends=told.ends)
    _planted(said, who, given)
    _about_deals(said, who, told, given, Random(f"{given.seed}/deals/{who.number}"))  # noqa: S311
    return said


def _contacts(who: Profile, rng: Random) -> list[Contact]:
    roles = ["decision_maker", "champion", "user"]
    if who.employees > 60:
        roles += ["billing"]
    if who.employees > 150:
        roles += ["executive", "user"]
    if who.employees > 600:
        roles += ["user", "champion"]
    contacts, taken = [], set()
    for place, role in enumerate(roles):
        name, local = names.person(rng)
        while local in taken:
            name, local = names.person(rng)
        taken.add(local)
        department = "経理部" if role == "billing" else "役員室" if role == "executive" else rng.choice(_DEPARTMENTS)
        contacts.append(
            Contact(
                f"{who.customer_id}-P{place + 1}",
                name,
                f"{local}@{who.named.domain}",
                rng.choice(_TITLES[role]),
                department,
                role,
                rng.random() < 0.02,
                rng.random(),
            )
        )
    return contacts


def _month(said: Voice, month: date, who: Profile, given: Company, rng: Random, *, ends: date | None) -> None:
    """Draw what one month brings, in a fixed order."""
    length = (add_months(month, 1) - month).days
    # Support.
    rate = 0.16 + min(1.1, who.seats * 0.005) if who.begins else 0.0
    for _ in range(_poisson(rate, rng)):
        said.tickets.append(_ticket(month + timedelta(days=rng.randrange(length)), who, given, rng))
    # Meetings, calls, mails.
    keen, when, which, text = (rng.random() for _ in range(4))
    day = add_business_days(month + timedelta(days=int(when * 24)), 0)
    kind = "meeting" if keen < 0.45 else "call" if keen < 0.60 else "mail"
    if keen < 0.80 + 0.08 * who.warmth and who.owner_email and not _keeps_away(who, month, given):
        # Every third month the decider is met.
        is_review = month.month % 3 == who.number % 3
        contact, kind = (said.contacts[0], "meeting") if is_review else (said.contacts[1], kind)
        said.touches.append((_at(day, 10 + int(which * 7)), kind, contact.contact_id, _note(kind, text, who), "", None))
    # NPS in May and November.
    if month.month in {5, 11} and who.begins:
        for contact in said.contacts:
            answers, score, late, words = (rng.random() for _ in range(4))
            if answers < 0.42 and contact.role != "billing" and not _keeps_silent(who, month, given):
                day = add_business_days(month + timedelta(days=6 + int(late * 18)), 0)
                points = _score(
                    score,
                    # People keep their opinion by and large.
                    opinion=min(0.999, max(0.0, contact.opinion + 0.12 * who.warmth + 0.3 * (score - 0.5))),
                    detractors=0.14 if (given.as_of - day).days > 420 else 0.03 if day > given.as_of else 0.0,
                )
                said.answers.append((day, contact.contact_id, points, _comment(points, words)))
    # What happened.
    for kind, chance in _CASUAL_EVENTS:
        happens, on = rng.random(), rng.random()
        if happens < chance:
            said.events.append(
                (_at(add_business_days(month + timedelta(days=int(on * (length - 3))), 0), 9 + int(on * 8)), kind, {})
            )
    if ends is not None and month <= ends < add_months(month, 1):
        said.events.append((_at(ends, 18), "churn_reported", {}))


def _keep_time(said: Voice, who: Profile, told: History) -> None:
    """Drop what the first and the last month brought before the customer came or after it left."""
    first, last = who.begins or date.min, told.ends or date.max
    said.tickets = [t for t in said.tickets if first <= t.opened_at.date() <= last]
    said.touches = [t for t in said.touches if first <= t[0].date() <= last]
    said.events = [e for e in said.events if first <= e[0].date() <= last]
    said.answers = [a for a in said.answers if first <= a[0] <= last]


def _keeps_silent(who: Profile, month: date, given: Company) -> bool:
    """Planted moods are not talked over by the survey of the same weeks."""
    return who.part in {"detractor", "rise"} and abs((given.as_of - month).days) < 120


def _keeps_away(who: Profile, month: date, given: Company) -> bool:
    """Before things turned good, nobody had met for months."""
    return who.part == "rise" and 20 < (given.as_of - month).days < 170


def _ticket(day: date, who: Profile, given: Company, rng: Random) -> Ticket:
    severity = rng.choices(("p1", "p2", "p3", "p4"), (2, 12, 54, 32))[0]
    hours, rated, score, theme, escalates = (rng.random() for _ in range(5))
    if not who.works_at_weekends:
        day = add_business_days(day, 0)
    opened = _at(day, 9 + int(hours * 6), int(theme * 60))
    if severity == "p1":  # on the same day: an open P1 stops every offer
        closed = opened + timedelta(minutes=40 + int(hours * 300))
    else:
        closed = opened + timedelta(
            hours={"p2": 3, "p3": 6, "p4": 12}[severity] + hours * {"p2": 30, "p3": 90, "p4": 200}[severity]
        )
    if closed.weekday() > 4:
        closed += timedelta(days=7 - closed.weekday())
    # Three in four who rate are content.
    content = score - 0.08 * who.warmth
    # One bad rating moves the health of a customer with few tickets a lot: of late only the planted are angry.
    worst = 3 if -30 < (given.as_of - day).days < 150 else 2
    satisfaction = (5 if content < 0.48 else 4 if content < 0.88 else 3 if content < 0.96 else worst) if rated < 0.55 else None
    return Ticket(
        opened,
        closed,
        severity,
        satisfaction,
        _THEMES[int(theme * len(_THEMES))],
        severity in {"p1", "p2"} and escalates < 0.12 and closed.date() == opened.date(),
    )


def _score(dice: float, *, opinion: float, detractors: float) -> int:
    """Return an answer; within the year before ``as_of`` only the planted are detractors."""
    if dice < detractors:
        return 3 + int(dice / detractors * 4)
    return next(points for edge, points in ((0.22, 7), (0.52, 8), (0.80, 9), (1.01, 10)) if opinion < edge)


def _comment(points: int, dice: float) -> str:
    texts = _PRAISE if points >= 9 else _NEUTRAL if points >= 7 else _COMPLAINTS
    return texts[int(dice * len(texts))]


def _note(kind: str, dice: float, who: Profile, item: str = "") -> str:
    texts = _NOTES[kind]
    theme = _THEMES[(int(dice * 1000) + who.number) % len(_THEMES)]
    return texts[int(dice * len(texts))].format(theme=theme, department=_DEPARTMENTS[int(dice * 97) % len(_DEPARTMENTS)], item=item)


def _departments(said: Voice, who: Profile, given: Company, rng: Random) -> None:
    """Head counts as of the customer's start and each April."""
    count = 2 if who.employees < 60 else 4 if who.employees < 300 else 6
    chosen = rng.sample(_DEPARTMENTS, count)
    first = max(who.begins or given.first_day, given.first_day)
    days = [first, *(date(year, 4, 1) for year in range(first.year, given.as_of.year + 6) if date(year, 4, 1) > first)]
    sizes = [max(2, round(who.employees / count * rng.uniform(0.4, 1.3))) for _ in chosen]
    for step, day in enumerate(days):
        for place, name in enumerate(chosen):
            said.departments.append((name, round(sizes[place] * (1 + 0.02 * step)), place < max(1, count - 1), day))
    if who.has("reorganised"):
        day = given.as_of - timedelta(days=5 + who.turn * 3 % 14)
        said.departments.append((chosen[0], round(sizes[0] * 1.35) + 6, True, day))
        said.events.append((_at(day, 10), "life_event.reorganisation", {"department": chosen[0]}))
        said.events.append(
            (
                _at(day, 10, 5),
                "life_event.headcount",
                {"department": chosen[0], "before": str(sizes[0]), "after": str(round(sizes[0] * 1.35) + 6)},
            )
        )


def _projects(said: Voice, who: Profile, given: Company, rng: Random, *, ends: date | None) -> None:
    """The onboarding project over four months, then for some a roll-out to other departments; progress each month."""
    if who.begins is None:
        return
    plans = [("導入", who.begins, 4 + rng.randrange(3))]
    again = max(given.first_day, who.begins + timedelta(days=220)) + timedelta(days=rng.randrange(300))
    if rng.random() < 0.45:
        plans.append(("展開", again, 5 + rng.randrange(6)))
    for name, starts, months in plans:
        for step in range(1, months + 1):
            day = add_months(starts, step)
            if day >= given.first_day and (ends is None or day < ends):
                said.projects.append((f"{who.customer_id}-{name}", min(100, round(100 * step / months)), day))


def _planted(said: Voice, who: Profile, given: Company) -> None:
    """Put what is planted on top, on days counted from ``as_of``."""
    as_of, turn = given.as_of, who.turn

    def ago(days: int) -> date:
        day = as_of - timedelta(days=days)
        while not is_business_day(day):
            day -= timedelta(days=1)
        return day

    first, second = said.contacts[0], said.contacts[1]
    if who.has("detractor"):
        day = ago(turn * 7 % 34)
        said.answers = [answer for answer in said.answers if answer[0] < ago(120) or answer[0] > as_of + timedelta(days=120)]
        said.answers.append((day, first.contact_id, 2 + turn % 5, _COMPLAINTS[turn % len(_COMPLAINTS)]))
    if who.has("star"):
        said.answers.append((ago(45), first.contact_id, 9, _PRAISE[0]))
        said.answers.append((ago(44), second.contact_id, 10, _PRAISE[2]))
        said.touches.append(
            (_at(ago(14), 14), "meeting", first.contact_id, "月次定例。部長「監査対応が来期の課題。予算は来月に固まる」", "", None)
        )
        said.touches.append(
            (_at(ago(8), 11), "mail", second.contact_id, "容量の推移と監査ログの資料を送付。課長から返信あり。", "", None)
        )
    if who.has("escalated"):
        said.tickets.append(
            Ticket(
                _at(ago(3 + turn % 4), 11),
                _at(as_of + timedelta(days=6 + turn % 5), 15),
                "p1",
                None,
                "アップロードの失敗",
                escalated=True,
            )
        )
    if who.has("asked"):
        for days in (25, 13, 5):
            said.touches.append(
                (_at(ago(days), 15), "proposal", first.contact_id, _note("proposal", days / 30, who, "追加席"), "", None)
            )
    if who.has("frozen"):
        until = as_of + timedelta(days=40 + turn * 3 % 30)
        said.events.append((_at(ago(12 + turn % 9), 16), "budget_freeze", {"until": until.isoformat()}))
    if who.has("rise"):
        for days, score in ((58, 2), (47, 3)):
            said.tickets.append(Ticket(_at(ago(days), 10), _at(ago(days - 2), 17), "p3", score, "権限設定の質問", escalated=False))
        for days in (19, 11, 6):
            said.tickets.append(Ticket(_at(ago(days), 10), _at(ago(days), 15), "p3", 5, "承認ルートの変更", escalated=False))
        said.events.append((_at(ago(27), 14), "webinar_attended", {}))
        said.touches.append(
            (_at(ago(20), 14), "meeting", first.contact_id, "活用研修の振り返り。現場の利用が一気に広がった。", "", None)
        )
    if who.has("complement", "weekly"):
        said.touches.append((_at(ago(9 + turn % 11), 13), "meeting", first.contact_id, _note("meeting", 0.3, who), "", None))
        for days in (41, 23):
            said.tickets.append(Ticket(_at(ago(days), 10), _at(ago(days), 16), "p4", 5, "検索結果が出ない", escalated=False))
    if who.part.startswith("falling"):
        said.events.append((_at(ago(16), 11), "contract_review_asked", {}))
    if who.part == CONSIDERING:
        said.events.append((_at(ago(20 + turn % 40), 11), "document_downloaded", {}))
        said.events.append((_at(ago(8 + turn % 30), 15), "demo_requested", {}))


def _about_deals(said: Voice, who: Profile, told: History, given: Company, rng: Random) -> None:
    """A proposal was made some days after a deal was opened; a refusal holds the play back."""
    for deal in told.deals:
        days, which, text = (rng.random() for _ in range(3))
        day = add_business_days(min(deal.opened_on + timedelta(days=2 + int(days * 10)), deal.closed_on), 0)
        if deal.kind != "renewal" and day >= given.first_day and said.contacts:
            contact = said.contacts[0 if which < 0.6 else 1]
            said.touches.append(
                (
                    _at(day, 11 + int(days * 5)),
                    "proposal",
                    contact.contact_id,
                    _note("proposal", text, who, ITEMS[deal.item].name),
                    "",
                    None,
                )
            )
    for code, begins, ends, _converts in told.trials:
        said.events.append((_at(begins, 9, 30), "trial_started", {"product": code}))
        said.events.append((_at(ends + timedelta(days=1), 9), "trial_ended", {"product": code}))
    for day, play, until in told.refusals:
        said.touches.append(
            (_at(day, 16), "refusal", said.contacts[0].contact_id, "今期は予算の都合で見送り。来期にあらためて。", play, until)
        )


def _poisson(rate: float, rng: Random) -> int:
    """Knuth's way: few draws for small rates."""
    count, product, limit = 0, rng.random(), 2.718281828459045**-rate
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def _at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute))
