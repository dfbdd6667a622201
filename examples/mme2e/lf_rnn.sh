#!/usr/bin/env bash
# LF-RNN on IEMOCAP or CMU-MOSEI: an LSTM for each modality's stored features, late fusion.
#   FEATURES=text=glove,audio=covarep,video=openface examples/mme2e/lf_rnn.sh CORPUS [fairseq-train flags]
# A modality without features gets a small encoder that is trained with the model.
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
MEDIA=()
ALBERT='' # the original reads word vectors
# --clip-norm: the original's 2, times six: its loss is the mean over the labels, ours the sum
TARGET=(--arch lf_rnn --batch-size 32 --lr 5e-4 --clip-norm 12 --max-epoch 60 --patience 8)
source "$(dirname "$0")/recipe.sh" lf_rnn "$@"
