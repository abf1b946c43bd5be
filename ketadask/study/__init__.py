"""The composition root: a study from its YAML file to its report, stage by stage."""
