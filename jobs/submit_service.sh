#!/usr/bin/env bash
# Sites that let a job run for long: scheduler and study in a head job, workers as further jobs.
#     jobs/submit_service.sh config/demo.yaml
exec ketadask submit "$@" --cluster "${PROFILE:-config/cluster/slurm.yaml}"
