#!/usr/bin/env bash
# MME2E on a toy corpus: the emotion from the pixels of the face and the sound of the voice. First on two pictures a
# second, where it learns quickly what a face and a voice show, then on eight, where it learns what of it lasts.
#   mmer import toy data/toy --clips 400 --seed 11
#   SEED=1 examples/mme2e/toy.sh data/toy [fairseq-train flags]
# An hour or two on one core; run again, it goes on where it stopped. Reads from the environment:
#   OUT     folder of the run (runs/mme2e/toy)
#   SEED    of both trainings (1)
#   FIRST   epochs at two pictures a second (20; for 90 clips 40)
#   SECOND  epochs at eight (16; for 90 clips 30)
#   SPLIT   the split to report (test)
# Run it from the folder that holds mmer_fairseq.
set -euo pipefail
DATA=${1:?"usage: $(basename "$0") CORPUS [fairseq-train flags]"} && shift
OUT=${OUT:-runs/mme2e/toy} SEED=${SEED:-1} FIRST=${FIRST:-20} SECOND=${SECOND:-16} SPLIT=${SPLIT:-test}
CLIPS=$(tail -n +2 "$DATA/train.tsv" | wc -l)

train() { # train FOLDER FLAGS…
	local folder=$1 && shift
	mkdir -p "$folder"
	fairseq-train "$DATA" --user-dir mmer_fairseq --task emotion_prediction --criterion emotion_prediction_cri \
		--arch mme2e --labels emotion --modalities audio,video --audio-encoder mel_pieces:log --video-encoder face_pixels \
		--picture-augmentation flip,shift=0.1,colour=0.3 --speed-perturbation 0.2 \
		--optimizer adam --clip-norm 1 --autocast-bf16 --seed "$SEED" \
		--best-checkpoint-metric uar --maximize-best-checkpoint-metric --no-epoch-checkpoints --save-dir "$folder" \
		--no-progress-bar --log-format json --log-file "$folder/train.log" "$@"
}

echo "== train on two pictures a second"
train "$OUT/first" --frame-rate 2 --batch-size 8 --dropout 0.2 --lr 3e-4 --lr-scheduler inverse_sqrt --warmup-updates 40 \
	--max-epoch "$FIRST" "$@"

echo "== train on eight"
train "$OUT" --finetune-from-model "$OUT/first/checkpoint_best.pt" --frame-rate 8 --batch-size 4 --lr 1.5e-4 \
	--lr-scheduler polynomial_decay --warmup-updates 60 --total-num-update $((SECOND * ((CLIPS + 3) / 4))) \
	--max-epoch "$SECOND" "$@"

echo "== validate"
fairseq-validate "$DATA" --user-dir mmer_fairseq --task emotion_prediction --path "$OUT/checkpoint_best.pt" \
	--valid-subset "$SPLIT" --batch-size 8 --save-predictions "$OUT/$SPLIT.tsv" --no-progress-bar
mmer plot "$OUT" --predictions "$OUT/$SPLIT.tsv" --out "$OUT/plot.png"
