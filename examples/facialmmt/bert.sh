#!/usr/bin/env bash
# FacialMMT-BERT on MELD: one of seven emotions from the dialogue, the voice and the speaker's faces.
#   BERT=bert-large-uncased WAV2VEC2=wav2vec2-base-960h SWIN=Swin_tiny_Ms-Celeb-1M.pt \
#     FACENET=20180402-114759-vggface2.pt FACES=data/expr examples/facialmmt/bert.sh data/meld-faces [flags]
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
MODALITIES=text,audio,video LANGUAGE=bert
TARGET=()
source "$(dirname "$0")/recipe.sh" bert "$@"
