#!/usr/bin/env bash
# SSE-FT on MELD: one of seven emotions.
#   examples/sse_ft/meld.sh CORPUS [fairseq-train flags]
# Reports accuracy and weighted F1.
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
TARGET=(--softmax-target-meld --best-checkpoint-metric loss)
source "$(dirname "$0")/recipe.sh" meld "$@"
