#!/usr/bin/env bash
# Sites that let a job run for long: scheduler and study in a head job, workers as further jobs.
#     jobs/submit_service.sh config/demo.yaml
profile=${PROFILE:-$(dirname "$0")/../config/cluster/slurm.yaml}
exec "${PYTHON:-python}" -m ketadask submit "$@" --cluster "$profile"
