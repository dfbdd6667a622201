#!/usr/bin/env bash
# JMT on Aff-Wild2: valence and arousal of every frame, from face and voice, with the original's settings.
#   mmer import aff-wild2 data/aff-wild2 --annotations VA_Estimation_Challenge --faces cropped_aligned --videos videos
#   R2D1=kinetics400 RESNET18=imagenet examples/jmt/aff_wild2.sh data/aff-wild2 [fairseq-train flags]
# What it reads from the environment is told in recipe.sh; run it from the folder that holds mmer_fairseq.
LABELS=affect MODALITIES=video,audio
SUBSEQ=(--subseq-length 32 --dilation 4)
TARGET=(--seq-length 512 --stride 1 --best-checkpoint-metric ccc --batch-size 32 --max-epoch 20
	--optimizer nag --momentum 0.9 --lr 2e-4 --lr-scheduler mystep --step-size 100 --gamma 0.1)
source "$(dirname "$0")/recipe.sh" aff_wild2 "$@"

echo "== traces"
mmer traces "$DATA" --path "$OUT/checkpoint_best.pt" --split "$SPLIT" --smooth --form aff-wild2 --out "$OUT/traces"
