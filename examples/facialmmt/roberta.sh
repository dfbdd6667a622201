#!/usr/bin/env bash
# FacialMMT-RoBERTa on MELD: one of seven emotions from the dialogue, the voice and the speaker's faces.
#   ROBERTA=roberta-large WAV2VEC2=wav2vec2-base-960h SWIN=Swin_tiny_Ms-Celeb-1M.pt \
#     FACENET=20180402-114759-vggface2.pt FACES=data/expr examples/facialmmt/roberta.sh data/meld-faces [flags]
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
MODALITIES=text,audio,video LANGUAGE=roberta
TARGET=()
source "$(dirname "$0")/recipe.sh" roberta "$@"
