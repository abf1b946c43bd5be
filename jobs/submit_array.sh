#!/usr/bin/env bash
# For sites that forbid long jobs: an array of tasks without a scheduler, then the verdicts.
#     TASKS=8 jobs/submit_array.sh config/demo.yaml
set -eu
jobs=$(dirname "$0")
job=$(sbatch --parsable --array="0-$((${TASKS:-8} - 1))" ${SBATCH_MORE:-} "$jobs/array.sbatch" "$@")
sbatch --dependency="afterany:$job" ${SBATCH_MORE:-} "$jobs/judge.sbatch" "$@"
