"""Every term that a rule or a health measure can use: what it is, its unit, its window, where it comes from.

One definition per term, in both languages; pages, evidence, explanations and the rule
dictionary print these texts.  A term is missing (NaN) where its source cannot tell; what
that means is said by ``missing``, a key of MISSING.
"""

# ruff: noqa: E501
from __future__ import annotations

import math
from dataclasses import dataclass

from expansion import formats

# Why a term can be missing, in both languages.
MISSING = {
    "never": ("必ず値がある", "always known"),
    "no_contract": ("有効な契約がない", "no running contract"),
    "no_limit": ("契約に上限がない、または利用の記録がない", "the contract sets no limit, or no usage is recorded"),
    "no_feed": ("期間内に利用データが届いていない", "no usage data arrived in the window"),
    "no_base": ("比べる前の期間に利用がない", "nothing to compare with in the period before"),
    "no_activity": ("利用者ごとの記録がない", "no activity per user is recorded"),
    "no_renewal": ("更新日が登録されていない", "no renewal date is recorded"),
    "no_trial": ("トライアルの記録がない", "no trial is recorded"),
    "no_answers": ("12か月以内の回答がない", "no answer in the last 12 months"),
    "no_tickets": ("問い合わせデータを取り込んでいない", "no support data was imported"),
    "no_ratings": ("90日以内の評価がない", "no rating in the last 90 days"),
    "no_touches": ("接点の記録がない", "no contact is recorded"),
    "no_catalogue": ("商品マスターに情報がない", "the catalogue does not tell"),
    "no_purchase": ("購入の記録がない", "no purchase is recorded"),
    "no_usage": ("利用の記録がない", "no use is recorded"),
    "insufficient": ("データ不足でスコアを出していない", "the score is withheld for lack of data"),
    "no_past_score": ("30日前のスコアがない", "there is no score of 30 days ago"),
}


@dataclass(frozen=True, slots=True)
class Term:
    """One number per customer and day.  ``dataset`` is where it comes from, ``window_days`` how far it looks back."""

    key: str
    name_ja: str
    name_en: str
    unit: str
    dataset: str
    missing: str
    definition_ja: str
    definition_en: str
    window_days: int | None = None
    dtype: str = "f4"
    noun: str = ""
    has_daily: bool = False
    is_score: bool = False
    is_internal: bool = False

    def name(self, language: str) -> str:
        return self.name_ja if language == "ja" else self.name_en

    def definition(self, language: str) -> str:
        return self.definition_ja if language == "ja" else self.definition_en

    def missing_text(self, language: str) -> str:
        return MISSING[self.missing][0 if language == "ja" else 1]


UNITS = (
    "ratio", "count", "days", "points", "money", "per_week", "change", "flag", "times", "score", "minutes", "code",
)  # fmt: skip

_CONTRACT = (
    Term("mrr", "MRR", "MRR", "money", "contract_lines", "never", "有料期間中の契約明細の月額の合計。トライアル中・休止中は0",
         "Monthly recurring revenue of the lines in force; 0 while on trial or paused", dtype="f8"),
    Term("arr", "年額", "ARR", "money", "contract_lines", "never", "有料期間中の契約明細の年額の合計",
         "Yearly recurring revenue of the lines in force", dtype="f8"),
    Term("seats", "契約席数", "Seats under contract", "count", "contract_lines", "no_contract", "有料期間中のプランと席の明細の席数の合計",
         "Seats of the plan and seat lines in force", noun="seats"),
    Term("seats_used", "利用席数", "Seats in use", "count", "usage", "no_feed", "14日以内で最新の利用席数",
         "The newest number of seats in use, not older than 14 days", 14, noun="seats", has_daily=True),
    Term("seats_used_ratio", "席の使用率", "Seats in use, share", "ratio", "usage", "no_limit", "利用席数 ÷ 現在の契約席数",
         "Seats in use ÷ the seats under contract today", 14, "f8", has_daily=True),
    Term("seats_left", "残りの席", "Seats left", "count", "usage", "no_limit", "契約席数 − 利用席数", "Seats under contract − seats in use", 14,
         noun="seats", has_daily=True),
    Term("seats_full_days", "席の使用率90%以上の連続日数", "Days in a row with 90% of seats in use", "days", "usage", "no_limit",
         "今日までさかのぼって、席の使用率が90%以上だった連続日数(最大91日)", "Days in a row up to today with at least 90% of the seats in use (91 at most)", 91),
    Term("days_to_seat_limit", "席の上限までの日数", "Days until the seats are full", "days", "usage", "no_limit",
         "直近28日の増え方が続くとき、席が上限に達するまでの日数。増えていなければ欠損",
         "Days until all seats are in use at the pace of the last 28 days; missing where use does not grow", 28),
    Term("quota_used_ratio", "契約容量の使用率", "Quota in use", "ratio", "usage", "no_limit",
         "契約に上限のある指標のうち、使用率が最も高いもの(累計の指標は直近28日の合計)",
         "The highest share in use among the metrics that the contract limits (a counter: its sum of 28 days)", 28, "f8", has_daily=True),
    Term("storage_used_ratio", "ストレージの使用率", "Storage in use", "ratio", "usage", "no_limit", "ストレージ使用量 ÷ 契約のストレージ容量",
         "Storage in use ÷ the storage under contract", 14, "f8", has_daily=True),
    Term("days_to_quota_limit", "容量の上限までの日数", "Days until the quota is full", "days", "usage", "no_limit",
         "直近28日の増え方が続くとき、容量が上限に達するまでの日数。増えていなければ欠損",
         "Days until the quota is full at the pace of the last 28 days; missing where use does not grow", 28),
    Term("days_to_renewal", "更新までの日数", "Days to renewal", "days", "contract_lines", "no_renewal", "最も近い更新日までの日数",
         "Days until the nearest renewal date of a line in force"),
    Term("days_to_notice", "解約通知期限までの日数", "Days to the notice deadline", "days", "contract_lines", "no_renewal",
         "更新日から通知期間を引いた日までの日数(通知期間がなければ更新日)", "Days until the renewal date less the notice period (the renewal date where there is none)"),
    Term("auto_renew", "自動更新", "Renews by itself", "flag", "contract_lines", "no_renewal", "次に更新する明細が自動更新か",
         "Whether the line that renews next does so by itself"),
    Term("renewing_arr", "更新対象の年額", "ARR up for renewal", "money", "contract_lines", "no_renewal", "最も近い更新日に更新する明細の年額の合計",
         "Yearly revenue of the lines that renew on the nearest renewal date", dtype="f8"),
    Term("days_since_first_paid", "有料開始からの日数", "Days since the first paid day", "days", "contract_lines", "no_contract",
         "最初の有料契約の開始からの日数", "Days since the first day of the first paid line"),
    Term("open_trials", "進行中のトライアル", "Trials under way", "count", "contract_lines", "never",
         "今日がトライアル期間に入っている明細と、開始して終了していないトライアルの数", "Lines on trial today and trials that started and did not end", noun="items"),
    Term("days_since_trial_started", "トライアル開始からの日数", "Days since the trial started", "days", "events", "no_trial",
         "最後に始まったトライアルからの日数", "Days since the newest trial started"),
    Term("products_owned", "保有製品数", "Products owned", "count", "contract_lines", "never", "有効な明細の商品の種類数", "Different products with a line in force",
         noun="products"),
    Term("missing_complements", "未導入の関連製品", "Related products not owned", "count", "products", "no_catalogue",
         "保有製品と相性のよい製品のうち、まだ契約していない数", "Products that go well with those owned and are not owned yet", noun="products"),
)  # fmt: skip

_USAGE = (
    Term("usage_7", "直近7日の利用回数", "Uses in 7 days", "count", "usage", "no_feed", "機能の利用回数の合計(直近7日)", "Feature uses in the last 7 days", 7,
         noun="times"),
    Term("usage_28", "直近28日の利用回数", "Uses in 28 days", "count", "usage", "no_feed", "機能の利用回数の合計(直近28日)", "Feature uses in the last 28 days", 28,
         noun="times"),
    Term("usage_91", "直近91日の利用回数", "Uses in 91 days", "count", "usage", "no_feed", "機能の利用回数の合計(直近91日)", "Feature uses in the last 91 days", 91,
         noun="times"),
    Term("usage_change_28", "利用回数の変化(28日)", "Change in use over 28 days", "change", "usage", "no_base",
         "直近28日の1営業日あたりの利用回数が、その前の28日からどれだけ変わったか。休業日(土日祝・年末年始・お盆)は、その取引先が休業日にも使う割合で数える(56日より前から使っている取引先だけ)", "How uses per working day of the last 28 days differ from those of the 28 days before; days off (weekends, holidays, New Year, Obon) count as far as the account uses them (only for accounts that used it already before those)", 56, "f8"),
    Term("active_days_28", "直近28日の利用日数", "Days in use of 28", "days", "usage", "no_usage", "機能の利用または利用者の操作があった日数(直近28日)",
         "Days of the last 28 with feature use or user activity", 28),
    Term("active_days_ratio", "営業日に対する利用日数", "Days in use per working day", "ratio", "usage", "no_usage", "直近28日の利用日数 ÷ その間の営業日数(最大100%)",
         "Days in use of the last 28 ÷ the working days among them, at most 100%", 28, "f8"),
    Term("feature_burst_ratio", "一つの機能の急な伸び", "Burst on one feature", "times", "usage", "no_base",
         "機能ごとに、直近7日の1営業日あたり回数 ÷ その前91日の1営業日あたり回数(休業日の数え方は利用回数の変化と同じ)。最も高い機能の値(週7回以上で、前91日の前半にも使われた機能だけ。前の平均が週1回未満なら週1回とみなす)",
         "Per feature, uses per working day of the last 7 days ÷ those of the 91 days before (days off as for the change in use); the highest, among features used at least 7 times that were in use in the first half of the base already (a base below one use a week is taken as one)", 98, "f8"),
    Term("feature_burst_uses_7", "急に伸びた機能の週の回数", "Uses of the bursting feature in 7 days", "per_week", "usage", "no_base",
         "最も急に伸びた機能の直近7日の回数", "Uses in the last 7 days of the feature that grew most", 7),
    Term("feature_weekly_uses", "最も使う機能の週あたり回数", "Weekly uses of the most used feature", "per_week", "usage", "no_feed",
         "最も使われた機能の週あたり利用回数(直近28日の平均)", "Uses a week of the most used feature, on average over the last 28 days", 28, "f8"),
    Term("features_used_28", "使った機能の数", "Features used", "count", "usage", "no_feed", "直近28日に1回以上使った機能の数",
         "Features used at least once in the last 28 days", 28, noun="features"),
    Term("features_used_ratio", "機能の採用率", "Features used, share", "ratio", "usage", "no_feed", "使った機能の数 ÷ 計測している機能の数(直近28日)",
         "Features used ÷ features measured, in the last 28 days", 28, "f8"),
    Term("csv_exports_28", "CSV出力回数(28日)", "CSV exports in 28 days", "count", "usage", "no_feed", "CSV出力の回数(直近28日)", "CSV exports in the last 28 days",
         28, noun="times"),
    Term("api_links", "API連携数", "API links", "count", "usage", "no_feed", "14日以内で最新のAPI連携数", "The newest number of API links, not older than 14 days", 14,
         noun="items", has_daily=True),
    Term("api_links_added_28", "API連携の増加(28日)", "API links added in 28 days", "count", "usage", "no_feed", "28日前から増えたAPI連携数",
         "API links now, less those of 28 days ago", 42, noun="items"),
    Term("shares_28", "共有回数(28日)", "Shares in 28 days", "count", "usage", "no_feed", "ダッシュボードなどの共有回数(直近28日)", "Shares in the last 28 days", 28,
         noun="times"),
    Term("logins_28", "ログイン回数(28日)", "Logins in 28 days", "count", "usage", "no_feed", "ログイン回数(直近28日)。記録がなければ利用者の延べ利用日数",
         "Logins in the last 28 days; where none are recorded, user-days of activity", 28, noun="times"),
)  # fmt: skip

_ACTIVITY = (
    Term("weekly_active_users", "週次アクティブ", "Weekly active users", "count", "activity", "no_activity", "直近7日に操作のあった利用者の数(営業日が3日未満の週は、5営業日ぶんさかのぼる。最大14日)",
         "Different users with activity in the last 7 days (in a week of fewer than 3 working days, as far back as 5 of them reach, 14 days at most)", 7, noun="people"),
    Term("weekly_active_ratio", "週次アクティブ率", "Weekly active share", "ratio", "activity", "no_activity", "週次アクティブ ÷ 契約席数",
         "Weekly active users ÷ seats under contract", 7, "f8"),
    Term("active_users_28", "利用者数(28日)", "Active users in 28 days", "count", "activity", "no_activity", "直近28日に操作のあった利用者の数",
         "Different users with activity in the last 28 days", 28, noun="people"),
    Term("active_users_added_28", "利用者数の増加(28日)", "Active users added in 28 days", "count", "activity", "no_activity", "直近28日の利用者数 − その前28日の利用者数",
         "Active users of the last 28 days, less those of the 28 days before", 56, noun="people"),
    Term("departments_active_28", "利用部門数(28日)", "Departments active in 28 days", "count", "activity", "no_activity", "直近28日に操作のあった部門の数",
         "Different departments with activity in the last 28 days", 28, noun="departments"),
    Term("login_minutes_28", "利用時間(28日)", "Minutes in 28 days", "minutes", "activity", "no_activity", "利用者の利用時間の合計(直近28日)",
         "Minutes of activity of all users in the last 28 days", 28),
)  # fmt: skip

_VOICE = (
    Term("nps", "NPS", "NPS", "points", "nps", "no_answers", "推奨者%−批判者%(12か月以内、1人につき最新の回答)",
         "Promoters % − detractors %, by the latest answer of each person within 12 months", 365),
    Term("nps_answers", "NPSの回答数", "NPS answers", "count", "nps", "never", "NPSに数えた回答の数(12か月以内)", "Answers counted in the NPS, within 12 months", 365,
         noun="items"),
    Term("nps_latest", "最新のNPS回答", "Latest NPS answer", "score", "nps", "no_answers", "12か月以内で最新の回答。決裁者・役員・推進者の回答を優先",
         "The newest answer within 12 months; those of deciders, executives and champions first", 365),
    Term("nps_detractors_90", "批判者の数(90日)", "Detractors in 90 days", "count", "nps", "no_answers", "90日以内の最新の回答が0〜6だった人の数",
         "People whose latest answer, within 90 days, was 0 to 6", 90, noun="people"),
    Term("open_tickets", "未解決の問い合わせ", "Open tickets", "count", "tickets", "no_tickets", "今日の終わりに未解決の問い合わせの数", "Tickets open at the close of the day",
         noun="tickets"),
    Term("open_p1_tickets", "未解決の重大な問い合わせ", "Open P1 tickets", "count", "tickets", "no_tickets", "未解決の重大度P1の問い合わせの数", "Open tickets of severity P1",
         noun="tickets"),
    Term("open_escalations", "未解決のエスカレーション", "Open escalations", "count", "tickets", "no_tickets", "エスカレーション中で未解決の問い合わせの数",
         "Open tickets that were escalated", noun="tickets"),
    Term("tickets_28", "問い合わせ件数(28日)", "Tickets in 28 days", "count", "tickets", "no_tickets", "直近28日に受けた問い合わせの数", "Tickets opened in the last 28 days",
         28, noun="tickets"),
    Term("satisfaction_90", "問い合わせ満足度(90日)", "Support satisfaction in 90 days", "score", "tickets", "no_ratings", "直近90日に受けた問い合わせの満足度(1〜5)の平均",
         "Mean rating (1–5) of the tickets opened in the last 90 days", 90, "f8"),
)  # fmt: skip

_TOUCHES = (
    Term("contacts_7", "接点の回数(7日)", "Contacts in 7 days", "count", "touches", "never", "直近7日の面談・電話・メール・提案の回数",
         "Meetings, calls, mails and proposals in the last 7 days", 7, noun="times"),
    Term("offers_30", "提案の回数(30日)", "Offers in 30 days", "count", "touches", "never", "直近30日の提案の回数(取り下げたものを除く)",
         "Proposals and offers in the last 30 days that were not withdrawn", 30, noun="offers"),
    Term("days_since_touch", "最後の接点からの日数", "Days since the last contact", "days", "touches", "no_touches", "最後の面談・電話・メール・提案からの日数",
         "Days since the last meeting, call, mail or proposal"),
    Term("days_since_executive_touch", "決裁者との最後の接点からの日数", "Days since the last contact with a decider", "days", "touches", "no_touches",
         "決裁者または役員との最後の接点からの日数", "Days since the last contact with a decider or an executive"),
    Term("days_since_refusal", "最後の見送りからの日数", "Days since the last refusal", "days", "touches", "no_touches", "最後に提案が見送られてからの日数",
         "Days since an offer was last declined"),
    Term("budget_freeze", "予算凍結中", "Budget freeze", "flag", "events", "never", "終了日を過ぎていない予算凍結の記録があるか",
         "Whether a budget freeze is recorded that has not ended"),
)  # fmt: skip

_SCORES = (
    Term("health", "ヘルススコア", "Health score", "points", "scores", "insufficient", "ヘルスの定義で重みづけした総合点(0〜100)",
         "The weighted overall score of the health model, 0 to 100", is_score=True),
    Term("health_change_30", "ヘルスの変化(30日)", "Change of health in 30 days", "points", "scores", "no_past_score", "同じ版の定義での、30日前からのヘルススコアの変化",
         "Health score less that of 30 days ago, by the same version of the model", 30, is_score=True),
    Term("rfm_r", "RFMのR", "RFM recency", "score", "scores", "no_purchase", "最終購入の新しさの5段階(5が最も良い)", "Recency of the last purchase, 1 to 5 (5 is best)",
         is_score=True),
    Term("rfm_f", "RFMのF", "RFM frequency", "score", "scores", "no_purchase", "24か月の購入回数の5段階", "Purchases in 24 months, 1 to 5", 730, is_score=True),
    Term("rfm_m", "RFMのM", "RFM monetary value", "score", "scores", "no_purchase", "12か月の購入額の5段階", "Amount bought in 12 months, 1 to 5", 365, is_score=True),
    Term("rfm_usage_r", "利用RFMのR", "Usage RFM recency", "score", "scores", "no_usage", "最後の利用の新しさの5段階(5が最も良い)", "Recency of the last use, 1 to 5 (5 is best)",
         is_score=True),
    Term("rfm_usage_f", "利用RFMのF", "Usage RFM frequency", "score", "scores", "no_usage", "28日の利用日数の5段階", "Days in use of 28, 1 to 5", 28, is_score=True),
    Term("rfm_usage_m", "利用RFMのM", "Usage RFM monetary value", "score", "scores", "no_usage", "MRRの5段階", "MRR, 1 to 5", is_score=True),
)  # fmt: skip

# Kept in the snapshot for ranks, amounts and lists; no rule is written with them.
_INTERNAL = (
    Term("purchase_recency_days", "最終購入からの日数", "Days since the last purchase", "days", "orders", "no_purchase", "更新以外の最後の購入からの日数",
         "Days since the last purchase that was no unchanged renewal", is_internal=True),
    Term("purchase_frequency", "購入回数(24か月)", "Purchases in 24 months", "count", "orders", "no_purchase", "24か月以内の購入回数", "Purchases within 24 months", 730,
         noun="times", is_internal=True),
    Term("purchase_monetary", "購入額(12か月)", "Amount bought in 12 months", "money", "orders", "no_purchase", "12か月以内の購入額の合計", "Amount bought within 12 months",
         365, "f8", is_internal=True),
    Term("purchase_tenure_days", "初回購入からの日数", "Days since the first purchase", "days", "orders", "no_purchase", "最初の購入からの日数", "Days since the first purchase",
         is_internal=True),
    Term("usage_recency_days", "最後の利用からの日数", "Days since the last use", "days", "usage", "no_usage", "最後に機能の利用または操作があった日からの日数",
         "Days since the last feature use or user activity", is_internal=True),
    Term("plan_product", "プラン", "Plan", "code", "contract_lines", "no_contract", "最も年額の大きいプラン明細の商品", "The product of the plan line with the largest ARR",
         dtype="f8", is_internal=True),
    Term("quota_metric", "使用率が最も高い指標", "Metric with the highest share in use", "code", "usage", "no_limit", "使用率が最も高い指標", "The metric with the highest share in use",
         is_internal=True),
    Term("feature_burst_metric", "最も伸びた機能", "Feature that grew most", "code", "usage", "no_base", "最も急に伸びた機能", "The feature that grew most", is_internal=True),
    Term("seat_price_year", "1席の年額", "Yearly price of a seat", "money", "contract_lines", "no_contract", "席あたりの年額(割引後)", "Yearly price of one seat after discount",
         dtype="f8", is_internal=True),
    Term("next_plan_product", "一つ上のプラン", "Next plan", "code", "products", "no_catalogue", "同じ製品群で一つ上のプラン", "The next higher plan of the family", dtype="f8",
         is_internal=True),
    Term("next_plan_gain_year", "上位プランの増額(年)", "Yearly gain of the next plan", "money", "products", "no_catalogue", "一つ上のプランの定価との差額(年)",
         "Yearly difference to the list price of the next plan", dtype="f8", is_internal=True),
    Term("lower_plan_loss_year", "下位プランの減額(年)", "Yearly loss of the lower plan", "money", "products", "no_catalogue", "一つ下のプランの定価との差額(年)",
         "Yearly difference to the list price of the next lower plan", dtype="f8", is_internal=True),
    Term("capacity_price_year", "容量追加の年額", "Yearly price of more capacity", "money", "products", "no_catalogue", "容量追加1単位の年額",
         "Yearly price of one unit of more capacity", dtype="f8", is_internal=True),
    Term("capacity_units", "必要な容量の単位数", "Units of capacity needed", "count", "products", "no_catalogue", "使用率を80%に戻すのに必要な容量追加の単位数",
         "Units of capacity that bring the share in use back to 80%", dtype="f8", noun="items", is_internal=True),
    Term("offer_product", "提案する製品", "Product to offer", "code", "products", "no_catalogue", "トライアル中の製品、なければ未導入の関連製品のうち見込みの大きいもの",
         "The product on trial, else the related product not owned that is worth most", dtype="f8", is_internal=True),
    Term("offer_low_year", "関連製品の年額(下)", "Related product, low", "money", "products", "no_catalogue", "その製品の既存契約の年額の25%点(契約がなければ定価)",
         "Lower quartile of the ARR at which the product is owned elsewhere (the list price where it is not)", dtype="f8", is_internal=True),
    Term("offer_high_year", "関連製品の年額(上)", "Related product, high", "money", "products", "no_catalogue", "その製品の既存契約の年額の75%点(契約がなければ定価)",
         "Upper quartile of the ARR at which the product is owned elsewhere (the list price where it is not)", dtype="f8", is_internal=True),
    Term("band_code", "ヘルスの区分", "Health band", "code", "scores", "never", "ヘルスの区分", "Health band", is_score=True, is_internal=True),
    Term("segment_code", "RFMセグメント", "RFM segment", "code", "scores", "no_purchase", "RFMセグメント", "RFM segment", is_score=True, is_internal=True),
)  # fmt: skip

TERMS: dict[str, Term] = {t.key: t for t in (*_CONTRACT, *_USAGE, *_ACTIVITY, *_VOICE, *_TOUCHES, *_SCORES, *_INTERNAL)}
EDITABLE = tuple(key for key, term in TERMS.items() if not term.is_internal)

_COUNTERS_JA = {
    "seats": "席", "times": "回", "people": "名", "tickets": "件", "items": "件", "products": "製品", "features": "機能", "offers": "回",
    "departments": "部門",
}  # fmt: skip


def name(key: str, language: str) -> str:
    return TERMS[key].name(language)


def format_value(term: Term | str, value: float | None, language: str, *, currency: str = "JPY") -> str:
    """Return the value as a person reads it: 86%, 週12回, 78日; a dash where it is missing."""
    term = TERMS[term] if isinstance(term, str) else term
    if value is None or not math.isfinite(value):
        return formats.UNKNOWN
    ja = language == "ja"
    match term.unit:
        case "ratio":
            return formats.rate(value, places=0)
        case "change":
            return _with_plus(value, formats.rate(value, places=0))
        case "money":
            return formats.money_short(value, currency=currency, language=language)
        case "days":
            return formats.count(round_half_up(value), "days", language=language)
        case "per_week":
            shown = formats.number(value, places=0 if value >= 10 else None)
            return f"週{shown}回" if ja else f"{shown} a week"
        case "flag":
            return (("あり", "yes") if value else ("なし", "no"))[0 if ja else 1]
        case "times":
            return f"{formats.number(value, places=1)}{'倍' if ja else '×'}"
        case "minutes":
            return formats.count(round_half_up(value), "minutes", language=language)
        case "points":
            shown = formats.number(round_half_up(value))
            if term.key == "health_change_30":
                return _with_plus(value, shown)
            return f"{shown}点" if ja and term.key == "health" else shown
        case "score":
            return formats.number(round(value, 1))
        case "count":
            shown = formats.number(round(value, 1))
            return f"{shown}{_COUNTERS_JA.get(term.noun, '')}" if ja else shown
    return formats.number(value)


def round_half_up(value: float) -> int:
    """Round half away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def _with_plus(value: float, text: str) -> str:
    return f"+{text}" if value > 0 and any(digit in text for digit in "123456789") else text
