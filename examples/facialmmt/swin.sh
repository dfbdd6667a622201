#!/usr/bin/env bash
# The face model alone, on labelled faces: a face's features and its emotion.
#   mmer import faces data/expr --root cropped_aligned --annotations EXPR_Classification_Challenge
#   SWIN=Swin_tiny_Ms-Celeb-1M.pt examples/facialmmt/swin.sh data/expr [fairseq-train flags]
#   SWIN=runs/facialmmt/swin/checkpoint_best.pt … examples/facialmmt/roberta.sh data/meld-faces
# Run it from the folder that holds mmer_fairseq. From the environment: SWIN (FaceX-Zoo's Swin-T, or random; without, a
# small picture encoder), OUT (runs/facialmmt/swin), LABELS (the corpus' first label space), SPLIT (test).
set -euo pipefail
DATA=${1:?"usage: $(basename "$0") FACES [fairseq-train flags]"} && shift
OUT=${OUT:-runs/facialmmt/swin} SPLIT=${SPLIT:-test} ENCODER=()
# the face model learns at the original's 5e-5, what is around it at --lr
[ -z "${SWIN:-}" ] || ENCODER=(--video-encoder "swin_face:$SWIN" --finetune video --video-lr-factor 20)
mkdir -p "$OUT"

echo "== check"
mmer check "$DATA"

echo "== train"
# clips and faces are the same pictures: the small network around the face model makes validation possible
fairseq-train "$DATA" --user-dir mmer_fairseq --task emotion_prediction --criterion emotion_prediction_cri \
	--arch facialmmt_small --modalities video ${LABELS:+--labels "$LABELS"} ${ENCODER[@]+"${ENCODER[@]}"} \
	--aux-data "$DATA" ${LABELS:+--aux-labels "$LABELS"} --batch-size 75 --aux-batch-size 75 --max-frames 1 \
	--optimizer adam --adam-eps 1e-6 --lr 1e-3 --clip-norm 0.8 --max-epoch 1 \
	--best-checkpoint-metric weighted_f1 --maximize-best-checkpoint-metric --no-epoch-checkpoints --save-dir "$OUT" \
	--no-progress-bar --log-format json --log-file "$OUT/train.log" "$@"

echo "== validate"
fairseq-validate "$DATA" --user-dir mmer_fairseq --task emotion_prediction --path "$OUT/checkpoint_best.pt" \
	--valid-subset "$SPLIT" --batch-size 75 --save-predictions "$OUT/$SPLIT.tsv" --no-progress-bar
mmer plot "$OUT" --predictions "$OUT/$SPLIT.tsv" --out "$OUT/plot.png"
