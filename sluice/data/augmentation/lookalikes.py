"""Characters that are typed for each other by mistake."""

from __future__ import annotations

from typing import Final

# Chinese characters that sound or look alike and are confused in everyday typing (别字). The
# characters of a group may stand for each other. Left out on purpose: negations, numerals, and
# pairs that mean the opposite (买 and 卖, buy and sell).
_CHINESE = """
的地得 在再 做作坐座 他她它 那哪 象像向相 以已 带戴待 到道倒 和合何河 进近尽 近劲 园圆员 原源元
长常场 清请情晴青轻 完玩碗 时实食识 是事示式试市 货或 订定钉 单担丹 退腿 款宽 快块筷 递第弟
地第 址止只纸 付负附府服 钱前浅 价架假家 格隔各 号好 码马吗妈 换还环 修休 送松颂 客刻课 服福幅
务物误 间见件建 问闻 题提 回会汇 查茶 看着 流留刘 帐账张 户护 密蜜 登灯 录路陆 注住主助 册测策
机鸡积 手首守 电店点典 话画花化 视事 频贫 网往忘 页叶业 面免 品拼 质制 量亮辆 颜言严 色社 尺迟
寸村 大太天 小少 高搞 低底 新心辛 旧就 多朵 几己已 人入 土士 日曰 目自 田由甲 今令 午牛
干于 问间 拔拨 侯候 即既 冷泠 竟竞 戊戌 徒徙 辨辩 辫瓣 良艮 历厉 析折 栽裁载 赢嬴
密蜜 暂渐 博搏 燥躁噪 喝渴 清情 晴睛 很狠 抱报爆 饱包 怕拍 跑泡 期其齐 棋旗 奇起 气汽
生声升 身深申 什甚 使始 师诗 史驶 世势 室适 收手 书输叔 属数 树术 双霜 水睡 说硕 思司丝
送诵 诉速素 算酸 岁碎 所锁 谈弹 谢写血 星兴行 型形 性姓幸 需须许 续绪 学雪 询寻 讯训 烟淹
研盐 眼演 样洋阳 要药 也夜野 衣依医 宜移 意义议易 因音阴 银引印 应英 用永 油由邮 友有又 鱼于余
雨语与 院愿远 月越约 云运 再载 早找 造照 责择则 增赠 展占站 丈障 者这 真针 正整政证 支知之 直职值
指址 志治至 中钟终 种重 周州 注助 转专 装庄 资姿 字自子 总宗 走奏 组租足 最罪嘴 昨作
"""

_KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _chinese_table() -> dict[str, str]:
    table: dict[str, str] = {}
    for group in _CHINESE.split():
        for character in group:
            others = group.replace(character, "")
            table[character] = "".join(dict.fromkeys(table.get(character, "") + others))
    return {character: others for character, others in table.items() if others}


def _keyboard_table() -> dict[str, str]:
    """The keys left, right, above and below of each on a QWERTY keyboard.

    Each row stands half a key to the right of the one above: the key at place i touches those at
    i and i + 1 above it, and those at i - 1 and i below it.
    """
    table: dict[str, str] = {}
    for number, row in enumerate(_KEYBOARD_ROWS):
        above = _KEYBOARD_ROWS[number - 1] if number else ""
        below = _KEYBOARD_ROWS[number + 1] if number + 1 < len(_KEYBOARD_ROWS) else ""
        for i, key in enumerate(row):
            near = [row[max(0, i - 1) : i], row[i + 1 : i + 2], above[i : i + 2]]
            table[key] = "".join([*near, below[max(0, i - 1) : i + 1]])
    return table


ALIKE: Final[dict[str, str]] = _chinese_table() | _keyboard_table()


def alike(character: str) -> str:
    """The characters that may be typed for this one, in its case; none known: empty."""
    if character.isupper():
        return ALIKE.get(character.lower(), "").upper()
    return ALIKE.get(character, "")
