"""Files as people have them, each with what makes it hard to read."""

import random
from collections.abc import Callable

import numpy as np

WORDS = {1: ["awful", "broken", "late"], 2: ["usable", "plain", "average"], 3: ["great", "lovely", "solid"]}
THINGS = ["bag", "coat", "lamp", "chair"]


def reviews(first: int = 0, last: int = 240) -> list[str]:
    """Semicolons, a date, quoted texts with semicolons and quotes in them; the header first."""
    rng = random.Random(1)
    rows = []
    for i in range(240):
        words, thing = rng.choice(WORDS[1 + i % 3]), rng.choice(THINGS)
        rows.append(f'{1 + i % 28:02d}.03.2026;{1 + i % 3};"the {thing} no {i}; I say, is ""{words}"" and so on"')
    return ["Datum;Sterne;Text", *rows[first:last]]


def messages() -> list[str]:
    """Tabs, no header, a quote that is a letter."""
    return [f'{"ham" if i % 3 else "spam"}\tthis "is message number {i}' for i in range(200)]


def consumption(first: int = 0, last: int = 24 * 60) -> list[str]:
    """Semicolons, decimal commas, day-first dates, date and hour in two columns, a unit with a sign beyond ASCII."""
    rng = np.random.default_rng(0)
    rows = []
    for h in range(24 * 60):
        day, clock = str(np.datetime64("2026-01-01T00:00") + np.timedelta64(h, "h")).split("T")
        kwh, cold = 10 + 5 * np.sin(h / 24 * 2 * np.pi) + rng.normal(), rng.normal()
        rows.append(f"{'.'.join(reversed(day.split('-')))};{clock};{kwh:.2f};{cold:.1f}".replace(".2026", "/2026"))
    written = [row[:10].replace("/", ".") + row[10:].replace(".", ",") for row in rows]
    return ["Datum;Uhrzeit;Verbrauch;Temperatur (°C)", *written[first:last]]


def closes(first: int = 0, last: int = 900) -> list[str]:
    """The newest first, $ before prices, the month first; no row at weekends."""
    rng = np.random.default_rng(0)
    days = np.arange(np.datetime64("2015-01-01"), np.datetime64("2020-01-01"))
    days = days[np.is_busday(days)][:900]
    prices = 100 * np.exp(np.cumsum(rng.normal(scale=0.01, size=len(days))))
    rows = []
    for day, price in zip(days, prices, strict=True):
        year, month, of_month = str(day).split("-")
        rows.append(
            f"{month}/{of_month}/{year},${price:.2f},{rng.integers(10**6)},${price * 1.01:.2f},${price * 0.99:.2f}"
        )
    return ["Date,Close/Last,Volume,High,Low", *rows[first:last][::-1]]


def months() -> list[str]:
    rng = np.random.default_rng(0)
    values = [100 + i + 10 * (i % 12) + rng.integers(9) for i in range(144)]
    return ["Month,#Passengers", *(f"{np.datetime64('1990-01') + i},{value}" for i, value in enumerate(values))]


def sentences(first: int = 0, last: int = 150) -> list[str]:
    """A word and its tag on each line, a blank line after each sentence."""
    rng = random.Random(2)
    tags = {"the": "DT", "a": "DT", "sails": "VBZ", "sinks": "VBZ", ".": "."}
    lines: list[list[str]] = []
    for i in range(150):
        words = [rng.choice(["the", "a"]), f"ship{i}", rng.choice(["sails", "sinks"]), "."]
        lines.append([f"{word} {tags.get(word, 'NN')}" for word in words])
    return [line for sentence in lines[first:last] for line in [*sentence, ""]]


def universal() -> list[str]:
    """The same in CoNLL-U."""
    lines, number = [], 0
    for line in sentences():
        number = number + 1 if line else 0
        word, _, tag = line.partition(" ")
        lines.append(f"{number}\t{word}\t_\t{tag}\t_\t_\t0\t_\t_\t_" if line else "")
    return lines


def book(first: int = 0, last: int = 120) -> list[str]:
    rng = random.Random(3)
    words = [
        "the",
        "old",
        "man",
        "and",
        "sea",
        "ship",
        "whale",
        "saw",
        "took",
        "went",
        "under",
        "over",
        "light",
        "wind",
        "cold",
        "long",
    ]
    return [" ".join(rng.choice(words) for _ in range(12)) + "." for _ in range(120)][first:last]


FILES: dict[str, tuple[Callable[[], list[str]], str]] = {
    "Reviews 2026.csv": (reviews, "utf-8-sig"),
    "spam": (messages, "utf-8"),
    "verbrauch.csv": (consumption, "cp1252"),
    "HistoricalData.csv": (closes, "utf-8"),
    "months.csv": (months, "utf-8"),
    "words.txt": (sentences, "utf-8"),
    "ud.conllu": (universal, "utf-8"),
    "book.txt": (book, "utf-16"),
}


def content(name: str) -> bytes:
    lines, encoding = FILES[name]
    ends = "\r\n" if name == "Reviews 2026.csv" else "\n"
    return (ends.join(lines()) + ends).encode(encoding)
