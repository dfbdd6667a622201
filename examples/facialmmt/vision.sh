#!/usr/bin/env bash
# FacialMMT of the speaker's faces alone, on MELD; their features are stored once.
#   SWIN=best_swin_RoBERTa.pt FACENET=20180402-114759-vggface2.pt examples/facialmmt/vision.sh data/meld-faces [flags]
#   FEATURES=video=facenet examples/facialmmt/vision.sh data/meld-faces [flags]
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
MODALITIES=video LANGUAGE=''
TARGET=()
source "$(dirname "$0")/recipe.sh" vision "$@"
