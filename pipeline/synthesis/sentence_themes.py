"""Themes of synthetic texts: English words with a regular -s, so that a reader sees each agreement and each mistake."""

from pipeline.synthesis.sentence_grammar import Theme


def _theme(nouns: str, verbs: str, adjectives: str, adverbs: str) -> Theme:
    return Theme(*(tuple(words.split(", ")) for words in (nouns, verbs, adjectives, adverbs)))


BALLROOM = _theme(
    "servant, gown, candle, prince, mirror, fiancé, soirée, guest",
    "invite, adore, flatter, avoid, adorn, await",
    "elegant, vain, young, charming, silken",
    "with a smile, after supper, à la mode",
)
BATTLE = _theme(
    "soldier, general, drum, cannon, banner, sword, trumpet, rider",
    "attack, defend, surround, fear, wound, salute",
    "brave, wounded, hostile, loyal, steel",
    "in vain, at once, bravely",
)
COURT = _theme(
    "king, queen, duke, jester, herald, throne, crown, page",
    "obey, honour, summon, reward, pardon, adorn",
    "royal, proud, noble, golden, jealous",
    "in secret, with a bow, solemnly",
)
FARM = _theme(
    "miller, shepherd, lamb, hen, plough, barn, sack, wheel",
    "feed, drive, gather, own, pull, grind",
    "plump, wooden, brown, busy, muddy",
    "before the rain, at harvest, patiently",
)
GARDEN = _theme(
    "rose, gardener, bee, tulip, fountain, hedge, snail, spade",
    "admire, water, shade, visit, trim, plant",
    "sweet, green, thorny, wild, tiny",
    "in spring, all day, gently",
)
KITCHEN = _theme(
    "cook, kettle, spoon, pudding, oven, apple, cup, baker",
    "stir, warm, taste, serve, boil, slice",
    "hot, copper, hungry, sugary, broken",
    "at breakfast, too long, neatly",
)
MARKET = _theme(
    "merchant, coin, beggar, cart, lemon, basket, farmer, scale",
    "sell, count, cheat, weigh, offer, want",
    "cheap, greedy, heavy, ripe, honest",
    "at noon, for silver, loudly",
)
MUSIC = _theme(
    "singer, flute, song, harp, choir, bell, dancer, violin",
    "charm, answer, tune, imitate, applaud, play",
    "merry, soft, tender, shrill, famous",
    "once more, in tune, sweetly",
)
ROAD = _theme(
    "driver, mule, bridge, inn, bandit, traveller, milestone, wagon",
    "follow, meet, block, rob, lead, repair",
    "narrow, tired, steep, stolen, dusty",
    "in the fog, before sunset, at last",
)
SCHOOL = _theme(
    "teacher, pupil, riddle, lesson, slate, pencil, book, desk",
    "explain, forget, ask, scold, read, learn",
    "clever, lazy, tiresome, difficult, dusty",
    "by heart, after lunch, badly",
)
SEA = _theme(
    "sailor, captain, wave, gull, harbour, anchor, whale, sail",
    "follow, lift, greet, await, lower, drag",
    "old, salty, grey, distant, weary",
    "slowly, at dawn, by night",
)
SKY = _theme(
    "star, moon, cloud, comet, planet, rainbow, swallow, sunbeam",
    "outshine, veil, guide, circle, brighten, adorn",
    "bright, pale, lonely, silver, far",
    "at midnight, till morning, faintly",
)
WINTER = _theme(
    "storm, skater, snowflake, icicle, robin, stove, sledge, shovel",
    "cover, freeze, endure, melt, whiten, clear",
    "cold, white, frozen, sharp, long",
    "overnight, all winter, bitterly",
)
WOOD = _theme(
    "hunter, owl, oak, raven, stag, path, bear, root",
    "hide, track, frighten, shelter, startle, surround",
    "dark, hollow, ancient, silent, mossy",
    "by moonlight, in autumn, quietly",
)
