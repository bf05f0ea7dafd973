"""Drum grids: a bar of sixteen steps for each drum.

X is an accent, x a plain hit, o a soft one, and a dot is silence.
"""

Grid = dict[str, str]

VELOCITIES = {"X": 1.0, "x": 0.8, "o": 0.45}

FOUR = "X...X...X...X..."
BACK = "....X.......X..."
OFF = "..x...x...x...x."
EIGHTHS = "x.o.x.o.x.o.x.o."
SIXTEENTHS = "xoxoxoxoxoxoxoxo"

GRIDS: dict[str, tuple[Grid, ...]] = {
    "techno": (
        {"kick": FOUR, "open": OFF, "hat": "x.o.x.o.x.o.x.o.", "clap": BACK},
        {"kick": FOUR, "hat": SIXTEENTHS, "rim": "...x..x....x..x."},
        {"kick": FOUR, "open": OFF, "ride": EIGHTHS, "low tom": "...x......x....."},
        {"kick": FOUR, "hat": "..x...x...x...xo", "clap": "....x..o....x...", "shaker": SIXTEENTHS},
    ),
    "house": (
        {"kick": FOUR, "clap": BACK, "open": OFF, "shaker": SIXTEENTHS},
        {"kick": FOUR, "snare": BACK, "open": OFF, "hat": "x..ox..ox..ox..o"},
        {"kick": FOUR, "clap": BACK, "open": OFF, "rim": "..x..x....x..x.."},
        {"kick": FOUR, "clap": "....X..o....X.o.", "hat": "o.x.o.x.o.x.o.xo", "ride": OFF},
    ),
    "drum and bass": (
        {"kick": "X.........X.....", "snare": BACK, "hat": EIGHTHS},
        {"kick": "X.........X.....", "snare": "....X..o.o..X..o", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X.x.......X.....", "snare": "....X..o....X...", "ride": EIGHTHS},
        {"kick": "X..x......X..x..", "snare": "....X.......X..o", "hat": SIXTEENTHS},
    ),
    "hip hop": (
        {"kick": "X......x..X.....", "snare": BACK, "hat": EIGHTHS},
        {"kick": "X.x.......Xx....", "snare": BACK, "hat": "x.x.x.xox.x.x.x."},
        {"kick": "X..x..x...X.....", "snare": "....X.......X..o", "hat": EIGHTHS, "shaker": OFF},
        {"kick": "X.......X.X....o", "snare": BACK, "hat": "x.oox.o.x.oox.o."},
    ),
    "ambient": (
        {"kick": "x...............", "shaker": "....o.......o..."},
        {"kick": "x.........o.....", "rim": "....o.......o...", "hat": "..o...o...o...o."},
        {"low tom": "x.....o.........", "shaker": "o.o.o.o.o.o.o.o."},
    ),
    "synthwave": (
        {"kick": FOUR, "snare": BACK, "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X.....x.X.......", "snare": BACK, "hat": EIGHTHS},
        {"kick": FOUR, "snare": BACK, "hat": SIXTEENTHS, "high tom": "..............xx"},
        {"kick": "X...x...X.x.x...", "snare": BACK, "open": OFF},
    ),
    "trap": (
        {"kick": "X.....x...x.....", "clap": "........X.......", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X..x......x..x..", "snare": "........X.......", "hat": "x.x.x.xxx.x.xxxx"},
        {"kick": "X.......  ....x.".replace(" ", "."), "clap": "........X.......", "hat": EIGHTHS},
        {"kick": "X.x....x..x.....", "clap": "........X......o", "hat": "xxx.x.x.xxx.x.xx"},
    ),
    "dub": (
        {"kick": "........X.......", "rim": "........x.......", "hat": "x.o.x.o.x.o.x.o."},
        {"kick": FOUR, "rim": "........X.....o.", "hat": OFF},
        {"kick": "X.......X.......", "snare": "........X.......", "shaker": "x.oxx.oxx.oxx.ox"},
        {"kick": "x.......X.......", "rim": "...o..x.X..o....", "open": "..x.......x....."},
    ),
    "electro": (
        {"kick": "X.....X...x.....", "snare": BACK, "hat": SIXTEENTHS},
        {
            "kick": "X..x..X.........",
            "clap": BACK,
            "hat": "x.x.x.x.x.x.x.xx",
            "rim": "..x..x.....x..x.",
        },
        {
            "kick": "X.....X..x......",
            "snare": BACK,
            "hat": SIXTEENTHS,
            "low tom": ".............x.x",
        },
        {"kick": "X.X...X...X.....", "snare": "....X.......X.o.", "open": OFF},
    ),
    "downtempo": (
        {"kick": "X.........x.....", "snare": BACK, "shaker": EIGHTHS},
        {"kick": "X......x........", "rim": BACK, "hat": "..x...x...x...x."},
        {"kick": "X.....x...x.....", "snare": "....x.......x..o", "hat": EIGHTHS},
        {"kick": "X.......x.......", "clap": "............X...", "shaker": SIXTEENTHS},
    ),
}

# The last beat of a phrase, as four steps for each drum.
FILLS: tuple[Grid, ...] = (
    {"snare": "xxxX"},
    {"snare": "..xX", "kick": "x..."},
    {"high tom": "xx..", "low tom": "..xx"},
    {"clap": "x.xx"},
    {"snare": "oxxX", "open": "...x"},
)


def hits(grid: Grid) -> list[tuple[str, float, float]]:
    """Return a bar's hits as (drum, beat, velocity)."""
    return [
        (drum, step / 4, VELOCITIES[mark])
        for drum, steps in grid.items()
        for step, mark in enumerate(steps)
        if mark != "."
    ]
