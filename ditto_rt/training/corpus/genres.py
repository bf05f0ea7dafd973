"""What tells the ten genres and the four moods apart, as tables."""

from dataclasses import dataclass, field

from ditto_rt.training.corpus.drums import KitStyle

Range = tuple[float, float]


@dataclass(frozen=True)
class Genre:
    """A genre's habits. Patterns are sixteen steps of a bar.

    `bass`: r root, f fifth, o octave, - holds, dot rests. `comp` (chords): x plays, - holds.
    `swing` is the part of a sixteenth by which every second one comes late. Chances are 0 to 1.
    """

    tempo_bpm: tuple[Range, ...]
    bass: tuple[str, ...]
    bass_voices: tuple[str, ...]
    comp: tuple[str, ...]
    comp_voices: tuple[str, ...]
    lead_voices: tuple[str, ...]
    arp_voices: tuple[str, ...]
    swing: Range = (0.0, 0.05)
    chord_beats: tuple[int, ...] = (4,)
    sevenths: float = 0.3
    drums_chance: float = 1.0
    arp_chance: float = 0.3
    lead_chance: float = 0.6
    ducking: Range = (0.0, 0.3)
    room_s: Range = (0.5, 1.2)
    room: float = 0.15
    echo: float = 0.15
    drums_db: float = 0.0
    bass_db: float = 0.0
    bass_centre: int = 38
    kit: KitStyle = field(default_factory=KitStyle)


PAD = "x---------------"
HALVES = "x-------x-------"

GENRE_STYLES: dict[str, Genre] = {
    "techno": Genre(
        tempo_bpm=((122, 140),),
        bass=("..r...r...r...r.", ".rrr.rrr.rrr.rrr", "r.rr.rr.r.rr.rro", "..rr..rr..rr..rf"),
        bass_voices=("saw bass", "acid bass", "square bass", "fm bass"),
        comp=("...x..x....x..x.", "x..x..x.........", "..x...x...x...x.", PAD),
        comp_voices=("stab", "dub chord", "saw pluck"),
        lead_voices=("square lead", "fm lead", "saw pluck"),
        arp_voices=("saw pluck", "pulse pluck", "glass"),
        chord_beats=(4, 8),
        arp_chance=0.4,
        lead_chance=0.4,
        ducking=(0.3, 0.7),
        drums_db=2.0,
        kit=KitStyle(kick_s=(0.25, 0.4), kick_drive=(1.5, 3.5)),
    ),
    "house": Genre(
        tempo_bpm=((116, 128),),
        bass=("..r...r...r...ro", "r..r..o.r..r..o.", "..o...o...o..ro.", "r-.r..r-.r..f-r."),
        bass_voices=("saw bass", "square bass", "fm bass"),
        comp=("x..x..x...x.x...", "..x...x...x...x.", "x--.x--.x--.x--.", "...x...x...x..x."),
        comp_voices=("organ", "electric piano", "stab", "supersaw"),
        lead_voices=("saw lead", "bell", "soft lead"),
        arp_voices=("pulse pluck", "pluck string"),
        swing=(0.05, 0.25),
        chord_beats=(2, 4),
        sevenths=0.7,
        ducking=(0.2, 0.6),
        drums_db=1.0,
        kit=KitStyle(kick_hz=(50, 58)),
    ),
    "drum and bass": Genre(
        tempo_bpm=((165, 180),),
        bass=("r-----..r---..f-", "r-------------f-", "r-.r--.r--......", "r---....r-r-o---"),
        bass_voices=("reese", "sub bass", "saw bass"),
        comp=(PAD, HALVES, "x...............", "x-----..x-----.."),
        comp_voices=("warm pad", "bright pad", "stab", "supersaw"),
        lead_voices=("saw lead", "bell", "fm lead"),
        arp_voices=("glass", "pulse pluck"),
        chord_beats=(4, 8),
        sevenths=0.5,
        ducking=(0.0, 0.3),
        drums_db=1.5,
        bass_db=1.0,
        kit=KitStyle(
            kick_hz=(55, 68), kick_s=(0.12, 0.2), snare_hz=(190, 240), kick_click=(0.3, 0.8)
        ),
    ),
    "hip hop": Genre(
        tempo_bpm=((75, 100),),
        bass=("r--..r-...f-....", "r-----..r-.f-...", "r--r--..o-r-....", "r-...r-...r-..f-"),
        bass_voices=("sub bass", "square bass", "fm bass"),
        comp=("x-----..x-----..", "x--.....x--..x..", "x...x...x...x...", PAD),
        comp_voices=("electric piano", "pluck string", "organ"),
        lead_voices=("pluck string", "soft lead", "bell"),
        arp_voices=("pluck string", "short pluck"),
        swing=(0.15, 0.35),
        chord_beats=(2, 4),
        sevenths=0.8,
        drums_db=1.0,
        kit=KitStyle(kick_hz=(52, 64), hat_hz=(5500, 8000), snare_hz=(160, 200)),
    ),
    "ambient": Genre(
        tempo_bpm=((65, 110),),
        bass=("r---------------", "r-------........"),
        bass_voices=("sub bass", "warm pad"),
        comp=(PAD, PAD, HALVES),
        comp_voices=("warm pad", "bright pad", "hollow pad"),
        lead_voices=("soft lead", "bell", "glass", "pluck string"),
        arp_voices=("glass", "bell", "pluck string"),
        chord_beats=(4, 8),
        sevenths=0.6,
        drums_chance=0.25,
        arp_chance=0.4,
        lead_chance=0.65,
        room_s=(1.5, 2.5),
        room=0.5,
        echo=0.3,
        drums_db=-8.0,
        bass_db=-2.0,
    ),
    "synthwave": Genre(
        tempo_bpm=((80, 118),),
        bass=("r.r.r.r.r.r.r.r.", "rrrrrrrrrrrrrrrr", "r.o.r.o.r.o.r.o.", "r.rrr.rrr.rrr.ro"),
        bass_voices=("saw bass", "saw bass", "square bass"),
        comp=(PAD, HALVES, "x-----x-----x---"),
        comp_voices=("bright pad", "supersaw", "warm pad"),
        lead_voices=("saw lead", "pulse lead", "square lead"),
        arp_voices=("pulse pluck", "saw pluck"),
        chord_beats=(4, 4, 8),
        sevenths=0.15,
        arp_chance=0.6,
        lead_chance=0.75,
        room_s=(0.8, 1.5),
        room=0.25,
        kit=KitStyle(
            snare_s=(0.2, 0.32), snare_noise=(0.6, 0.85), kick_s=(0.15, 0.25), hat_s=(0.03, 0.05)
        ),
    ),
    "trap": Genre(
        tempo_bpm=((120, 160),),
        bass=("r-----..r-......", "r-----r-..r---..", "r---------..r-..", "r-----....f-o-.."),
        bass_voices=("808",),
        comp=("x-------........", "x...x...x...x...", PAD, "x.....x.....x..."),
        comp_voices=("bell", "pluck string", "hollow pad", "electric piano"),
        lead_voices=("bell", "square lead", "glass", "short pluck"),
        arp_voices=("bell", "short pluck"),
        chord_beats=(4, 8),
        sevenths=0.2,
        lead_chance=0.75,
        bass_db=3.0,
        bass_centre=33,
        kit=KitStyle(
            kick_hz=(50, 60), kick_s=(0.15, 0.25), hat_hz=(8500, 11000), hat_s=(0.015, 0.03)
        ),
    ),
    "dub": Genre(
        tempo_bpm=((65, 90), (130, 145)),
        bass=("r-..r-..f-....r-", "r---..r-..o-..r-", "..r-r-..r-..f-..", "r-r-....r-.f-..."),
        bass_voices=("sub bass", "sub bass", "square bass"),
        comp=("....x.......x...", "..x...x...x...x.", "....x......x....", "......x........."),
        comp_voices=("dub chord", "organ"),
        lead_voices=("soft lead", "organ", "electric piano"),
        arp_voices=("dub chord", "glass"),
        swing=(0.0, 0.2),
        chord_beats=(4, 8),
        sevenths=0.5,
        arp_chance=0.1,
        lead_chance=0.5,
        room_s=(1.0, 2.0),
        room=0.3,
        echo=0.6,
        bass_db=3.0,
        bass_centre=35,
        kit=KitStyle(kick_hz=(44, 52), hat_hz=(6000, 8000)),
    ),
    "electro": Genre(
        tempo_bpm=((110, 135),),
        bass=("r..r..r...o.r...", "r.o.r.o.rr.or.o.", "rrorrrorrrorrfor", "r...r.o...r.f.o."),
        bass_voices=("square bass", "fm bass", "acid bass"),
        comp=("x.....x...x.....", "...x.....x......", "x-------........"),
        comp_voices=("stab", "hollow pad", "pulse pluck"),
        lead_voices=("square lead", "pulse lead", "fm lead"),
        arp_voices=("pulse pluck", "glass", "short pluck"),
        chord_beats=(4,),
        sevenths=0.1,
        arp_chance=0.5,
        ducking=(0.0, 0.2),
        drums_db=1.0,
        kit=KitStyle(
            kick_hz=(42, 50), kick_s=(0.35, 0.55), snare_noise=(0.7, 0.9), hat_s=(0.015, 0.035)
        ),
    ),
    "downtempo": Genre(
        tempo_bpm=((70, 105),),
        bass=("r-----....r-f-..", "r-------r---....", "r---..r-..r-....", "r-....f-r-....o-"),
        bass_voices=("sub bass", "fm bass", "saw bass"),
        comp=(PAD, HALVES, "x---....x---....", "x-----x-----x---"),
        comp_voices=("electric piano", "warm pad", "pluck string", "hollow pad"),
        lead_voices=("soft lead", "bell", "pluck string", "saw lead"),
        arp_voices=("pluck string", "glass"),
        swing=(0.0, 0.25),
        sevenths=0.7,
        arp_chance=0.4,
        lead_chance=0.7,
        room_s=(0.8, 1.8),
        room=0.3,
        echo=0.3,
        drums_db=-2.0,
    ),
}


@dataclass(frozen=True)
class Mood:
    """How a mood changes a genre: `brightness` in octaves of cutoff, levels in dB."""

    minor_chance: float
    brightness: float
    density: float
    rms_db: float
    drive: float
    drums_db: float
    register: int
    tempo: Range


MOOD_STYLES: dict[str, Mood] = {
    "dark": Mood(0.97, -1.1, 0.5, -18.5, 0.8, 0.0, -5, (0.0, 0.9)),
    "bright": Mood(0.1, 0.9, 0.55, -17.0, 0.5, 0.0, 4, (0.1, 1.0)),
    "calm": Mood(0.45, -0.3, 0.2, -22.0, 0.2, -7.0, 0, (0.0, 0.6)),
    "energetic": Mood(0.65, 0.5, 0.9, -14.5, 1.8, 2.0, 0, (0.4, 1.0)),
}
