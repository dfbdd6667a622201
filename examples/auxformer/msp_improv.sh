#!/usr/bin/env bash
# AuxFormer on MSP-IMPROV: one of four emotions, as in the paper.
#   mmer import msp-improv data/msp_improv --root MSP-IMPROV --partition 1
#   examples/auxformer/msp_improv.sh data/msp_improv [fairseq-train flags]
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
TARGET=(--labels emotion)
source "$(dirname "$0")/recipe.sh" msp_improv "$@"
