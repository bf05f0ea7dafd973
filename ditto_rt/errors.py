"""The tree of errors a user can cause; each class has the code that /ditto/fail carries.

DittoError
 +- BadFile      a path that cannot be read, is outside the allowed folders, or is no audio
 +- BadRegion    a region that the file does not hold
 +- BadTarget    a melody, curve or form that the take cannot carry
 +- NoModel      weights that are missing or damaged
 +- OutOfMemory  a take that the device has no room for
"""


class DittoError(Exception):
    """A problem told in one sentence: what was wrong, its value, what is allowed."""

    code = "error"


class BadFile(DittoError):
    """A file that cannot be used."""

    code = "bad_file"


class BadRegion(DittoError):
    """A region outside its file."""

    code = "bad_region"


class BadTarget(DittoError):
    """A target outside the take."""

    code = "bad_target"


class NoModel(DittoError):
    """Weights that cannot be loaded."""

    code = "no_model"


class OutOfMemory(DittoError):
    """A take too large for the device's memory."""

    code = "no_memory"
