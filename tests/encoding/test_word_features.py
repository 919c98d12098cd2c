"""Words by Unicode's rules: no script is cut apart, no emoji lost, no two texts become one, no word costs much."""

import unicodedata

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from pipeline.encoding.word_features import LETTERS, bags, grams, pieces, tokenised, words

SPLIT = {
    "Hindi": ("हिन्दी में जीत।", ["हिन्दी", "में", "जीत"]),
    "Tamil": ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
    "Hebrew with points": ("שָׁלוֹם, עולם", ["שָׁלוֹם", "עולם"]),
    "Arabic with vowels": ("كِتَابٌ جَدِيدٌ", ["كِتَابٌ", "جَدِيدٌ"]),
    "Persian joins": ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
    "decomposed": ("Cafe\u0301 SEHR", ["café", "sehr"]),
    "Thai letters": ("สวัสดี ๑๒", ["ส", "วั", "ส", "ดี", "๑๒"]),
    "Chinese characters": ("我喜欢iPhone手机", ["我", "喜", "欢", "iphone", "手", "机"]),
    "Japanese": ("ラーメンが好き", ["ラーメン", "が", "好", "き"]),
    "Korean": ("오늘은 날씨가", ["오늘은", "날씨가"]),
    "emoji": ("great😀👍🏽 👨‍👩‍👧🇩🇪❤️!", ["great", "😀", "👍🏽", "👨‍👩‍👧", "🇩🇪", "❤️"]),
    "signs": ("© 2020 ® ™ ½ x² ★", ["2020", "½", "x²"]),
    "marks alone": ("\u0301 \u200d", []),
}


@pytest.mark.parametrize("name", SPLIT)
def test_words_of_all_scripts(name: str) -> None:
    text, expected = SPLIT[name]
    assert words(text) == [unicodedata.normalize("NFC", word) for word in expected]


@given(st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF)))
def test_the_quick_way_for_latin_letters_is_the_same(text: str) -> None:
    assert pieces(text) == pieces(text + " \u0915")[:-1]


WRITTEN = st.text(
    st.one_of(st.characters(categories=["Lu", "Ll", "Lo", "Lm", "Nd"]), st.sampled_from("िीुां्ָׁ \u0301😀😢👍🏽🇩🇪❤️")),
    min_size=1,
)


@given(WRITTEN)
def test_no_letter_mark_or_emoji_is_lost(text: str) -> None:
    plain = unicodedata.normalize("NFC", f"x{text}".lower())
    assert "".join(words(f"x{text}")) == regex.sub(r"\s+[\p{M}\u200d]*", "", plain)


@pytest.mark.fault("long-word")
def test_a_word_of_20_000_letters_costs_as_much_as_one_of_32() -> None:
    rng = np.random.default_rng(0)
    blob = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz0123456789"), 20_000))
    encoder = {"bigrams": False, "char_ngrams": 5, "max_length": 400, "cut": "head"}
    tokens = tokenised([*(f"a short text {i}" for i in range(80)), blob])
    numbered = bags(tokens, np.arange(81), encoder)
    assert numbered.numbers.shape[1] <= 1 + 4 * (LETTERS + 2)
    assert max(map(len, numbered.grams)) <= 6, "# and five letters"
    assert grams(blob, 2)[:2] == [f"#<{blob[0]}", f"#{blob[:2]}"] and f"#{blob[-1]}>" in grams(blob, 2)


def test_up_to_32_letters_all_n_grams_count() -> None:
    word = "abcdefghijklmnopqrstuvwxyz012345"
    assert len(word) == LETTERS and len(grams(word, 3)) == 33 + 32
    assert len(grams(word + "6", 3)) < 33 + 32
