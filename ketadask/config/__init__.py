"""Settings: YAML files read strictly into frozen models; an error names key, value and remedy."""
