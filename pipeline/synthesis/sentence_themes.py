"""Themes of synthetic texts: English words with regular endings, so that a reader sees each mistake."""

from pipeline.synthesis.sentence_grammar import Theme


def _theme(nouns: str, verbs: str, adjectives: str) -> Theme:
    return Theme(*(tuple(words.split(", ")) for words in (nouns, verbs, adjectives)))


BALLROOM = _theme("servant, prince, fiancé, guest", "invited, flattered, adored", "vain, elegant")
BATTLE = _theme("soldier, rider, general, drummer", "attacked, surrounded, saluted", "brave, wounded")
COURT = _theme("king, duke, herald, jester", "obeyed, honoured, rewarded", "royal, proud")
GARDEN = _theme("rose, bee, tulip, hedge", "admired, shaded, watered", "sweet, green")
KITCHEN = _theme("cook, spoon, kettle, pudding", "warmed, tasted, stirred", "hot, copper")
MARKET = _theme("merchant, coin, lemon, basket", "counted, offered, weighed", "cheap, ripe")
MUSIC = _theme("singer, flute, harp, song", "charmed, answered, tuned", "merry, soft")
ROAD = _theme("driver, mule, wagon, bandit", "followed, blocked, robbed", "tired, dusty")
SCHOOL = _theme("teacher, pupil, lesson, riddle", "asked, explained, scolded", "clever, lazy")
SEA = _theme("sailor, wave, gull, whale", "lifted, greeted, passed", "old, grey")
