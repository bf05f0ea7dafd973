"""The words the model knows, and how a musician's text becomes tags."""

import re
from dataclasses import dataclass

GENRES = (
    "techno",
    "house",
    "drum and bass",
    "hip hop",
    "ambient",
    "synthwave",
    "trap",
    "dub",
    "electro",
    "downtempo",
)
MOODS = ("dark", "bright", "calm", "energetic")

ALIASES = {
    "dnb": "drum and bass",
    "d&b": "drum and bass",
    "drum & bass": "drum and bass",
    "drum n bass": "drum and bass",
    "jungle": "drum and bass",
    "hip-hop": "hip hop",
    "hiphop": "hip hop",
    "boom bap": "hip hop",
    "retrowave": "synthwave",
    "happy": "bright",
    "sad": "dark",
    "moody": "dark",
    "chill": "calm",
    "relaxed": "calm",
    "aggressive": "energetic",
    "driving": "energetic",
    "hard": "energetic",
}


@dataclass(frozen=True)
class Tags:
    """What the music should be; None leaves the choice to the model."""

    genre: str | None = None
    mood: str | None = None

    def __str__(self) -> str:
        """Return the tags as text that `parse_tags` reads back."""
        return " ".join(word for word in (self.mood, self.genre) if word)


def parse_tags(text: str) -> tuple[Tags, tuple[str, ...]]:
    """Read tags from free text; return them and the words that mean nothing to the model.

    The last genre and the last mood named win. Longer names are tried first, so that
    'drum and bass' is one tag and not three unknown words.
    """
    names = {**{name: name for name in GENRES + MOODS}, **ALIASES}
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w&])(?:{known})(?![\w&])")
    lowered = text.lower()
    found = [names[match] for match in pattern.findall(lowered)]
    genres = [name for name in found if name in GENRES]
    moods = [name for name in found if name in MOODS]
    unknown = tuple(re.findall(r"[\w&'-]+", pattern.sub(" ", lowered)))
    return Tags(genres[-1] if genres else None, moods[-1] if moods else None), unknown
