#!/usr/bin/env bash
# JMT on BioVid part A: no pain or the strongest, from the face and the biosignals.
#   mmer import biovid data/biovid --root BioVid/PartA --folds 5 --fold 1
#   R2D1=kinetics400 examples/jmt/biovid.sh data/biovid [fairseq-train flags]
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
LABELS=${LABELS:-pain-presence} MODALITIES=${MODALITIES:-video,physio}
SUBSEQ=()
TARGET=(--best-checkpoint-metric uar --batch-size 32 --max-epoch 30 --optimizer adam --lr 1e-3 --clip-norm 1)
source "$(dirname "$0")/recipe.sh" biovid "$@"
