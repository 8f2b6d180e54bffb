"""Words near a number that tell what it is. A number alone often does not."""

from __future__ import annotations

import re

_NEAR = 40  # characters before a number, about six words, in which a word speaks of it
_BESIDE = 16  # characters before a number in which a word names it

# A number stands behind one of these: it is for calling.
_CALL = re.compile(
    r"(?<![a-z])(?:tele)?(?:phone|tel|fax|mobile|mobil|mob|cell|call|ring|dial|text me|whatsapp|sms"
    r"|telefon|handy|anrufen|reach (?:me|us|him|her|them)|contact)s?(?![a-z])"
    r"|e-?mail|@|(?:电|來|来)话|電話|热线|专线|手机|手機|座机|固话|致电|拨打|回拨|联系|聯繫|微信|号码是",
    re.IGNORECASE,
)
# A number stands right behind one of these: it counts or names a thing, not a person.
_THING = re.compile(
    r"(?:(?<![a-z])(?:orders?|order (?:no|number|id)|tracking(?: (?:no|number|id|code))?|invoices?"
    r"|tickets?|case|ref(?:erence)?|sku|isbn|ean|upc|gtin|serial|parcel|shipment|article|item"
    r"|product|model|part|batch|lot|version|amount|total|price|bestellung|bestellnummer"
    r"|rechnung|artikel|sendung|auftrag|uid|uuid|timestamp|nr|no|number|id)"
    r"(?: (?:no|nr|number|id|code))?"
    r"|订单号?码?|单号|运单|编号|货号|款号|型号|序列号|条码|批次|批号|流水号?|发票号?码?|税号|快递|工单"
    r"|案号|合同号?|金额|价格|总价|时间戳|版本号?)"
    r"[\s.:：#=是为，,]*$",
    re.IGNORECASE,
)
_CALLED = re.compile(
    r"(?:(?<![a-z])(?:tele)?(?:phone|tel|fax|mobile|mob|cell|call|ring|dial|contact|whatsapp|telefon"
    r"|handy)|电话|電話|手机|手機|座机|固话|致电|拨打|回拨|联系方式|热线|专线|微信)"
    r"[ -]?(?:number|no|nr|号码?|me (?:at|on)|us (?:at|on))?[\s.:：#=是为，,(（]*$",
    re.IGNORECASE,
)
_VERSION = re.compile(
    r"(?:(?<![a-z])(?:v|ver|vers|version|release|build|firmware|update|sdk|driver|kernel|patch"
    r"|section|chapter|clause)|版本号?|固件|升级到|更新到|章节?|条款?)[\s.:：=是为到]*$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?<![a-z])(?:ip|ipv4|host|server|dns|gateway|router|ping|ssh|login|from|node|address)"
    r"(?![a-z])|地址|服务器|网关|主机|登录",
    re.IGNORECASE,
)


def for_calling(text: str, start: int) -> bool:
    """Whether words before `start` speak of a call, or of another way to reach somebody."""
    return _CALL.search(text[max(0, start - _NEAR) : start]) is not None


def names_a_thing(text: str, start: int) -> bool:
    """Whether the word right before `start` says that an order, a model or the like follows."""
    return not named_for_calling(text, start) and _names_thing(text, start)


def named_for_calling(text: str, start: int) -> bool:
    """Whether the word right before `start` says that a telephone number follows."""
    return _CALLED.search(text[max(0, start - _BESIDE) : start]) is not None


def _names_thing(text: str, start: int) -> bool:
    return _THING.search(text[max(0, start - _BESIDE) : start]) is not None


def names_a_version(text: str, start: int) -> bool:
    """Whether the word right before `start` says that a version or a section follows."""
    return _VERSION.search(text[max(0, start - _BESIDE) : start]) is not None


def speaks_of_a_machine(text: str, start: int) -> bool:
    """Whether words before `start` speak of a machine on a network."""
    return _ADDRESS.search(text[max(0, start - _NEAR) : start]) is not None
