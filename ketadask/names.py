"""Names of dimensions, coordinates and columns, and the addresses of randomness.

Every other floor writes these names through this module, so that a name is spelt once.
"""

# Dimensions (singular, as xarray users expect).
CASE = "case"
UNIT = "unit"
FEATURE = "feature"
ARM = "arm"
SPLIT = "split"
PARTICIPANT = "participant"
REGION = "region"
CHANNEL = "channel"
TIME = "time"
RECORDING = "recording"

# Arms.
ACTIVE = "active"
CONTROL = "control"
ARMS = (ACTIVE, CONTROL)

# Polarity of a search: participants who benefit more, or less, than the others.
FAVOURABLE = "favourable"
UNFAVOURABLE = "unfavourable"
POLARITIES = (FAVOURABLE, UNFAVOURABLE)

# Sides of a split.
TRAIN = "train"
HOLDOUT = "holdout"
SIDES = (TRAIN, HOLDOUT)

# Modalities of features.
DEMOGRAPHIC = "demographic"
SCALE = "scale"
VOLUME = "volume"
MEG = "meg"
EEG = "eeg"

# Variable of a recording.
FIELD = "field"

# Kinds of features.
ORDINAL = "ordinal"
CONTINUOUS = "continuous"

# Verdicts.
SUPPORTED = "supported"
SUGGESTIVE = "suggestive"
NOISE = "not distinguishable from search noise"

# Streams of randomness. Split i draws from SeedSequence(seed, spawn_key=(i,)); everything else
# draws from SeedSequence(seed, spawn_key=(stream, ...)). Each use has its own stream, so no two
# draws coincide.
STREAM_RELABELLING = 1
STREAM_SIMULATION = 2
STREAM_POWER = 3
STREAM_FOLD = 4
STREAM_PERMUTATION = 5

LEVEL_SIGN = " = "  # in the name of a feature that is one level of a text
MAX_LITERALS = 4
