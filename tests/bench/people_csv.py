#!/usr/bin/python3
"""Writes a CSV file of made-up members for benches: people_csv.py N FILE [ENCODING]. The same N gives the same file."""
import random
import sys

FAMILY = "佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 林 斎藤 清水".split()
GIVEN = "太郎 花子 一郎 幸子 健 恵子 翔太 美咲 大輔 陽子 蓮 結衣 誠 直美 拓也 愛 浩 久美子 隆 由美".split()


def write(count, path, encoding="utf-8"):
    r = random.Random(count)
    with open(path, "w", encoding=encoding, newline="") as f:
        f.write("login,name,birth_date,email,locale\r\n")
        for i in range(count):
            # shuffled by a unit of the ring of 10**8, so that logins do not come in order
            login = "m%08d" % (i * 61803399 % 100000000)
            day = "%d-%02d-%02d" % (r.randrange(1930, 2010), r.randrange(1, 13), r.randrange(1, 29))
            f.write("%s,%s %s,%s,%s@example.jp,ja\r\n" % (login, r.choice(FAMILY), r.choice(GIVEN), day, login))


if __name__ == "__main__":
    write(int(sys.argv[1]), sys.argv[2], *sys.argv[3:4])
