"""Personal data in a prompt: addresses of mail, telephone numbers, keys; what is made up is none.

A benchmark is published, and its prompts come from people; a false alarm costs one prompt of many, but code, numbers,
versions and URLs are what hard prompts are made of, and must not set one off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

# What any of them must hold: looked for at the speed of the library, before anything is looked at closely.
ANY = (
    r"\S@\w|\d[ .\-/)]{1,2}\d|\+\(?\d|\d{7}|(?i:[srp]k[-_]|akia|asia|gh[pousr]_|github_pat_|glpat-|aiza|xox[abpr]-|hf_|"
    r"eyj|-----begin|gsk_|npg_|npm_|ya29\.)"
)

_MAIL = re.compile(
    r"(?<![\w.+%-])([\w.+%-]{1,64})@((?:[a-z0-9-]{1,63}\.){1,8}"
    r"([a-z]{2}|com|org|net|edu|gov|mil|info|biz|name|online|shop|site|app|dev|cloud|email|live|tech|xyz|club|eu|asia|cat|"
    r"jobs|mobi|travel|museum|berlin|hamburg|london|paris|tokyo))(?![\w@-])",
    re.IGNORECASE,
)
_NOBODY = re.compile(  # at a mail provider too
    r"users?|username|user_?\d+|name|you|me|e?mail|email_?address|pass(?:word|wd)?|pwd?|test\d*|example\d*|sample|someone|"
    r"somebody|anyone|foo|bar|baz|x+|(?:your|my|first|last|the)[._-]?(?:e?mail|name|address|account|last|user|first)?"
    r"(?:[._-]?name)?|git|hg|svn|root|admin|info|support|contact|sales|help|hello|no-?reply|webmaster|postmaster",
    re.IGNORECASE,
)
_MADE_UP_NAME = re.compile(r"test\w*|abc\w*|xyz\w*|(?:john|jane)[._-]?doe|a|b|x|y", re.IGNORECASE)  # and not there
_PROVIDERS = re.compile(
    r"(?:gmail|googlemail|google|yahoo|ymail|hotmail|outlook|live|msn|icloud|me|mac|aol|proton|protonmail|pm|gmx|web|"
    r"t-online|freenet|posteo|mailbox|mail|email|inbox|list|bk|yandex|ya|rambler|ukr|wp|o2|onet|interia|seznam|centrum|"
    r"orange|free|laposte|wanadoo|sfr|libero|virgilio|tiscali|alice|qq|163|126|sina|foxmail|naver|daum|hanmail|zoho|"
    r"fastmail|tutanota|hey|rediffmail|uol|bol|terra|comcast|verizon|att|bluewin|telenet|ziggo)\.(?:com?\.)?\w+",
)
_NOWHERE = re.compile(
    r"(?:[\w-]+\.)*(?:(?:example|invalid|localhost)\.\w+|\w+\.(?:example|test|invalid|localhost|local)"
    r"|(?:test|yourdomain|mydomain|domain|company|yourcompany|mycompany|foo|bar|acme|abc|xyz|website|site|sample|host|"
    r"server|something)\.(?:com?|org|net|io)|amazonaws\.com)",
    re.IGNORECASE,
)
_IN_CODE = re.compile(r"(?:self|this|cls|np|torch|jnp|tf)\.")  # self.weight@other.at
_PACKAGE = re.compile(r"\.(?:js|ts)\.")  # name@next.js.org
_LOGS_IN = re.compile(r"\b(?:ssh|scp|sftp|rsync|mosh|ssh-copy-id)\b[^\n]*$")  # what stands before it: ssh me@host
_FILE = re.compile(r"js|ts|py|md|cs|rs|go|sh|rb|vb|kt|gz|xz", re.IGNORECASE)  # endings that are countries' too
_WITHIN_URL = re.compile(r"://\S*$")  # what stands before it: https://user:password@host
_LOGIN = re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s:/@]{1,64}:([^\s/@]{6,64})@([\w-]+(?:\.[\w-]+)+)", re.IGNORECASE)
_NO_PASSWORD = re.compile(r"(?i)pass|pwd|user|admin|root|test|guest|postgres|mysql|mongo|redis|[<>{}$*%\[\]]")

_AROUND = r"[\w.,:/@#=*^+\-]"
_INTERNATIONAL = re.compile(
    rf"(?<!{_AROUND})(?<!\d )\+(?:\(?\d{{1,4}}\)?[ .\-/]?){{3,7}}\d{{2,4}}(?![\w.\-/]?\d)(?!\w)"
)
_AMERICAN = re.compile(
    rf"(?<!{_AROUND})(?<!\d )(?:1[ .-])?(?:\(([2-9]\d\d)\) ?|([2-9]\d\d)[.-])([2-9]\d\d)[.-](\d{{4}})"
    r"(?![\w.\-/]?\d)(?!\w)"
)
_LINKS = (
    "numbers?|num|no|nr|nummer|número|numero|numéro|номер|is|are|at|on|me|us|him|her|my|ist|lautet|unter|es|est|é|au|al"
)
_NAMED = re.compile(
    r"(?:(?:电话|手机|電話|전화)([^\d\n+]{0,8})|\b(?:phone|telephone|tel|mobile|cell|whats ?app|call|fax|handy|telefon|"
    r"mobil|tél|téléphone|teléfono|telefono|móvil|celular|телефон|тел|"
    r"(?P<weak>(?:reach|text|ring|contact) (?:me|us|him|her)|(?:my|his|her|our|contact) number|meine (?:handy)?nummer|"
    r"mon numéro|mi número))\b"
    rf"([^\w\n+]{{0,6}}(?:(?:{_LINKS})\b[^\w\n+]{{1,4}}){{0,3}}))"
    r"([+(]?\d[\d ().\-/]{5,20}\d)(?![\w.\-/]?\d)(?! ?(?:px|dp|pt|mm|cm|gb|mb|hz|mah|v|%|€|\$|usd|times)(?!\w))",
    re.IGNORECASE,
)
_SAYS_NUMBER = re.compile(r"[:：=#.号號호]|\w")  # between the word and the number: "phone: …", "phone number is …"
# what is a telephone number though nothing but its word says so: a code of a city, groups of 3, 3 and 4, one long run
_LIKE_A_NUMBER = re.compile(r"\+|\(?0\d|(?:1[ .-]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}$|\d{7,}$")
# and what is one after words that any number may follow
_LIKE_A_TELEPHONE = re.compile(r"\+|\(?0\d+[ .\-/)]|0\d{9,}$|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}$")
_MEASURES = re.compile(r"\d\.\d+ .*\d\.\d|^(?:19|20)\d\d[-/ ](?:19|20)\d\d$")  # 3.7 4.2 3.65; 2019-2023
_DATE = re.compile(r"(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d")

_KEYS = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?:sk|rk|pk)[-_](?:live[-_]|test[-_]|proj-|ant-[\w]{3,8}-|or-v1-|svcacct-)?[A-Za-z0-9_-]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[\w-]{20,}"
    r"|AIza[\w-]{35}(?![\w-])|ya29\.[\w-]{30,}"
    r"|xox[abpr]-[A-Za-z0-9-]{20,}|hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{30,}|npg_[A-Za-z0-9]{12,}|npm_[A-Za-z0-9]{30,}"
    r"|eyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}"
    r")"
)
_PRIVATE = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s*(?:[A-Za-z-]+: .*\s+)*[A-Za-z0-9+/=\s]{64,}")
_MADE_UP = re.compile(r"(?i)x{4}|0{6}|your|example|placeholder|dummy|fake|redacted|\.{3}|abcdef|123456|secret|insert")


def personal_data(text: str) -> list[str]:
    """What kinds of personal data a text holds: email, phone, key."""
    return [kind for kind, finds in _KINDS.items() if next(finds(text), None) is not None]


def masked(text: str) -> str:
    """A text with what it holds of them replaced by its kind."""
    for kind, finds in _KINDS.items():
        for found in dict.fromkeys(finds(text)):
            text = text.replace(found, f"[{kind}]")
    return text


def _mails(text: str) -> Iterator[str]:
    if "@" not in text:
        return
    for found in _MAIL.finditer(text):
        name, host = found.group(1), found.group(2).lower()
        before = text[max(0, found.start() - 80) : found.start()]
        is_login = _WITHIN_URL.search(before) or _LOGS_IN.search(before)
        is_nobodys = _is_nobody(name.strip("."), host) or _NOWHERE.fullmatch(host)
        if not is_login and not is_nobodys and not _is_code(name, host, found.group(3)):
            yield found.group()


def _is_code(name: str, host: str, ending: str) -> bool:
    """Whether it is a decorator, a product of matrices, a version of a package or a file. ending: as it was written."""
    is_file = _FILE.fullmatch(ending) is not None and not _PROVIDERS.fullmatch(host)
    is_attribute = ending[0].islower() and ending != ending.lower()  # a@b.mT
    is_short = len(name) == 1 and len(host) <= 5
    is_product = _IN_CODE.match(name) is not None
    return is_file or is_attribute or is_short or is_product or _PACKAGE.search(host) is not None


def _is_nobody(name: str, host: str) -> bool:
    is_made_up = _MADE_UP_NAME.fullmatch(name) and not _PROVIDERS.fullmatch(host)
    return bool(_NOBODY.fullmatch(name) or is_made_up)


def _phones(text: str) -> Iterator[str]:
    for found in _INTERNATIONAL.finditer(text):
        number = found.group()
        parted = 9 <= len(_digits(number)) <= 15 and re.search(r"[ .\-/(]", number[2:])
        if (parted or re.fullmatch(r"\+[1-9]\d{9,13}", number)) and not _is_made_up(number):
            yield number
    for found in _AMERICAN.finditer(text):
        if not _is_made_up(found.group()):
            yield found.group()
    for found in _NAMED.finditer(text):
        *_, between, number = found.groups()
        named = _SAYS_NUMBER.search(found[1] or between or "") or _LIKE_A_NUMBER.match(number)
        named = _LIKE_A_TELEPHONE.match(number) if found["weak"] else named
        measured = _DATE.search(number) or _MEASURES.search(number)
        if named and not measured and 7 <= len(_digits(number)) <= 15 and not _is_made_up(number):
            yield number


_SEQUENCE = re.compile(r"0{0,2}12345|.*(?:123456789|4567890)")
_ALL_ROUND = re.compile(r"\(?\d+0\)?(?:[ .-]{1,2}\d+0)+")  # 250-300-4000, 850-950-1050
_NOBODY_CALLS = re.compile(r"1?(?:555\d{7}|\d{3}555\d{4})|555\d{4}")  # 555 is nobody's in North America


def _is_made_up(number: str) -> bool:
    """Whether a number is one that documentation writes: 555 as an exchange, or digits one after the other."""
    digits = _digits(number)
    if _ALL_ROUND.fullmatch(number):
        return True
    if len(set(digits)) < 5 or _SEQUENCE.match(digits):
        return True
    if number.startswith("+") and not digits.startswith("1"):
        return re.match(r"\d{0,3}12345", digits) is not None
    return _NOBODY_CALLS.fullmatch(digits) is not None


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _keys(text: str) -> Iterator[str]:
    for found in _KEYS.finditer(text):
        key = found.group()
        mixed = any(sign.isdigit() for sign in key) and len(set(key)) >= 10
        if mixed and not _MADE_UP.search(key) and (key[2] not in "-_" or _has_random_part(key)):
            yield key
    for found in _LOGIN.finditer(text):
        password, host = found.groups()
        mixed = re.search(r"\d", password) and re.search(r"[^\W\d]", password)
        if mixed and not _NO_PASSWORD.search(password) and not _MADE_UP.search(password) and not _is_nowhere(host):
            yield password
    for found in _PRIVATE.finditer(text):
        if not _MADE_UP.search(found.group()):
            yield found.group()


def _is_nowhere(host: str) -> bool:
    return _NOWHERE.fullmatch(host) is not None or re.fullmatch(r"[\d.]+", host) is not None


def _has_random_part(key: str) -> bool:
    """Whether a key is no name of words: sk-learn-something-with-a-long-name-123."""
    parts = re.split(r"[-_]", key)
    return any(len(part) >= 16 and re.search(r"\d", part) and re.search(r"[A-Za-z]", part) for part in parts)


_KINDS: dict[str, Callable[[str], Iterator[str]]] = {"email": _mails, "phone": _phones, "key": _keys}
