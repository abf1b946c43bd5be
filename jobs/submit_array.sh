#!/usr/bin/env bash
# Sites that forbid long services: features, eight tasks without a scheduler, one that judges.
#     jobs/submit_array.sh config/demo.yaml
set -eu
cd "$(dirname "$0")/.."
job=$(sbatch --parsable ${SBATCH_MORE:-} ${EXTRACT_MORE:-} jobs/extract.sbatch "$@")
job=$(sbatch --parsable --dependency="afterok:$job" --kill-on-invalid-dep=yes --array=0-7 \
    ${SBATCH_MORE:-} jobs/array.sbatch "$@")
sbatch --dependency="afterany:$job" ${SBATCH_MORE:-} jobs/judge.sbatch "$@"
