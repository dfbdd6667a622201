#!/usr/bin/env bash
# SSE-FT on IEMOCAP: four yes/no decisions (neutral, sad, angry, happy), as in the paper.
#   examples/sse_ft/iemocap.sh CORPUS [fairseq-train flags]
# Reports accuracy and weighted F1 of each emotion.
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
TARGET=(--binary-target-iemocap --best-checkpoint-metric loss)
source "$(dirname "$0")/recipe.sh" iemocap "$@"
