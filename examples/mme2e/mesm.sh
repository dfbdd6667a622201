#!/usr/bin/env bash
# MESM, the sparse MME2E, on IEMOCAP or CMU-MOSEI: its CNNs compute where the text's attention points, 80 % of it.
#   mmer import mosei data/mosei --root CMU_MOSEI
#   mmer faces data/mosei --out data/mosei-faces
#   ALBERT=albert-base-v2 examples/mme2e/mesm.sh data/mosei-faces [fairseq-train flags]
# The paper's tables are at --sparse-threshold 0.7 (IEMOCAP) and 0.5 (CMU-MOSEI); 0.8 is the original's README's.
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
MEDIA=(video=face_pixels audio=mel_pieces)
TARGET=(--arch mme2e_sparse --sparse-threshold 0.8 --batch-size 2 --lr 5e-5 --max-epoch 40 --patience 6)
source "$(dirname "$0")/recipe.sh" mesm "$@"
