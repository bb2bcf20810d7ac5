"""Company names without what people write in many ways."""

from __future__ import annotations

import re
import unicodedata

KEY_LENGTH = 200

# After NFKC: ㈱ has become (株), full-width letters plain ones.
_LEGAL_FORMS = (
    "株式会社", "有限会社", "合同会社", "合資会社", "合名会社", "一般社団法人", "公益社団法人", "一般財団法人", "公益財団法人",
    "特定非営利活動法人", "独立行政法人", "社会福祉法人", "医療法人社団", "医療法人", "学校法人", "宗教法人",
    "(株)", "(有)", "(同)", "(資)", "(名)", "(一社)", "(公社)", "(一財)", "(公財)", "(特非)", "(独)", "(福)", "(医)", "(学)",
)  # fmt: skip
_JAPANESE = re.compile("|".join(re.escape(form) for form in sorted(_LEGAL_FORMS, key=len, reverse=True)))
_FOREIGN = re.compile(
    r"(?:[\s,]+(?:co\.?,?\s*ltd|company limited|incorporated|corporation|limited"
    r"|inc|corp|ltd|llc|llp|plc|gmbh|ag|k\.?\s?k|pty)\.?)+$"
)
_BETWEEN = re.compile(r"[\s・･.,'’\"“”]+")


def name_key(name: str) -> str:
    """Return the part of a company's name that two spellings of it share.

    Width, case, legal form (before or after), spaces and dots do not count:
    「㈱　ＯＣＳ」 and 「株式会社ＯＣＳ」 have one key.  A name that is nothing but a legal
    form keeps it, so that the key of a name is never empty.
    """
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    bare = _FOREIGN.sub("", _JAPANESE.sub(" ", plain).strip())
    return (_BETWEEN.sub("", bare) or _BETWEEN.sub("", plain) or plain)[:KEY_LENGTH]
