#!/usr/bin/env bash
# One backbone of JMT with a small head, trained on the traces; its weights then go into the fusion run.
#   examples/jmt/pretraining.sh data/aff-wild2 video r2plus1d:kinetics400 [fairseq-train flags]
#   R2D1=runs/jmt/pretraining-video/checkpoint_best.pt examples/jmt/aff_wild2.sh data/aff-wild2
# Run it from the folder that holds mmer_fairseq. OUT: folder of the run (runs/jmt/pretraining-MODALITY).
set -euo pipefail
USAGE="usage: $(basename "$0") CORPUS MODALITY ENCODER:WEIGHTS [fairseq-train flags]"
DATA=${1:?"$USAGE"} MODALITY=${2:?"$USAGE"} ENCODER=${3:?"$USAGE"} && shift 3
OUT=${OUT:-runs/jmt/pretraining-$MODALITY}
mkdir -p "$OUT"
fairseq-train "$DATA" --user-dir mmer_fairseq --task emotion_prediction --criterion emotion_prediction_cri \
	--arch jmt --goal pretraining --a-dropout 0.15 --labels affect --modalities "$MODALITY" \
	"--$MODALITY-encoder" "$ENCODER" --finetune "$MODALITY" --sample-rate 44100 \
	--seq-length 512 --subseq-length 32 --dilation 4 --stride 1 --batch-size 32 --max-epoch 5 \
	--optimizer nag --momentum 0.9 --lr 2e-4 --lr-scheduler mystep --step-size 100 --gamma 0.1 \
	--best-checkpoint-metric ccc --maximize-best-checkpoint-metric --no-epoch-checkpoints --save-dir "$OUT" \
	--no-progress-bar --log-format json --log-file "$OUT/train.log" "$@"
mmer plot "$OUT" --out "$OUT/plot.png"
