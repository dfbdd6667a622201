#!/usr/bin/env bash
# AuxFormer on CREMA-D: one of six emotions, as in the paper.
#   mmer import crema-d data/crema_d --root CREMA-D --partition 1
#   examples/auxformer/crema_d.sh data/crema_d [fairseq-train flags]
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
TARGET=(--labels emotion)
source "$(dirname "$0")/recipe.sh" crema_d "$@"
