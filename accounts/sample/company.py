"""The vendor: what it sells, who works there, what it costs, and the arguments that fix every row of the sample."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from expansion.periods import add_months

VENDOR = "株式会社フミクラ"
MAIL_DOMAIN = "fumikura.example"
CURRENCY = "JPY"


@dataclass(frozen=True, slots=True)
class Company:
    """The arguments of the sample: they decide every row.

    ``as_of`` is the day around which the behaviours are planted.  Days after it may be
    generated as well: time goes on, but what was planted stays where it was.
    """

    customers: int
    months: int
    reps: int
    seed: int
    as_of: date

    @property
    def first_day(self) -> date:
        """The first day of which usage, tickets and the like exist."""
        return add_months(self.as_of + timedelta(days=1), -self.months)

    @property
    def first_day_of_activity(self) -> date:
        """What single users do is kept for the last 16 weeks before ``as_of`` only."""
        return max(self.first_day, self.as_of - timedelta(days=111))

    @property
    def new_customers_a_day(self) -> float:
        return self.customers * 0.0005

    def population(self, through: date) -> int:
        """How many customers there are at the close of a day: after ``as_of`` new ones arrive."""
        later = max(0, (through - self.as_of).days)
        return self.customers + int(later * self.new_customers_a_day)

    @property
    def price_rise_on(self) -> date:
        """The first of April on which list prices rose: it applies from the next renewal."""
        day = date(self.as_of.year, 4, 1)
        return day if (self.as_of - day).days > 150 else date(self.as_of.year - 1, 4, 1)


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the price list.  ``price`` is per unit and month, in yen."""

    code: str
    name: str
    name_en: str
    family: str
    kind: str
    price: int
    tier: int | None = None
    seats: int | None = None
    quota: tuple[tuple[str, int], ...] = ()
    complements: tuple[str, ...] = ()
    margin: int = 78


PLANS = (
    Item("FK-LITE", "フミクラ ライト", "Fumikura Lite", "フミクラ", "plan", 600, 1, 5, (("storage_gb", 50),), margin=70),
    Item("FK-STD", "フミクラ スタンダード", "Fumikura Standard", "フミクラ", "plan", 980, 2, 10, (("storage_gb", 200),), margin=76),
    Item("FK-PRO", "フミクラ プロ", "Fumikura Pro", "フミクラ", "plan", 1480, 3, 20, (("storage_gb", 1000),), margin=80),
    Item("FK-BIZ", "フミクラ ビジネス", "Fumikura Business", "フミクラ", "plan", 1980, 4, 50, (("storage_gb", 3000),), margin=82),
    Item(
        "FK-ENT",
        "フミクラ エンタープライズ",
        "Fumikura Enterprise",
        "フミクラ",
        "plan",
        2600,
        5,
        100,
        (("storage_gb", 10000),),
        margin=84,
    ),
)
PRODUCTS = (
    Item("FS-SIGN", "フミサイン(電子契約)", "FumiSign (e-signature)", "フミサイン", "product", 28_000, complements=("FF-FLOW",)),
    Item(
        "FF-FLOW", "フミフロー(承認ワークフロー)", "FumiFlow (approvals)", "フミフロー", "product", 36_000, complements=("FS-SIGN",)
    ),
    Item("FL-LENS", "フミレンズ(分析)", "FumiLens (analytics)", "フミレンズ", "product", 45_000, complements=("FC-LINK",)),
    Item(
        "FC-LINK",
        "フミコネクト(外部連携)",
        "FumiConnect (integrations)",
        "フミコネクト",
        "product",
        32_000,
        complements=("FL-LENS",),
    ),
)
SEAT = Item("FK-SEAT", "追加席", "Extra seat", "フミクラ", "seat", 1200, margin=85)
CAPACITY = Item(
    "FK-CAP100", "追加容量 100GB", "Extra 100 GB", "フミクラ", "capacity", 6_000, quota=(("storage_gb", 100),), margin=65
)
ADDONS = (
    Item("FA-AUDIT", "監査ログ長期保管", "Long-term audit log", "フミクラ", "addon", 15_000, margin=88),
    Item("FA-SUPPORT", "プレミアムサポート", "Premium support", "サポート", "addon", 30_000, margin=55),
)
SERVICES = (
    Item("SV-START", "導入支援", "Onboarding service", "サービス", "service", 300_000, margin=40),
    Item("SV-TRAIN", "活用研修", "Training", "サービス", "service", 120_000, margin=45),
)
CATALOGUE = (*PLANS, SEAT, CAPACITY, *ADDONS, *PRODUCTS, *SERVICES)
ITEMS = {item.code: item for item in CATALOGUE}
PAIRS = (("FS-SIGN", "FF-FLOW"), ("FL-LENS", "FC-LINK"))


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric that the product reports per customer and day."""

    key: str
    kind: str
    unit: str
    label_ja: str
    label_en: str


MEASURES = (
    Measure("seats_used", "gauge", "席", "利用席数", "Seats in use"),
    Measure("storage_gb", "gauge", "GB", "ストレージ使用量", "Storage in use"),
    Measure("api_links", "gauge", "件", "API連携数", "API links"),
    Measure("logins", "counter", "回", "ログイン", "Logins"),
    Measure("exports", "counter", "回", "ファイル出力", "File exports"),
    Measure("shares", "counter", "回", "社外共有", "Shares"),
    Measure("feature.search", "counter", "回", "全文検索", "Full-text search"),
    Measure("feature.upload", "counter", "回", "文書の登録", "Documents filed"),
    Measure("feature.dashboard", "counter", "回", "ダッシュボード", "Dashboard"),
    Measure("feature.csv_export", "counter", "回", "CSV出力", "CSV export"),
    Measure("feature.audit_log", "counter", "回", "監査ログの閲覧", "Audit log views"),
    Measure("feature.workflow", "counter", "回", "承認ワークフロー", "Approvals"),
    Measure("feature.esign", "counter", "回", "電子契約", "E-signatures"),
    Measure("feature.analytics", "counter", "回", "分析レポート", "Analytics reports"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works for the vendor and logs in."""

    email: str
    name: str
    role: str
    scope: str
    team: str = ""


TEAMS = (("east", "東日本CSチーム"), ("west", "西日本CSチーム"))
_REPS = (
    ("tanaka", "田中 優"), ("sato", "佐藤 彩"), ("suzuki", "鈴木 大輔"), ("takahashi", "高橋 美咲"), ("ito", "伊藤 健"),
    ("watanabe", "渡辺 葵"), ("nakamura", "中村 亮"), ("kobayashi", "小林 真由"), ("kato", "加藤 翔"), ("yoshida", "吉田 千尋"),
)  # fmt: skip
MANAGER = Person(f"ono@{MAIL_DOMAIN}", "大野 真理", "manager", "all")
ADMIN = Person(f"yamamoto@{MAIL_DOMAIN}", "山本 誠", "admin", "all")
VIEWER = Person(f"ogawa@{MAIL_DOMAIN}", "小川 恵", "viewer", "all")
SALES = (f"mori@{MAIL_DOMAIN}", f"aoki@{MAIL_DOMAIN}", f"hayashi@{MAIL_DOMAIN}")
PRODUCT_OWNER = f"ri@{MAIL_DOMAIN}"
MARKETING_OWNER = f"nishida@{MAIL_DOMAIN}"


def reps(number: int) -> list[Person]:
    """Return that many reps, the first half in the east team, the others in the west team."""
    named = [(f"{key}@{MAIL_DOMAIN}", name) for key, name in _REPS[:number]]
    named += [(f"rep{i:03}@{MAIL_DOMAIN}", f"担当 {i:03}") for i in range(len(named) + 1, number + 1)]
    half = (number + 1) // 2
    return [Person(email, name, "rep", "team", TEAMS[0 if i < half else 1][0]) for i, (email, name) in enumerate(named)]


_USD = {
    2018: "106.50",
    2019: "110.90",
    2020: "107.40",
    2021: "110.60",
    2022: "122.40",
    2023: "133.50",
    2024: "151.20",
    2025: "149.50",
}


def fx_rates(company: Company, through: date) -> list[tuple[date, str, Decimal]]:
    """Return the rates set at the start of each fiscal year (April), from before the first contract on."""
    first = company.first_day.year - 7
    days = [date(year, 4, 1) for year in range(first, through.year + 1)]
    return [(day, "USD", Decimal(_USD.get(day.year, "150.00"))) for day in days if day <= through]


def costs(company: Company, through: date) -> list[tuple[date, str, Decimal]]:
    """Return what each whole month cost, by kind: about half of what such a vendor earns."""
    rows = []
    month = date(company.first_day.year, company.first_day.month, 1)
    while month <= through:
        last = date(month.year, month.month, calendar.monthrange(month.year, month.month)[1])
        if last <= through:
            # The book grows by about 1.2 % a month towards as_of.
            months_away = (company.as_of.year - month.year) * 12 + company.as_of.month - month.month
            revenue = company.customers * 120_000 * (1 - 0.012 * max(-24, min(months_away, 40)))
            season = 1.15 if month.month in (3, 9) else 1.0
            for kind, share in (("sales", 0.10 * season), ("marketing", 0.08), ("cs", 0.07), ("cogs", 0.22)):
                rows.append((month, kind, Decimal(round(revenue * share / 1000) * 1000)))
        month = add_months(month, 1)
    return rows
