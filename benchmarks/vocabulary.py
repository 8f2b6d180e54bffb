"""The words that the benchmarks' rows are made of: everyday ones first, then names of things.

Frequencies follow Zipf's law over this order, as in any language. English function words stand in
the order of their frequency in general text; the long tail is built from syllables.
"""

from __future__ import annotations

from itertools import product

# About half of running English text is made of words like these.
FUNCTION_WORDS = """
the of and to a in is that it for you was with as on be are this have at by not but from they or
we an can if which will your their there when what all would one has more so do about out up may
time into than them then some these other only its also very just over after most where how use
such no each way who because through many between should both under while same before those
""".split()  # noqa: SIM905

CONTENT_WORDS = """
people world life hand part child eye woman place work week case point company number group problem
fact month right study book word business issue side kind head house service friend father power
hour game line end member law car city community name president team minute idea body information
back parent face others level office door health person art war history party result change morning
reason research girl guy moment air teacher force education order delivery return refund account
payment customer invoice address card price product store shipping support request message question
answer system machine sensor pressure temperature valve engine motor pump signal voltage current
patient doctor symptom treatment fever cough headache medicine dose hospital clinic surgery blood
contract clause party liability court judge evidence agreement notice penalty obligation damage
model data training test error network computer program software memory storage server file
record table column value string function method result step process plan budget market report
river mountain forest garden flower animal horse bird fish tree stone water fire wind rain snow
bread milk cheese apple orange coffee sugar salt kitchen table chair window roof floor wall street
bridge station train ticket passenger airport flight hotel room bed lamp clock phone camera screen
make take give find think tell become show leave feel bring begin keep hold write stand hear let
mean set meet run pay sit speak lie lead read grow lose fall send build understand draw break spend
cut rise drive buy wear choose seek throw catch deal win teach offer remember consider appear serve
good new last long great little own old big high different small large next early young
important few public bad able late hard strong possible whole free best better true clear recent
certain personal open red difficult available likely short single medical current wrong private
past foreign fine common poor natural significant similar hot dead central happy serious ready
simple left physical general environmental financial blue democratic dark various entire close
legal religious cold final main green nice huge popular traditional cultural careful quick slow
""".split()  # noqa: SIM905

# One or two characters each: what Chinese text is cut into.
CHINESE_WORDS = """
的 是 在 了 和 有 我 您 不 这 我们 可以 您的 请 如果 会 为 与 对 中 到 也 就 都 要 以 或 需要 后
时 将 及 等 进行 使用 订单 商品 问题 服务 时间 客户 可能 通过 情况 如何 提供 处理 帮助 信息 没有
这个 因为 所以 但是 系统 退货 退款 配送 物流 账户 支付 发票 地址 价格 产品 商店 联系 客服 申请
消息 回答 数据 机器 传感器 压力 温度 阀门 发动机 电机 水泵 信号 电压 电流 患者 医生 症状 治疗
发热 咳嗽 头痛 药物 剂量 医院 门诊 手术 血压 合同 条款 当事人 责任 法院 证据 协议 通知 违约金
义务 损失 赔偿 模型 训练 测试 错误 网络 计算机 程序 软件 内存 存储 服务器 文件 记录 表格 数值
函数 方法 结果 步骤 过程 计划 预算 市场 报告 河流 山 森林 花园 花 动物 马 鸟 鱼 树 石头 水 火 风
雨 雪 面包 牛奶 苹果 橙子 咖啡 糖 盐 厨房 桌子 椅子 窗户 屋顶 地板 墙 街道 桥 车站 火车 车票
乘客 机场 航班 酒店 房间 床 灯 钟 手机 相机 屏幕 制作 拿 给 找到 认为 告诉 成为 显示 离开 感觉
带来 开始 保持 写 站 听 让 意味着 设置 见面 跑 付款 坐 说话 领导 阅读 成长 失去 下降 发送 建立
理解 画 打破 花费 切 上升 驾驶 购买 穿 选择 寻找 扔 抓 交易 赢 教 记得 考虑 出现 好 新 最后 长
大 小 自己 老 高 重要 公共 坏 晚 难 强 整个 免费 更好 真 清楚 最近 一定 个人 打开 红色 困难 可用
短 单一 医疗 当前 私人 过去 外国 普通 自然 显著 类似 热 中心 高兴 严重 准备 简单 一般 环境 金融
蓝色 黑暗 各种 关闭 法律 冷 最终 主要 绿色 巨大 流行 传统 文化 仔细 快 慢 首先 其次 然后 同时
此外 例如 根据 按照 关于 由于 为了 虽然 然而 因此 除了 直到 已经 正在 曾经
""".split()  # noqa: SIM905

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pl", "gr")
_VOWELS = ("a", "e", "i", "o", "u", "ea", "io")
_ENDS = ("n", "r", "l", "s", "t", "ment", "ing", "ed", "er", "tion")
_FIRST = (
    "安百北长成大东方风高光国海华金京康乐利龙美明南平青清泉荣山上盛泰天通万文西祥新星信阳永元云泽"
)
_SECOND = (
    "宝昌诚城达德丰福港格贡河辉江杰锦景凯兰朗林陵隆茂宁鹏庆瑞森顺松腾庭维翔雅宜银盈宇源远哲志智"
)


def english_tail() -> list[str]:
    """About 8,000 rare words, as names and terms are."""
    stems = ("".join(parts) for parts in product(_ONSETS, _VOWELS, _ONSETS, _VOWELS))
    words = [stem + _ENDS[i % len(_ENDS)] for i, stem in enumerate(stems)]
    return words[:: max(1, len(words) // 8000)]


def chinese_tail() -> list[str]:
    """About 2,500 rare words of two characters, as names and terms are."""
    return [first + second for first, second in product(_FIRST, _SECOND)]


def misspelled(word: str) -> str:
    """The word with two letters swapped, or one doubled; short words are spelled right."""
    if len(word) < 6:
        return word
    swapped = word[:2] + word[3] + word[2] + word[4:]
    return swapped if swapped != word else word[:3] + word[2:]
