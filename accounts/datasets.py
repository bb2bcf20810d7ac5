"""What can be imported: every dataset with its columns, their names in both languages, and what they may hold.

Plain data, no Django: parsing and checking read it, pages and the API list it.  ``key`` names the
columns that make a row of a source the same row again; the source belongs to it where a table
is shared by sources.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Literal

Kind = Literal[
    "text", "choice", "date", "last_day", "month", "instant", "decimal", "integer", "number", "boolean", "currency", "email",
    "corporate_number", "codes", "quota", "json",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column: ``ja`` and ``en`` are the header names it is known by besides its own, the first the one to show.

    ``to`` is the field it is stored in (empty: not stored as it is), ``default`` what an empty
    cell becomes.  ``choices`` maps each code to what else people write for it.
    """

    name: str
    kind: Kind
    ja: tuple[str, ...]
    en: tuple[str, ...] = ()
    required: bool = False
    to: str = ""
    default: Any = None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    length: int = 0
    least: Decimal | None = None
    most: Decimal | None = None
    places: int = 2
    digits: int = 18

    @property
    def label_ja(self) -> str:
        return self.ja[0]

    @property
    def label_en(self) -> str:
        return self.en[0] if self.en else self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Dataset:
    """One kind of file.  ``has_customer`` says that each row belongs to a customer and may have to wait for it."""

    name: str
    ja: str
    en: str
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    has_customer: bool = True
    has_source: bool = True

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)


def plain_header(text: str) -> str:
    """Return a header without what does not count: case, width, spaces, underscores, hyphens."""
    return re.sub(r"[\s_\-\ufeff*]+", "", unicodedata.normalize("NFKC", text).casefold())


def header_names(dataset: Dataset) -> dict[str, str]:
    """Return plain header → column name, for every name in both languages."""
    return {plain_header(name): column.name for column in dataset.columns for name in (column.name, *column.en, *column.ja)}


def _column(name: str, kind: Kind, ja: str, en: str = "", **more: Any) -> Column:
    """Write a column in one line; several names of a language are parted by a slash."""
    more.setdefault("to", name)
    if kind in {"text", "email", "choice", "currency", "corporate_number"}:
        more.setdefault("default", "")
    return Column(name, kind, tuple(ja.split("/")), tuple(en.split("/")) if en else (), **more)


def _id(name: str, ja: str, en: str, *, required: bool = True) -> Column:
    return _column(name, "text", ja, en, required=required, to="external_id", length=120)


_ZERO = Decimal(0)
_CUSTOMER = _column(
    "customer_id",
    "text",
    "顧客ID/顧客コード/顧客番号/取引先ID",
    "Customer ID/Customer code",
    required=True,
    to="customer_id",
    length=120,
)
_CURRENCY = _column("currency", "currency", "通貨", "Currency")
_CODES = "商品コード/製品コード/プランコード"
_PRODUCT = _column("product_code", "text", _CODES, "Product code/SKU", to="product_id", length=60)
_QUANTITY = _column("quantity", "decimal", "数量/席数/ライセンス数", "Quantity/Seats", digits=14)
_CONTACT = _column("contact_id", "text", "担当者ID/連絡先ID", "Contact ID", to="contact_id", length=120)
_MANY: dict[str, Any] = {"least": _ZERO, "most": Decimal(2_000_000_000)}
_MONTHS: dict[str, Any] = {"default": 1, "least": Decimal(1), "most": Decimal(1200)}
_MARGIN: dict[str, Any] = {"least": Decimal(-100), "most": Decimal(100), "digits": 5}
_PROGRESS: dict[str, Any] = {"least": _ZERO, "most": Decimal(100), "digits": 5}
_PERCENT: dict[str, Any] = {"least": _ZERO, "most": Decimal(100), "digits": 6}

PHASES = {"considering": ("検討",), "onboarding": ("導入初期", "導入"), "ongoing": ("継続",), "periodic": ("定期フォロー",)}
CONTACT_ROLES = {
    "decision_maker": ("決裁者", "decision maker"), "executive": ("役員", "経営層"), "champion": ("推進者", "旗振り役"),
    "user": ("利用者", "ユーザー"), "billing": ("経理", "請求"),
}  # fmt: skip
PRODUCT_KINDS = {
    "plan": ("プラン",), "seat": ("席", "シート", "ライセンス"), "capacity": ("容量",),
    "addon": ("オプション", "アドオン", "add-on"), "product": ("製品", "商品"), "service": ("サービス", "役務"),
}  # fmt: skip
LINE_STATUSES = {
    "trial": ("トライアル", "試用"), "active": ("契約中", "有効"), "paused": ("休止", "一時停止"),
    "past_due": ("支払遅延", "延滞", "past due"), "cancelled": ("解約", "解約済み", "canceled"),
}  # fmt: skip
ORDER_KINDS = {
    "one_off": ("単発", "one-off"),
    "renewal": ("更新",),
    "upgrade": ("アップグレード",),
    "addon": ("追加", "オプション", "add-on"),
}
METRIC_KINDS = {"counter": ("回数", "カウンタ"), "gauge": ("残高", "ゲージ"), "distinct": ("異なり数", "distinct count")}
SEVERITIES = {"p1": ("1",), "p2": ("2",), "p3": ("3",), "p4": ("4",)}
TICKET_STATUSES = {"open": ("対応中", "新規"), "pending": ("保留",), "solved": ("解決", "解決済み"), "closed": ("完了", "クローズ")}
TOUCH_KINDS = {"meeting": ("打ち合わせ", "商談", "訪問"), "call": ("電話",), "mail": ("メール", "email"), "proposal": ("提案",)}
RESULTS = {"won": ("受注", "成約"), "lost": ("失注",)}
OPPORTUNITY_KINDS = {
    "upsell": ("アップセル",),
    "cross_sell": ("クロスセル", "cross-sell"),
    "renewal": ("更新",),
    "downsell": ("ダウンセル",),
}
COST_KINDS = {
    "sales": ("営業",),
    "marketing": ("マーケティング",),
    "cs": ("CS", "カスタマーサクセス"),
    "cogs": ("原価", "売上原価"),
}
EVENT_KINDS = {
    "trial_started": ("トライアル開始",), "trial_applied": ("トライアル申込",), "trial_ended": ("トライアル終了",),
    "webinar_registered": ("ウェビナー申込",), "webinar_attended": ("ウェビナー参加",), "event_attended": ("イベント参加",),
    "feature_requested": ("機能要望",), "feature_released": ("要望機能の公開",), "feature_viewed": ("機能閲覧",),
    "feature_tried": ("機能試用",), "life_event.new_business": ("新規事業",), "life_event.merger": ("合併",),
    "life_event.reorganisation": ("組織改編",), "life_event.overseas": ("海外展開",), "life_event.headcount": ("増員",),
    "adjacent_problem": ("周辺課題",), "competitor_mentioned": ("競合の話題",), "contract_review_asked": ("契約見直しの相談",),
    "cancellation_considered": ("解約検討",), "over_budget": ("予算超過",), "budget_freeze": ("予算凍結",),
    "document_downloaded": ("資料ダウンロード",), "demo_requested": ("デモ依頼",), "problem_solved": ("課題解決",),
    "referral_made": ("紹介",), "security_need": ("セキュリティ要件",), "churn_reported": ("解約の報告",),
}  # fmt: skip


_CUSTOMERS = Dataset(
    "customers", "顧客", "Customers", "accounts_customer",
    (
        _CUSTOMER,
        _column("name", "text", "顧客名/会社名/企業名/取引先名", "Name/Customer name/Company name", required=True, length=200),
        _column("name_kana", "text", "顧客名カナ/フリガナ/会社名カナ", "Name in kana", length=200),
        _column("domain", "text", "ドメイン", "Domain/Website", length=200),
        _column("corporate_number", "corporate_number", "法人番号", "Corporate number"),
        _column("industry", "text", "業種/業界", "Industry", length=80),
        _column("employees", "integer", "従業員数/社員数", "Employees/Headcount", **_MANY),
        _column("country", "text", "国", "Country", length=80),
        _column("region", "text", "地域/都道府県", "Region/Prefecture", length=80),
        _CURRENCY,
        _column("phase", "choice", "フェーズ/段階", "Phase", choices=PHASES),
        _column("owner_email", "email", "CS担当メール/担当メール/CS担当", "Owner e-mail/CS owner e-mail"),
        _column("sales_owner_email", "email", "営業担当メール", "Sales owner e-mail"),
        _column("product_owner_email", "email", "プロダクト担当メール/製品担当メール", "Product owner e-mail"),
        _column("marketing_owner_email", "email", "マーケティング担当メール", "Marketing owner e-mail"),
        _column("parent_customer_id", "text", "親顧客ID/親会社ID", "Parent customer ID", to="parent_id", length=120),
        _column("acquired_on", "date", "獲得日/初回契約日", "Acquired on"),
        _column("acquisition_cost", "decimal", "獲得費用/獲得コスト", "Acquisition cost", least=_ZERO),
    ),
    key=("customer_id",), has_source=False,
)  # fmt: skip

_CONTRACT_LINES = Dataset(
    "contract_lines", "契約明細", "Contract lines", "accounts_contractline",
    (
        _CUSTOMER,
        _column("line_id", "text", "契約明細ID/明細ID/明細番号", "Line ID", required=True, length=120),
        _column("contract_id", "text", "契約ID/契約番号", "Contract ID", length=120),
        _column("product_code", "text", _CODES, "Product code/SKU", required=True, to="product_id", length=60),
        _column("starts_on", "date", "契約開始日/開始日", "Starts on/Start date", required=True),
        _column("ends_on", "last_day", "契約終了日/終了日/契約満了日", "Ends on/End date", to=""),
        _column("ends_before", "last_day", "終了日の翌日/契約終了日の翌日", "Ends before"),
        _column("renews_on", "date", "更新日/契約更新日", "Renews on/Renewal date"),
        _QUANTITY,
        _column("amount", "decimal", "金額/請求金額/契約金額", "Amount", least=_ZERO, places=6, digits=22),
        _column("billing_months", "integer", "請求月数/請求期間/請求サイクル", "Billing months", **_MONTHS),
        _column("mrr", "decimal", "MRR/月額/月次経常収益", "MRR/Monthly recurring revenue", least=_ZERO),
        _CURRENCY,
        _column("list_price", "decimal", "定価/標準価格", "List price", least=_ZERO),
        _column("discount_percent", "decimal", "割引率/値引率", "Discount percent", **_PERCENT),
        _column("auto_renew", "boolean", "自動更新", "Auto-renew/Automatic renewal"),
        _column("notice_days", "integer", "解約予告日数/予告日数", "Notice days/Notice period", least=_ZERO, most=Decimal(3660)),
        _column("trial_ends_on", "date", "トライアル終了日/試用終了日", "Trial ends on"),
        _column("paused_from", "date", "休止開始日", "Paused from"),
        _column("paused_before", "date", "休止終了日の翌日/再開日", "Paused before/Resumes on"),
        _column("past_due_since", "date", "支払遅延開始日/延滞開始日", "Past due since"),
        _column("co_term", "boolean", "契約期間合わせ/コターム", "Co-term", to="is_co_term", default=False),
        _column("status", "choice", "契約状態/状態/ステータス", "Status", choices=LINE_STATUSES),
        _column("cancelled_on", "date", "解約申出日/解約通知日", "Cancelled on/Notice given on"),
    ),
    key=("line_id", "starts_on"),
)  # fmt: skip

DATASETS: Final[Mapping[str, Dataset]] = MappingProxyType({
    dataset.name: dataset
    for dataset in (
        _CUSTOMERS,
        Dataset(
            "contacts", "連絡先", "Contacts", "accounts_contact",
            (
                _CUSTOMER,
                _id("contact_id", "担当者ID/連絡先ID", "Contact ID"),
                _column("name", "text", "氏名/名前/担当者名", "Name/Full name", required=True, length=120),
                _column("email", "email", "メール/メールアドレス", "E-mail"),
                _column("title", "text", "役職", "Title/Job title", length=80),
                _column("department", "text", "部署/部門", "Department", length=80),
                _column("role", "choice", "役割", "Role", choices=CONTACT_ROLES),
                _column("opted_out", "boolean", "配信停止/オプトアウト", "Opted out", to="has_opted_out", default=False),
            ),
            key=("contact_id",),
        ),
        Dataset(
            "products", "商品", "Products", "accounts_product",
            (
                _column("product_code", "text", _CODES, "Product code/SKU", required=True, to="code", length=60),
                _column("name", "text", "商品名/製品名/プラン名", "Name/Product name", required=True, length=120),
                _column("name_en", "text", "商品名（英語）/英語名", "English name", length=120),
                _column("family", "text", "系列/製品系列", "Family", length=60),
                _column("kind", "choice", "種類/種別", "Kind", required=True, choices=PRODUCT_KINDS),
                _column("tier", "integer", "段階/プラン段階/等級", "Tier", least=_ZERO, most=Decimal(32_767)),
                _column("list_price", "decimal", "定価/標準価格", "List price", least=_ZERO),
                _column("billing_months", "integer", "請求月数/請求期間", "Billing months", **_MONTHS),
                _CURRENCY,
                _column("gross_margin_percent", "decimal", "粗利率", "Gross margin percent", **_MARGIN),
                _column("included_seats", "integer", "含まれる席数/基本席数", "Included seats", **_MANY),
                _column("included_quota", "quota", "含まれる利用枠/利用枠", "Included quota", default={}),
                _column("complements", "codes", "関連商品/補完商品", "Complements/Related products", default=[]),
            ),
            key=("product_code",), has_customer=False, has_source=False,
        ),
        _CONTRACT_LINES,
        Dataset(
            "orders", "注文", "Orders", "accounts_order",
            (
                _CUSTOMER,
                _id("order_id", "注文ID/注文番号/受注番号", "Order ID"),
                _column("ordered_on", "date", "注文日/受注日", "Ordered on/Order date", required=True),
                _column("amount", "decimal", "金額/注文金額/受注金額", "Amount", required=True),
                _CURRENCY, _PRODUCT, _QUANTITY,
                _column("kind", "choice", "種類/種別", "Kind", choices=ORDER_KINDS, default="one_off"),
            ),
            key=("order_id",),
        ),
        Dataset(
            "usage", "利用量", "Usage", "accounts_usagedaily",
            (
                _CUSTOMER,
                _column("metric", "text", "指標/メトリクス", "Metric", required=True, to="metric_id", length=80),
                _column("day", "date", "日付/利用日", "Day/Date", required=True),
                _column("value", "number", "値/利用量/数値", "Value", required=True, least=_ZERO, most=Decimal(10) ** 15),
            ),
            key=("customer_id", "metric", "day"), has_source=False,
        ),
        Dataset(
            "metrics", "指標", "Metrics", "accounts_metric",
            (
                _column("metric", "text", "指標/メトリクス", "Metric", required=True, to="key", length=80),
                _column("kind", "choice", "種類/種別", "Kind", required=True, choices=METRIC_KINDS),
                _column("unit", "text", "単位", "Unit", length=20),
                _column("label_ja", "text", "名称/日本語名", "Japanese label", length=80),
                _column("label_en", "text", "英語名", "English label/Label", length=80),
            ),
            key=("metric",), has_customer=False, has_source=False,
        ),
        Dataset(
            "activity", "利用者の活動", "User activity", "accounts_activitydaily",
            (
                _CUSTOMER,
                _column("user_id", "text", "利用者ID/ユーザーID", "User ID", required=True, to="user_key", length=120),
                _column("day", "date", "日付/利用日", "Day/Date", required=True),
                _column("department", "text", "部署/部門", "Department", length=80),
                _column("events", "integer", "操作数/イベント数", "Events", default=0, **_MANY),
                _column("minutes", "number", "利用時間（分）/分", "Minutes", least=_ZERO, most=Decimal(1_000_000)),
            ),
            key=("customer_id", "user_id", "day"), has_source=False,
        ),
        Dataset(
            "tickets", "問い合わせ", "Tickets", "accounts_ticket",
            (
                _CUSTOMER,
                _id("ticket_id", "問い合わせID/チケットID/問い合わせ番号", "Ticket ID"),
                _column("opened_at", "instant", "受付日時/起票日時/受付日", "Opened at/Created at", required=True),
                _column("closed_at", "instant", "完了日時/解決日時/完了日", "Closed at"),
                _column("severity", "choice", "重要度/緊急度", "Severity/Priority", choices=SEVERITIES),
                _column("status", "choice", "状態/ステータス", "Status", choices=TICKET_STATUSES),
                _column("satisfaction", "decimal", "満足度", "Satisfaction/CSAT", least=Decimal(1), most=Decimal(5), digits=3),
                _column("theme", "text", "テーマ/分類/件名", "Theme/Subject", length=200),
                _column("escalated", "boolean", "エスカレーション/エスカレ", "Escalated", to="is_escalated", default=False),
            ),
            key=("ticket_id",),
        ),
        Dataset(
            "nps", "NPS回答", "NPS answers", "accounts_npsresponse",
            (
                _CUSTOMER,
                _id("response_id", "回答ID/回答番号", "Response ID", required=False),
                _CONTACT,
                _column("email", "email", "メール/メールアドレス", "E-mail", to=""),
                _column("responded_on", "date", "回答日", "Responded on", required=True),
                _column("score", "integer", "点数/スコア/推奨度", "Score", required=True, least=_ZERO, most=Decimal(10)),
                _column("comment", "text", "コメント/自由記述", "Comment", length=20_000),
            ),
            key=("response_id",),
        ),
        Dataset(
            "events", "出来事", "Events", "accounts_event",
            (
                _CUSTOMER,
                _id("event_id", "イベントID/出来事ID", "Event ID"),
                _column("kind", "choice", "種類/種別", "Kind", required=True, choices=EVENT_KINDS),
                _column("occurred_at", "instant", "発生日時/発生日", "Occurred at", required=True),
                _column("detail", "json", "詳細", "Detail", default={}),
            ),
            key=("event_id",),
        ),
        Dataset(
            "touches", "接触履歴", "Touches", "accounts_touch",
            (
                _CUSTOMER,
                _id("touch_id", "接触ID/活動ID", "Touch ID"),
                _column("touched_at", "instant", "接触日時/活動日時/活動日", "Touched at", required=True),
                _column("kind", "choice", "種類/種別", "Kind", choices=TOUCH_KINDS),
                _column("by_email", "email", "担当メール", "By e-mail"),
                _CONTACT,
                _column("note", "text", "メモ/内容", "Note", length=20_000),
            ),
            key=("touch_id",),
        ),
        Dataset(
            "opportunities", "商談", "Opportunities", "accounts_opportunity",
            (
                _CUSTOMER,
                _id("opportunity_id", "商談ID/案件ID", "Opportunity ID"),
                _column("opened_on", "date", "開始日/起票日", "Opened on", required=True),
                _column("closed_on", "date", "完了日/クローズ日", "Closed on"),
                _column("stage", "text", "段階/フェーズ", "Stage", length=60),
                _column("result", "choice", "結果", "Result", choices=RESULTS),
                _column("kind", "choice", "種類/種別", "Kind", choices=OPPORTUNITY_KINDS),
                _PRODUCT,
                _column("amount", "decimal", "金額/見込金額", "Amount", least=_ZERO),
                _CURRENCY,
                _column("discount_percent", "decimal", "割引率/値引率", "Discount percent", **_PERCENT),
                _column("competitor", "text", "競合", "Competitor", length=120),
                _column("reason", "text", "理由", "Reason", length=200),
                _column("alert_id", "integer", "アラートID", "Alert ID", least=Decimal(1), most=Decimal(2**62)),
            ),
            key=("opportunity_id",),
        ),
        Dataset(
            "costs", "費用", "Costs", "accounts_cost",
            (
                _column("month", "month", "月/年月", "Month", required=True),
                _column("kind", "choice", "種類/種別", "Kind", required=True, choices=COST_KINDS),
                _column("amount", "decimal", "金額", "Amount", required=True),
                _CURRENCY,
            ),
            key=("month", "kind", "currency"), has_customer=False, has_source=False,
        ),
        Dataset(
            "invoices", "請求", "Invoices", "accounts_invoice",
            (
                _CUSTOMER,
                _id("invoice_id", "請求ID/請求書番号/請求番号", "Invoice ID"),
                _column("invoiced_on", "date", "請求日", "Invoiced on/Invoice date", required=True),
                _column("amount", "decimal", "金額/請求金額", "Amount", required=True),
                _CURRENCY,
                _column("due_on", "date", "支払期日/支払期限", "Due on/Due date"),
                _column("paid_on", "date", "入金日/支払日", "Paid on"),
                _column("status", "text", "状態/ステータス", "Status", length=20),
                _column("line_id", "text", "契約明細ID/明細ID", "Line ID", length=120),
            ),
            key=("invoice_id",),
        ),
        Dataset(
            "fx_rates", "為替レート", "Exchange rates", "accounts_fxrate",
            (
                _column("valid_from", "date", "適用開始日", "Valid from", required=True),
                _column("currency", "currency", "通貨", "Currency", required=True),
                _column("rate", "decimal", "レート/換算レート", "Rate", required=True, least=Decimal("0.00000001"), places=8),
            ),
            key=("currency", "valid_from"), has_customer=False, has_source=False,
        ),
        Dataset(
            "departments", "部署", "Departments", "accounts_department",
            (
                _CUSTOMER,
                _column("department", "text", "部署/部門", "Department", required=True, to="name", length=80),
                _column("headcount", "integer", "人数", "Headcount", **_MANY),
                _column("may_use", "boolean", "利用可/利用対象", "May use", default=True),
                _column("as_of", "date", "時点/基準日", "As of", required=True),
            ),
            key=("customer_id", "department", "as_of"), has_source=False,
        ),
        Dataset(
            "projects", "プロジェクト", "Projects", "accounts_project",
            (
                _CUSTOMER,
                _id("project_id", "プロジェクトID", "Project ID"),
                _column("progress_percent", "decimal", "進捗率/進捗", "Progress percent", required=True, **_PROGRESS),
                _column("as_of", "date", "時点/基準日", "As of", required=True),
            ),
            key=("project_id", "as_of"),
        ),
        Dataset(
            "surveys", "アンケート", "Surveys", "accounts_surveyanswer",
            (
                _CUSTOMER,
                _id("response_id", "回答ID/回答番号", "Response ID"),
                _column("responded_on", "date", "回答日", "Responded on", required=True),
                _column("question", "text", "質問/設問", "Question", required=True, length=200),
                _column("score", "decimal", "点数/スコア", "Score", required=True, digits=8),
            ),
            key=("response_id", "question"),
        ),
    )
})  # fmt: skip

_GAUGES = re.compile(
    r"^(seats|storage|licen[cs]es|api_links|integrations|departments)|(_used|_gb|_mb|_tb|_bytes|_percent|_ratio|_rate|_balance)$"
)


def guessed_metric_kind(key: str) -> Literal["counter", "gauge"]:
    """Return what a metric that nobody described is taken for.

    What is measured (seats…, storage…, licences…, api_links, integrations, departments, or a name
    that ends in _used, _gb, _mb, _tb, _bytes, _percent, _ratio, _rate, _balance) is a gauge, everything
    else a counter.  Never distinct: that cannot be told from a name.  Import ``metrics`` to say otherwise.
    """
    return "gauge" if _GAUGES.search(key) else "counter"
