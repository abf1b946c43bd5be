#!/usr/bin/env bash
# For sites with long jobs: scheduler and study in a head job, workers in further jobs.
#     jobs/submit_service.sh config/demo.yaml
profile=${PROFILE:-$(dirname "$0")/../config/cluster/slurm.yaml}
exec "${PYTHON:-python}" -m ketadask submit "$@" --cluster "$profile"
