"""Invented names: companies with their reading and domain, people, corporate numbers.

A company's name is a coined stem and the word of its trade.  The stems are put together
here, not taken from a register; a namesake in the real world would be chance.
"""

# ruff: noqa: E501
from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from random import Random

# kanji, reading, romaji
_FIRST = (
    ("霧", "キリ", "kiri"), ("雪", "ユキ", "yuki"), ("霞", "カスミ", "kasumi"), ("暁", "アカツキ", "akatsuki"), ("凪", "ナギ", "nagi"),
    ("汐", "シオ", "shio"), ("楓", "カエデ", "kaede"), ("柊", "ヒイラギ", "hiiragi"), ("椿", "ツバキ", "tsubaki"), ("萩", "ハギ", "hagi"),
    ("葵", "アオイ", "aoi"), ("茜", "アカネ", "akane"), ("藍", "アイ", "ai"), ("翠", "ミドリ", "midori"), ("碧", "アオ", "ao"),
    ("鷺", "サギ", "sagi"), ("鷹", "タカ", "taka"), ("燕", "ツバメ", "tsubame"), ("鮎", "アユ", "ayu"), ("珠", "タマ", "tama"),
    ("弓", "ユミ", "yumi"), ("槙", "マキ", "maki"), ("樫", "カシ", "kashi"), ("栃", "トチ", "tochi"), ("樺", "カバ", "kaba"),
    ("菫", "スミレ", "sumire"), ("蕗", "フキ", "fuki"), ("笹", "ササ", "sasa"), ("梢", "コズエ", "kozue"), ("稲", "イナ", "ina"),
    ("粟", "アワ", "awa"), ("麦", "ムギ", "mugi"), ("蔵", "クラ", "kura"), ("鐘", "カネ", "kane"), ("琴", "コト", "koto"),
    ("笛", "フエ", "fue"), ("鏡", "カガミ", "kagami"), ("錦", "ニシキ", "nishiki"), ("絹", "キヌ", "kinu"), ("綾", "アヤ", "aya"),
    ("帆", "ホ", "ho"), ("舵", "カジ", "kaji"), ("灘", "ナダ", "nada"), ("岬", "ミサキ", "misaki"), ("渚", "ナギサ", "nagisa"),
    ("朔", "サク", "saku"), ("曙", "アケボノ", "akebono"), ("篠", "シノ", "shino"),
)  # fmt: skip
_SECOND = (
    ("原", "ハラ", "hara"), ("野", "ノ", "no"), ("崎", "サキ", "saki"), ("浜", "ハマ", "hama"), ("沢", "サワ", "sawa"),
    ("嶺", "ミネ", "mine"), ("坂", "サカ", "saka"), ("谷", "タニ", "tani"), ("島", "シマ", "shima"), ("岡", "オカ", "oka"),
    ("森", "モリ", "mori"), ("塚", "ツカ", "tsuka"), ("里", "サト", "sato"), ("瀬", "セ", "se"), ("津", "ツ", "tsu"),
    ("門", "カド", "kado"), ("越", "コシ", "koshi"), ("池", "イケ", "ike"), ("泉", "イズミ", "izumi"), ("橋", "ハシ", "hashi"),
    ("堀", "ホリ", "hori"), ("江", "エ", "e"), ("浦", "ウラ", "ura"), ("根", "ネ", "ne"), ("畑", "ハタ", "hata"),
    ("平", "ヒラ", "hira"), ("見", "ミ", "mi"), ("戸", "ト", "to"), ("郷", "ゴウ", "go"), ("城", "シロ", "shiro"),
    ("松", "マツ", "matsu"), ("杉", "スギ", "sugi"), ("梅", "ウメ", "ume"), ("柳", "ヤナギ", "yanagi"), ("渡", "ワタリ", "watari"),
)  # fmt: skip
_COINED_FIRST = (
    ("ミナ", "mina"), ("セト", "seto"), ("ルミ", "rumi"), ("カナ", "kana"), ("ソラ", "sora"), ("ハル", "haru"), ("ユメ", "yume"),
    ("ヒビ", "hibi"), ("オト", "oto"), ("ツム", "tsumu"), ("ミノ", "mino"), ("テラ", "tera"), ("リク", "riku"), ("ウミ", "umi"),
    ("カゼ", "kaze"), ("ホシ", "hoshi"), ("ツキ", "tsuki"), ("アサ", "asa"), ("ユウ", "yu"), ("スズ", "suzu"), ("イロ", "iro"),
    ("ヨリ", "yori"), ("マド", "mado"), ("ヘリ", "heli"), ("アマ", "ama"), ("シラ", "shira"), ("クレ", "kure"), ("ナナ", "nana"),
)  # fmt: skip
_COINED_SECOND = (
    ("トリア", "toria"), ("ディス", "dis"), ("ベリオ", "berio"), ("ノルテ", "norte"), ("クシア", "xia"), ("リネル", "linel"),
    ("モント", "mont"), ("レスタ", "resta"), ("ゲイト", "gate"), ("ポルテ", "porte"), ("ラント", "lant"), ("ファネ", "fane"),
    ("ミクス", "mix"), ("ターナ", "tana"), ("コルテ", "corte"), ("ブリカ", "brica"), ("セリオ", "serio"), ("ドーレ", "dore"),
    ("ガルド", "gard"), ("ピオラ", "piola"), ("ネッタ", "netta"), ("フォリ", "foli"),
)  # fmt: skip

# industry, words of the trade (as written, reading, romaji)
TRADES = (
    ("製造", (("精機", "セイキ", "seiki"), ("工業", "コウギョウ", "kogyo"), ("製作所", "セイサクショ", "seisakusho"), ("金属", "キンゾク", "kinzoku"),
              ("化成", "カセイ", "kasei"), ("電機", "デンキ", "denki"), ("樹脂", "ジュシ", "jushi"))),
    ("建設", (("建設", "ケンセツ", "kensetsu"), ("工務店", "コウムテン", "komuten"), ("電設", "デンセツ", "densetsu"), ("建材", "ケンザイ", "kenzai"))),
    ("運輸・物流", (("運輸", "ウンユ", "unyu"), ("物流", "ブツリュウ", "butsuryu"), ("倉庫", "ソウコ", "soko"), ("陸送", "リクソウ", "rikuso"))),
    ("卸売・小売", (("商事", "ショウジ", "shoji"), ("商会", "ショウカイ", "shokai"), ("物産", "ブッサン", "bussan"), ("マート", "マート", "mart"))),
    ("食品", (("フーズ", "フーズ", "foods"), ("食品", "ショクヒン", "shokuhin"), ("製菓", "セイカ", "seika"), ("醸造", "ジョウゾウ", "jozo"))),
    ("医療・福祉", (("薬品", "ヤクヒン", "yakuhin"), ("メディカル", "メディカル", "medical"), ("ケアサービス", "ケアサービス", "care"))),
    ("IT・通信", (("システムズ", "システムズ", "systems"), ("データ", "データ", "data"), ("ネットワークス", "ネットワークス", "networks"),
                ("テクノロジー", "テクノロジー", "technology"))),
    ("不動産", (("不動産", "フドウサン", "fudosan"), ("地所", "ジショ", "jisho"), ("住宅", "ジュウタク", "jutaku"))),
    ("金融・リース", (("リース", "リース", "lease"), ("信用保証", "シンヨウホショウ", "hosho"))),
    ("専門サービス", (("設計", "セッケイ", "sekkei"), ("コンサルティング", "コンサルティング", "consulting"), ("デザイン", "デザイン", "design"))),
    ("教育", (("アカデミー", "アカデミー", "academy"), ("教育研究所", "キョウイクケンキュウショ", "edu"))),
    ("印刷・出版", (("印刷", "インサツ", "insatsu"), ("出版", "シュッパン", "shuppan"), ("企画", "キカク", "kikaku"))),
)  # fmt: skip
INDUSTRIES = tuple(industry for industry, _words in TRADES)
_WORDS = tuple((industry, word) for industry, words in TRADES for word in words)
_STEMS = tuple((a + c, b + d, e + f) for a, b, e in _FIRST for c, d, f in _SECOND) + tuple(
    (a + b, a + b, e + f) for a, e in _COINED_FIRST for b, f in _COINED_SECOND
)
NAMES_WITHOUT_A_PREFIX = len(_STEMS) * len(_WORDS)
_PREFIXES = (
    ("", "", ""), ("東", "ヒガシ", "higashi-"), ("西", "ニシ", "nishi-"), ("南", "ミナミ", "minami-"), ("北", "キタ", "kita-"), ("新", "シン", "shin-"),
)  # fmt: skip
_FORMS = (("株式会社", True), ("株式会社", False), ("合同会社", True), ("有限会社", True), ("有限会社", False))
_FORM_WEIGHTS = (46, 38, 8, 4, 4)


@dataclass(frozen=True, slots=True)
class CompanyName:
    name: str
    kana: str
    domain: str
    industry: str


def company_name(number: int, *, seed: int) -> CompanyName:
    """Return the name of the customer with that number; no two numbers share one."""
    size = NAMES_WITHOUT_A_PREFIX
    step = int(size * 0.618)
    while gcd(step, size) != 1:
        step += 1
    turn, rest = divmod(number, size)
    # A step without a common divisor walks through all names once before the first comes back.
    place = (rest * step + seed * 7919) % size
    stem, stem_kana, stem_roman = _STEMS[place // len(_WORDS)]
    industry, (word, word_kana, word_roman) = _WORDS[place % len(_WORDS)]
    again, prefix = divmod(turn, len(_PREFIXES))
    before, before_kana, before_roman = _PREFIXES[prefix]
    after = f"{again + 1}" if again else ""
    core, kana = f"{before}{stem}{word}{after}", f"{before_kana}{stem_kana}{word_kana}{after}"
    form, is_in_front = Random(f"{seed}/form/{number}").choices(_FORMS, _FORM_WEIGHTS)[0]  # noqa: S311
    return CompanyName(
        name=f"{form}{core}" if is_in_front else f"{core}{form}",
        kana=kana,
        domain=f"{before_roman}{stem_roman}-{word_roman}{after}.example",
        industry=industry,
    )


def corporate_number(number: int, *, seed: int) -> str:
    """Return 13 digits with the right check digit, of a registry office (99) that does not exist."""
    body = f"99{seed % 100:02}{number:08}"
    return f"{check_digit(body)}{body}"


def check_digit(body: str) -> int:
    """Return the first digit of a corporate number: 9 less the weighted sum of the twelve others, modulo 9."""
    total = sum(int(digit) * (1 if place % 2 == 0 else 2) for place, digit in enumerate(reversed(body)))
    return 9 - total % 9


_SURNAMES = (
    ("青木", "aoki"), ("石川", "ishikawa"), ("上田", "ueda"), ("遠藤", "endo"), ("太田", "ota"), ("岡田", "okada"), ("小野", "ono"), ("金子", "kaneko"),
    ("木村", "kimura"), ("工藤", "kudo"), ("後藤", "goto"), ("近藤", "kondo"), ("斎藤", "saito"), ("坂本", "sakamoto"), ("酒井", "sakai"),
    ("佐々木", "sasaki"), ("柴田", "shibata"), ("清水", "shimizu"), ("杉山", "sugiyama"), ("高橋", "takahashi"), ("竹内", "takeuchi"), ("田村", "tamura"),
    ("千葉", "chiba"), ("中島", "nakajima"), ("中野", "nakano"), ("西村", "nishimura"), ("野口", "noguchi"), ("橋本", "hashimoto"), ("長谷川", "hasegawa"),
    ("林", "hayashi"), ("原田", "harada"), ("平野", "hirano"), ("福田", "fukuda"), ("藤田", "fujita"), ("藤原", "fujiwara"), ("前田", "maeda"),
    ("松田", "matsuda"), ("松本", "matsumoto"), ("丸山", "maruyama"), ("三浦", "miura"), ("宮崎", "miyazaki"), ("村上", "murakami"), ("村田", "murata"),
    ("森田", "morita"), ("安田", "yasuda"), ("山口", "yamaguchi"), ("山崎", "yamazaki"), ("山下", "yamashita"), ("横山", "yokoyama"), ("和田", "wada"),
)  # fmt: skip
_GIVEN = (
    ("恵一", "keiichi"), ("真由", "mayu"), ("亮", "ryo"), ("健太", "kenta"), ("直樹", "naoki"), ("美穂", "miho"), ("裕子", "yuko"), ("浩二", "koji"),
    ("由美", "yumi"), ("隆", "takashi"), ("智子", "tomoko"), ("大樹", "daiki"), ("沙織", "saori"), ("誠", "makoto"), ("久美子", "kumiko"), ("修", "osamu"),
    ("彩香", "ayaka"), ("拓海", "takumi"), ("陽子", "yoko"), ("和也", "kazuya"), ("麻衣", "mai"), ("浩", "hiroshi"), ("千夏", "chinatsu"), ("剛", "tsuyoshi"),
    ("恵子", "keiko"), ("翔太", "shota"), ("奈々", "nana"), ("秀樹", "hideki"), ("香織", "kaori"), ("悠斗", "yuto"), ("玲子", "reiko"), ("聡", "satoshi"),
)  # fmt: skip


def person(rng: Random) -> tuple[str, str]:
    """Return a person's name and the part of the mail address before the @."""
    surname, surname_roman = rng.choice(_SURNAMES)
    given, given_roman = rng.choice(_GIVEN)
    return f"{surname} {given}", f"{given_roman[0]}.{surname_roman}"
