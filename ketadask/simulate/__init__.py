"""A study folder with planted truth, in the formats real studies come in."""
