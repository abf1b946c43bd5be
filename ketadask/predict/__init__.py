"""Response foretold from brain structure: nested cross-validation, locked models, other cohorts."""
