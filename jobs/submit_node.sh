#!/usr/bin/env bash
# For sites that allocate whole nodes: one node for the searches, then the verdicts.
#     jobs/submit_node.sh config/demo.yaml
set -eu
jobs=$(dirname "$0")
job=$(sbatch --parsable ${SBATCH_MORE:-} "$jobs/search.sbatch" "$@")
sbatch --dependency="afterany:$job" ${SBATCH_MORE:-} "$jobs/judge.sbatch" "$@"
