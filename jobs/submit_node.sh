#!/usr/bin/env bash
# Sites that give whole nodes: one node for the searches, all of its cores, then the judging.
#     jobs/submit_node.sh config/demo.yaml
set -eu
jobs=$(dirname "$0")
job=$(sbatch --parsable ${SBATCH_MORE:-} "$jobs/search.sbatch" "$@")
sbatch --dependency="afterany:$job" ${SBATCH_MORE:-} "$jobs/judge.sbatch" "$@"
