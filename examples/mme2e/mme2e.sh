#!/usr/bin/env bash
# MME2E (the paper's FE2E) on IEMOCAP or CMU-MOSEI: six decisions from faces, sound and words, trained end to end.
#   mmer import iemocap data/iemocap --root IEMOCAP_full_release --own-microphone
#   mmer faces data/iemocap --out data/iemocap-faces
#   ALBERT=albert-base-v2 examples/mme2e/mme2e.sh data/iemocap-faces [fairseq-train flags]
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
MEDIA=(video=face_pixels audio=mel_pieces)
TARGET=(--arch mme2e --batch-size 8 --lr 5e-5 --max-epoch 40 --patience 6)
source "$(dirname "$0")/recipe.sh" mme2e "$@"
