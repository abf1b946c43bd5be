"""What is asked: YAML files read strictly into frozen models, with errors a person can act on."""
