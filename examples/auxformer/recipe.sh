# The steps that the recipes of this folder share; they source it. Reads the corpus folder and further fairseq-train
# flags from the command line, and from the environment:
#   OUT       folder of the run (runs/auxformer/NAME)
#   WAV2VEC2  wav2vec2-large-robust: a Hugging Face folder, a fairseq checkpoint, or the authors' final_wav2vec.pt; its
#             first 12 layers run once over the corpus
#   VIDEO     name of a feature store of the corpus (EMOCA, VGG-Face); see README.md for how to make one
#             what is not given is replaced by a small encoder trained with the model (--arch auxformer_small)
#   SPLIT     the split to report (test)
#   WORKERS   processes that extract features (2)
set -euo pipefail
NAME=$1 && shift # of the recipe
DATA=${1:?"usage: $(basename "$0") CORPUS [fairseq-train flags]"} && shift
OUT=${OUT:-runs/auxformer/$NAME}
mkdir -p "$OUT"

echo "== check"
mmer check "$DATA"

ARCH=auxformer_small FEATURES=()
if [ -n "${WAV2VEC2:-}" ]; then
	echo "== extract wav2vec2"
	mmer extract "$DATA" --modality audio --name wav2vec2 --encoder "wav2vec2:$WAV2VEC2@12" --workers "${WORKERS:-2}"
	FEATURES+=(audio=wav2vec2)
fi
[ -z "${VIDEO:-}" ] || FEATURES+=("video=$VIDEO")
[ ${#FEATURES[@]} -lt 2 ] || ARCH=auxformer
JOINED=$(IFS=,; echo "${FEATURES[*]:-}")

echo "== train"
fairseq-train "$DATA" --user-dir mmer_fairseq --task emotion_prediction --criterion emotion_prediction_cri \
	--arch "$ARCH" --modalities audio,video --frame-rate 10 --max-sample-size 192000 \
	--modality-dropout audio=0.2,video=0.2 --main-weight 0.3333 --auxiliary-weight 0.3333 \
	--optimizer adam --lr 7.25e-4 --lr-scheduler fixed --clip-norm 0.8 --batch-size 32 --max-epoch 30 \
	--best-checkpoint-metric loss --no-epoch-checkpoints --save-dir "$OUT" --no-progress-bar --log-format json \
	--log-file "$OUT/train.log" ${JOINED:+--features "$JOINED"} "${TARGET[@]}" "$@"

echo "== validate"
fairseq-validate "$DATA" --user-dir mmer_fairseq --task emotion_prediction --path "$OUT/checkpoint_best.pt" \
	--valid-subset "${SPLIT:-test}" --batch-size 32 --save-predictions "$OUT/${SPLIT:-test}.tsv" --no-progress-bar
mmer plot "$OUT" --predictions "$OUT/${SPLIT:-test}.tsv" --out "$OUT/plot.png"

echo "== robustness"
mmer robustness "$DATA" --path "$OUT/checkpoint_best.pt" --split "${SPLIT:-test}"
