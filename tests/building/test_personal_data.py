"""E-mail addresses, telephone numbers and keys of people, and what only looks like them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arena_hard.building.personal_data import ANY, masked, personal_data
from arena_hard.building.tables import arrow

PERSONAL = [
    "my mail is hugo.meier@gmail.com",
    "Contact: anna_schmidt-99@uni-heidelberg.de.",
    "email:kim.lee@naver.com",
    "call me at +49 171 2348678",
    "phone: 0171 2348678",
    "+1 (415) 863-2671 is it",
    "my number is (415) 863-2671",
    "415-863-2671",
    "415.863.2671",
    "Tel.: 06221/548932",
    "电话:13812395698",
    "手机号 13898765432",
    "+8613812395698",
    "+33 6 12 34 98 78",
    "mobile 07700 900456",
    "key sk-proj-a8Kd93jfKLs02jfLsK3jfl2kj4lkKJsdf9",
    "AKIA" + "IOSFODNN7EXAMPLQ",
    "ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a",
    "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6Ikpv.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "xoxb" + "-263594206564-FGqddMF8t08v8N7Oq4i57vs1",
    "Ihre E-Mail: müller@web.de",
    "<hans.peter@t-online.de>",
    "mailto:hans.peter@t-online.de",
    "h@web.de",
    "To:karl.otto@posteo.de",
    "邮箱:zhangwei@qq.com 请帮我",
    "Kontakt:peter.meier@web.de",
    "My email is 张伟@qq.com ok",
    "E-Mail-Adresse: café@web.de",
    "+44 7555 923 456",
    "+86 13812345678",
    "tel 030 12345678",
    "phone number: 415 867 5309",
    "cell is 415 867 5309",
    "call 4158675309 now",
    "sk_test" + "_51HxQzKLm9fVb8nYp2RtUw3",
    "postgres://bob:Tr0ub4dor@db.firma.com/x",
    "Write to ivan.petrov@mail.ru please",
    "karl@email.de",
    "olga_k@email.cz",
    "john@gmail.com",
    "alice@gmail.com",
    "bob@web.de",
    "jane@outlook.com",
    "John.Smith@gmail.com",
    "abcdef@qq.com",
    "john@kanzlei-huber.de",
    "jan.kowalski@wp.pl",
    "petar.ilic@yahoo.rs",
    "max@company.de",
    "tél : 06 42 87 51 09",
    "Tél. 06 42 87 51 09",
    "my number is 0171 2386571",
    "you can reach me on 07911 486257",
    "Meine Nummer: 0171 2386571",
    "text me at (415) 863-2671",
    "npm" + "_Qk3zRtYpLm8bVcXsDf2hQwErTyUiOp82Zx1a",
]
NOBODYS = [
    "@app.route('/x') def f(a@b)",
    "git@github.com:foo/bar.git",
    "user@example.com",
    "pip install foo==1.2.3@bar",
    "image@2x.png",
    "1.2.3-4.5.6",
    "192.168.100.200",
    "2023-01-15 12:30:45",
    "v10.15.7",
    "x = 123-456-7890",
    "3.14159265358979",
    "+1234567890 + 5",
    "5+1234567890",
    "a[1] - 415-863",
    "ISBN 978-3-16-148410-0",
    "4111 1111 1111 1111",
    "arXiv 2406.11939",
    "1,234,567,890",
    "0x1234567890",
    "sk-your-api-key-here-xxxxxxxxxxxx",
    "https://user:pass@host.com/path",
    "postgres://kim:geheim@db.firma.de:5432/x",
    "matrix A@B.T @ C",
    "foo@bar.baz",
    "ssh root@10.0.0.1",
    "def f(self): return self@other.matrix",
    "20 000 000",
    "1 000 000 000 000",
    "2020-2021-2022",
    "Phone: XXX-XXX-XXXX",
    "telephone 555-0123",
    "dates 12-05-2020",
    "phone released on 2020-05-12",
    "iPhone 12 1234 5678",
    "100-200-3000 people",
    "800-900-1000",
    "SELECT * FROM t WHERE a.b@dblink.remote",
    "y = -b +- sqrt(b**2-4*a*c)",
    "+10 +20 +30 +40",
    "npm i @angular/core@12.0.1",
    "sk-learn-contrib-something-long-name-here",
    "W@x.to(device)",
    "mobile 1920 1080 750 px layouts",
    "on mobile (1920 1080)",
    "The cell 3.7 4.2 3.65 2.81 V curves",
    "The cell: 3.7 4.2 3.65 2.81",
    "cell A1 10 20 30 45 67",
    "phone screens 390 844 430 932",
    "fax machine costs 1200 1350 1480 dollars",
    "mobile: 2019-2023 sales 17",
    "celular 64 128 256 512 GB",
    "call me 20 times 1 2 3 4 5 6 7",
    "call (212) 555-0187",
    "+1 555 867 5309",
    "sk-learn-something-with-a-long-name-123",
    "mongodb://admin:admin123@db.firma.com/x",
    "postgres://kim:Tr0ub4dor@localhost:5432/x",
    "postgres://kim:Tr0ub4dor@db.example.com/x",
    "https://${USER}:${TOKEN_1}@host.firma.de",
    "ratio 250-300-4000",
    "850-950-1050 K",
    "(250) 300-4000",
    "out = self.weight@input.at",
    "react@next.js.org",
    "ssh ubuntu@ec2-1-2-3-4.compute.amazonaws.com",
    "ubuntu@ec2-1-2-3-4.compute.amazonaws.com",
    "scp -r build deploy@web.prod.com:/x",
    "tar@z.tar.gz",
    "x = mat1@mat2.mT",
    "your.email@gmail.com",
    "john@example.org",
    "alice@server.test",
    "jane.doe@company.com",
    "hello@firma.de",
    "my number is 4158675309, find its divisors",
    "text me 20 times 1 2 3 4 5 6 7",
    "my number is 7 3 5 9 2 4 8 1",
]


@pytest.mark.parametrize("text", PERSONAL)
def test_what_belongs_to_a_person_is_found(text: str) -> None:
    assert len(personal_data(text)) == 1
    assert personal_data(masked(text)) == []
    assert arrow().compute.match_substring_regex(arrow().array([text]), ANY).to_pylist() == [True]


@pytest.mark.parametrize("text", NOBODYS)
def test_code_numbers_versions_and_placeholders_belong_to_nobody(text: str) -> None:
    assert personal_data(text) == []
    assert masked(text) == text


def test_the_official_questions_hold_one_telephone_number(shared_data: Path) -> None:
    """In a sample record of a customer, with his name and the number of his card."""
    lines = (shared_data / "arena-hard-v0.1" / "question.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["turns"][0]["content"] for line in lines]
    found = [(personal_data(text), masked(text).count("[phone]")) for text in texts if personal_data(text)]
    assert (len(texts), found) == (500, [(["phone"], 1)])
