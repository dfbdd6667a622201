# The steps that the recipes of this folder share; they source it. Reads the corpus folder and further fairseq-train
# flags from the command line, and from the environment:
#   OUT       folder of the run (runs/sse_ft/NAME)
#   ROBERTA   fairseq's roberta.large folder (model.pt, dict.txt)    } frozen encoders of the paper; each one that is
#   WAV2VEC   wav2vec_large.pt                                        } given runs once over the corpus, the others are
#   FABNET    FAb-Net's released checkpoint                          } replaced by small ones trained with the model
#   GPT2_BPE  folder with encoder.json, vocab.bpe, dict.txt: needed with ROBERTA where the corpus holds words, not ids
#   SPLIT     the split to report (test)
#   WORKERS   processes that extract features (2)
set -euo pipefail
NAME=$1 && shift # of the recipe
DATA=${1:?"usage: $(basename "$0") CORPUS [fairseq-train flags]"} && shift
OUT=${OUT:-runs/sse_ft/$NAME}
mkdir -p "$OUT"

echo "== check"
mmer check "$DATA"
if [ -e "$DATA/corpus.yaml" ] && [ -z "${ROBERTA:-}" ] && [ ! -e "$DATA/tokenizer.model" ]; then
	mmer tokenizer "$DATA"
fi

FEATURES=()
extract() { # extract MODALITY STORE ENCODER [flags]: finished parts are not done again
	echo "== extract $2"
	mmer extract "$DATA" --modality "$1" --name "$2" --encoder "$3" --workers "${WORKERS:-2}" "${@:4}"
	FEATURES+=("$1=$2")
}
[ -z "${ROBERTA:-}" ] || extract text roberta "roberta:$ROBERTA" ${GPT2_BPE:+--gpt2-bpe "$GPT2_BPE"}
[ -z "${WAV2VEC:-}" ] || extract audio wav2vec "wav2vec:$WAV2VEC"
[ -z "${FABNET:-}" ] || extract video fabnet "fabnet:$FABNET"
JOINED=$(IFS=,; echo "${FEATURES[*]:-}")

echo "== train"
fairseq-train "$DATA" --user-dir mmer_fairseq --task emotion_prediction --criterion emotion_prediction_cri \
	--arch robertEMO_large --encoder-layers 2 --encoder-layers-cross 2 --encoder-attention-heads 4 \
	--max-positions-t 512 --max-positions-a 936 --max-positions-v 301 --max-sample-size 150000 \
	--dropout 0.1 --attention-dropout 0.1 --weight-decay 0.1 --optimizer adam --adam-betas '(0.9, 0.98)' \
	--adam-eps 1e-06 --clip-norm 0.0 --lr 1e-03 --lr-scheduler reduce_lr_on_plateau --batch-size 4 --update-freq 2 \
	--max-epoch 32 --no-epoch-checkpoints --save-dir "$OUT" --no-progress-bar --log-format json \
	--log-file "$OUT/train.log" ${JOINED:+--features "$JOINED"} "${TARGET[@]}" "$@"

echo "== validate"
fairseq-validate "$DATA" --user-dir mmer_fairseq --task emotion_prediction --path "$OUT/checkpoint_best.pt" \
	--valid-subset "${SPLIT:-test}" --batch-size 4 --save-predictions "$OUT/${SPLIT:-test}.tsv" --no-progress-bar
mmer plot "$OUT" --predictions "$OUT/${SPLIT:-test}.tsv" --out "$OUT/plot.png"
