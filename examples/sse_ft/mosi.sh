#!/usr/bin/env bash
# SSE-FT on CMU-MOSI: sentiment from -3 to 3.
#   examples/sse_ft/mosi.sh CORPUS [fairseq-train flags]
# Reports seven-class and binary accuracy, weighted F1, MAE and Pearson correlation.
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
TARGET=(--regression-target-mos --num-classes 1 --best-checkpoint-metric loss)
source "$(dirname "$0")/recipe.sh" mosi "$@"
