#!/usr/bin/env bash
# From nothing to a trained model: makes the toy corpus, trains SSE-FT on text, sound and picture and on each of them
# alone, and prints the four scores and where the plots lie. Run again, it goes on where it stopped and skips what is done. `make quickstart`
# makes the environment first and then runs this.
set -euo pipefail
cd "$(dirname "$0")/.."
BIN=${VENV:-.venv}/bin
OUT=${OUT:-runs/quickstart}
EPOCHS=${EPOCHS:-20}
DATA=$OUT/toy
export OMP_NUM_THREADS=1 # two trainings run side by side

"$BIN/mmer" import toy "$DATA"
[ -e "$DATA/tokenizer.model" ] || "$BIN/mmer" tokenizer "$DATA"

quietly() { # quietly FILE COMMAND…: what the command says goes to FILE and is shown only if it fails
	local file=$1
	shift
	"$@" >"$file" 2>&1 || { tail -n 20 "$file" >&2; echo "failed; all it said is in $file" >&2; exit 1; }
}

train() { # train NAME MODALITIES
	local run=$OUT/$1
	mkdir -p "$run"
	[ ! -e "$run/finished-$EPOCHS" ] || return 0
	quietly "$run/output.txt" "$BIN/fairseq-train" "$DATA" --user-dir mmer_fairseq --task emotion_prediction --modalities "$2" \
		--arch robertaEMO_small --criterion emotion_prediction_cri --frame-rate 10 \
		--optimizer adam --adam-betas '(0.9, 0.98)' --weight-decay 0.01 --clip-norm 1.0 \
		--lr 1e-3 --lr-scheduler inverse_sqrt --warmup-updates 50 --dropout 0.1 \
		--batch-size 8 --max-epoch "$EPOCHS" --seed 1 --num-workers 1 \
		--best-checkpoint-metric uar --maximize-best-checkpoint-metric --no-epoch-checkpoints \
		--save-dir "$run" --no-progress-bar --log-format json --log-file "$run/train.log"
	touch "$run/finished-$EPOCHS"
}

score() { # score NAME SPLIT: the run's best checkpoint on a split
	[ ! "$OUT/$1/$2.txt" -nt "$OUT/$1/checkpoint_best.pt" ] || return 0
	quietly "$OUT/$1/$2.txt" "$BIN/fairseq-validate" "$DATA" --user-dir mmer_fairseq --task emotion_prediction \
		--path "$OUT/$1/checkpoint_best.pt" \
		--valid-subset "$2" --batch-size 8 --save-predictions "$OUT/$1/$2.tsv" --log-format json --no-progress-bar
}

echo "training on all three modalities and on each alone, up to $EPOCHS epochs each; logs in $OUT/*/train.log"
train all text,audio,video &
all=$!
(train text text && train audio audio && train video video) &
single=$!
wait $all
wait $single

for name in all text audio video; do
	for split in valid test; do
		score "$name" "$split"
	done
	quietly "$OUT/$name/plot.txt" "$BIN/mmer" plot "$OUT/$name" --predictions "$OUT/$name/valid.tsv" --out "$OUT/$name/plot.png"
done
"$BIN/python" - "$OUT" <<'TABLE'
import json, pathlib, sys

out = pathlib.Path(sys.argv[1])
print(f"\n{'trained on':<12}{'valid UAR':>12}{'valid accuracy':>16}{'test UAR':>12}")
for name in ("all", "text", "audio", "video"):
    last = {}
    for split in ("valid", "test"):
        lines = (out / name / f"{split}.txt").read_text().splitlines()
        last[split] = json.loads([line[line.index("{\"") :] for line in lines if f'"{split}_uar"' in line][-1])
    scores = [float(last["valid"]["valid_uar"]), float(last["valid"]["valid_accuracy"]), float(last["test"]["test_uar"])]
    print(f"{name:<12}{scores[0]:>12.3f}{scores[1]:>16.3f}{scores[2]:>12.3f}")
print(f"\nlearning curve and confusion matrix: {out / 'all' / 'plot.png'}")
print(f"the model: {out / 'all' / 'checkpoint_best.pt'}")
TABLE
