#!/usr/bin/env bash
# Sites that forbid long services: eight tasks without a scheduler, then one that judges.
#     jobs/submit_array.sh config/demo.yaml
set -eu
cd "$(dirname "$0")/.."
job=$(sbatch --parsable --array=0-7 ${SBATCH_MORE:-} jobs/array.sbatch "$@")
sbatch --dependency="afterany:$job" ${SBATCH_MORE:-} jobs/judge.sbatch "$@"
