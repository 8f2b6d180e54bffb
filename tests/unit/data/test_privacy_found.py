"""Private data that must be found, exactly where it stands: the recall set of the privacy rules.

`⟦kind|value⟧` marks what must be found. All values are examples that their issuers publish, lie in
ranges kept for examples, or were made up to fit a checksum.
"""

from __future__ import annotations

import re

import pytest

from sluice.data.privacy import Private, Span
from sluice.recipe import PrivacySection

PRIVATE = Private(PrivacySection())
_MARK = re.compile(r"⟦(\w+)\|(.*?)⟧", re.DOTALL)

EMAILS = [
    "Write to ⟦email|tobias.fenwick@example.org⟧, please.",
    "请发到⟦email|chen.lu@example.com⟧，谢谢。",
    "邮箱⟦email|heyifan@example.com⟧的订单",
    "邮箱：⟦email|wu_qing+shop@mail.example.com.cn⟧。",
    "<⟦email|a.b@example.co.uk⟧>",
    "mailto:⟦email|Anna.Schmidt@Beispiel.de⟧?subject=Hi",
    "Contact: ⟦email|o'neil@example.ie⟧.",
    "全角也算：⟦email|ｌｉｍｉｎｇ＠ｅｘａｍｐｌｅ．ｃｏｍ⟧",
    "QQ邮箱⟦email|123456789@qq.com⟧收",
    "⟦email|x@example.org⟧ and ⟦email|y@example.org⟧",
]
PHONES = [
    "phone ⟦phone|555-0117⟧, that his return arrived",
    "please ring me at ⟦phone|555-0142⟧ or write",
    "Call me on ⟦phone|(212) 555-0142⟧ after six.",
    "My number is ⟦phone|212-555-0142⟧.",
    "Cell: ⟦phone|2125550142⟧",
    "⟦phone|212.555.0142⟧ works too",
    "Ring ⟦phone|+1 212 555 0142⟧ now",
    "Please dial ⟦phone|+12125550142⟧.",
    "The shop manager is at ⟦phone|+44 20 7946 0018⟧.",
    "Try ⟦phone|020 7946 0018⟧ in London",
    "Text me: ⟦phone|07700 900123⟧",
    "Or ⟦phone|+44 7700 900123⟧ from abroad",
    "from a mobile, ⟦phone|07911 123456⟧",
    "Rufen Sie ⟦phone|030 901820⟧ an",
    "Meine Handynummer ist ⟦phone|0151 23456789⟧.",
    "Sie erreichen mich unter ⟦phone|+49 (0)30 901820⟧.",
    "Tel.: ⟦phone|0049 30 901820⟧",
    "手机⟦phone|13900139000⟧，收件人周敏",
    "联系电话⟦phone|13800138000⟧，邮箱",
    "主管会在48小时内拨打⟦phone|13800000000⟧，方案",
    "何一帆⟦phone|13900000000⟧收",
    "打我电话⟦phone|138 0013 8000⟧吧",
    "手机号：⟦phone|138-0013-8000⟧",
    "⟦phone|139 001 39000⟧这个号能打通",
    "⟦phone|+86 13800138000⟧",
    "⟦phone|+86 138 0013 8000⟧",
    "⟦phone|86-13800138000⟧找小王",
    "（⟦phone|１３８００１３８０００⟧）",
    "手机：⟦phone|１３８－００１３－８０００⟧",
    "座机⟦phone|010-88886666⟧",
    "办公室⟦phone|0571-87654321⟧下班前打",
    "公司电话⟦phone|(021)68886888⟧",
    "公司电话⟦phone|021 6888 6888⟧",
    "固话⟦phone|01088886666⟧",
    "请打⟦phone|0755-26668888转8001⟧",
    "家里电话⟦phone|88886666⟧",
    "⟦phone|13800138000⟧或者⟦phone|13900139000⟧",
    "⟦phone|13800138000⟧ ⟦phone|13900139000⟧",
    "微信同号⟦phone|15912345678⟧",
    "我是19号楼的，⟦phone|17712345678⟧，放门口就行",
]
IDENTITIES = [
    "身份证⟦national_id|11010519491231002X⟧",
    "身份证号：⟦national_id|11010519491231002x⟧。",
    "我的证件号是⟦national_id|440306200001010036⟧吗",
    "⟦national_id|１１０１０５１９４９１２３１００２Ｘ⟧",
    "⟦national_id|110105 19491231 002X⟧",
    "My SSN is ⟦national_id|536-90-4399⟧.",
    "social security number ⟦national_id|536904399⟧",
    "ITIN ⟦national_id|912-90-3456⟧",
    "National insurance: ⟦national_id|AB 12 34 56 C⟧",
    "NI ⟦national_id|AB123456C⟧",
    "my NI is ⟦national_id|QQ123456C⟧",
    "my NHS number is ⟦national_id|943 476 5919⟧",
    "Steuer-ID ⟦national_id|36574261809⟧",
    "IdNr. ⟦national_id|36 574 261 809⟧",
    "née le 10, ⟦national_id|2 95 10 99 126 111 93⟧",
    "DNI ⟦national_id|54362315K⟧",
    "NIE ⟦national_id|X2482300W⟧",
    "BSN: ⟦national_id|111222333⟧",
    "PESEL ⟦national_id|44051401359⟧",
    "CPF ⟦national_id|390.533.447-05⟧",
    "AHV ⟦national_id|756.9217.0769.85⟧",
    "rijksregister ⟦national_id|85.07.30-033.28⟧",
    "personnummer ⟦national_id|880320-0016⟧",
    "hetu ⟦national_id|131052-308T⟧",
    "Aadhaar ⟦national_id|2341 2341 2346⟧",
    "個人番号は⟦national_id|6214 9832 0257⟧です",
]
BANK = [
    "Card ⟦bank_card|4111 1111 1111 1111⟧, exp 12/27",
    "⟦bank_card|4242424242424242⟧",
    "my card number is ⟦bank_card|5555-5555-5555-4444⟧",
    "Amex ⟦bank_card|3782 822463 10005⟧",
    "⟦bank_card|378282246310005⟧",
    "⟦bank_card|6011111111111117⟧ was refused",
    "银行卡⟦bank_card|6200000000000005⟧",
    "退到卡号⟦bank_card|6200 0000 0000 0005⟧吧",
    "工行卡⟦bank_card|6217001234567890122⟧",
    "卡号：⟦bank_card|４２４２４２４２４２４２４２４２⟧",
    "Refund to ⟦bank_card|DE89 3704 0044 0532 0130 00⟧ please",
    "IBAN ⟦bank_card|GB29NWBK60161331926819⟧.",
    "⟦bank_card|NL91 ABNA 0417 1643 00⟧",
    "⟦bank_card|FR14 2004 1010 0505 0001 3M02 606⟧",
]
NETWORKS = [
    "Blocked from ⟦ip_address|203.0.113.7⟧ since Monday",
    "服务器⟦ip_address|192.168.1.17⟧连不上",
    "login from ⟦ip_address|8.8.8.8⟧",
    "ping ⟦ip_address|10.0.0.5⟧:8080",
    "⟦ip_address|2001:db8::8a2e:370:7334⟧",
    "地址是⟦ip_address|fe80::1ff:fe23:4567:890a⟧。",
    "⟦ip_address|2001:0db8:85a3:0000:0000:8a2e:0370:7334⟧",
    "Is ⟦ip_address|192.0.2.44⟧/24 yours?",
]
SECRETS = [
    "key ⟦secret|AKIAIOSFODNN7EXAMPLE⟧",
    "use ⟦secret|ghp_" + "a1B2" * 9 + "⟧ to push",
    "⟦secret|github_pat_" + "11ABCDE0Y0" * 5 + "⟧",
    "GitLab ⟦secret|glpat-AbCdEf1234567890GhIj⟧",
    "⟦secret|xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx⟧",
    "⟦secret|AIza" + "Sy0a1b2" * 5 + "⟧",
    "⟦secret|sk-proj-" + "Ab12Cd34" * 6 + "⟧",
    "我的密钥⟦secret|sk-" + "Ab12Cd34" * 6 + "⟧失效了",
    "⟦secret|hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh" + "⟧",
    "⟦secret|sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc" + "⟧",
    "⟦secret|eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P⟧",
    "Authorization: Bearer ⟦secret|mF_9B5f-41JqMabcdef0123.xY⟧",
    "⟦secret|-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAKj34GkxFhD9\n"
    "-----END RSA PRIVATE KEY-----⟧",
    "password = ⟦secret|hunter2!⟧",
    'DB_PASSWORD="⟦secret|correcthorse⟧"',
    "Password: ⟦secret|Tr0ub4dor&3⟧ thanks",
    "密码是⟦secret|abc12345⟧，帮我改一下",
    "登录密码：⟦secret|Xy88zz21⟧",
    "api_key=⟦secret|0f3c9a77bd21⟧",
    "aws_secret_access_key = ⟦secret|wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY⟧",
    "postgres://shop:⟦secret|s3cr3tpw⟧@db.example.com/orders",
]
MARKED = EMAILS + PHONES + IDENTITIES + BANK + NETWORKS + SECRETS


def unmarked(marked: str) -> tuple[str, list[Span]]:
    """The text without its marks, and the spans that they name."""
    text, spans, position = "", [], 0
    for mark in _MARK.finditer(marked):
        text += marked[position : mark.start()]
        spans.append(Span(len(text), len(text) + len(mark[2]), mark[1]))  # pyright: ignore
        text += mark[2]
        position = mark.end()
    return text + marked[position:], spans


@pytest.mark.parametrize("marked", MARKED)
def test_private_data_is_found_where_it_stands(marked: str) -> None:
    text, spans = unmarked(marked)
    assert PRIVATE.find(text) == spans


@pytest.mark.parametrize("marked", MARKED)
def test_nothing_of_a_value_is_left_after_masking(marked: str) -> None:
    text, spans = unmarked(marked)
    every = Private(PrivacySection(secret="mask"))
    masked = every.mask(text)
    assert sum(masked.counts.values()) == len(spans)
    assert every.find(masked.text) == []
    for span in spans:
        assert text[span.start : span.end] not in masked.text
