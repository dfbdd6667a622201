# The steps that the recipes of this folder share; they source it. Reads the corpus folder and further fairseq-train
# flags from the command line, and from the environment:
#   OUT       folder of the run (runs/jmt/NAME)
#   R2D1      weights of R(2+1)D-18: a file, or kinetics400, which torchvision downloads
#   I3D       weights of I3D with its TCN: a file
#   RESNET18  weights of ResNet-18 on log-mel spectrograms: a file, or imagenet, which torchvision downloads
#   WAVLM     a Hugging Face folder of WavLM (pip install 'mmer_fairseq[wavlm]')
#             each runs once over the corpus and is frozen; a modality without any gets a small encoder trained with
#             the model (--arch jmt_small)
#   SPLIT     the split to report (test)
#   WORKERS   processes that extract features (2)
# A recipe sets TARGET (flags that say what is predicted) and SUBSEQ (flags of sub-sequences; empty for whole clips).
set -euo pipefail
NAME=$1 && shift # of the recipe
DATA=${1:?"usage: $(basename "$0") CORPUS [fairseq-train flags]"} && shift
OUT=${OUT:-runs/jmt/$NAME} SPLIT=${SPLIT:-test} ARCH=jmt FEATURES=() SMALL=()
mkdir -p "$OUT"

echo "== check"
mmer check "$DATA"

# store MODALITY NAME ENCODER: run an encoder once, and read what it stored
store() {
	echo "== extract $2"
	mmer extract "$DATA" --modality "$1" --name "$2" --encoder "$3" --workers "${WORKERS:-2}" --dtype float16 \
		--labels "$LABELS" ${SUBSEQ[@]+"${SUBSEQ[@]}"}
	FEATURES+=("$1=$2")
}
[ -z "${R2D1:-}" ] || store video r2d1 "r2plus1d:$R2D1"
[ -z "${I3D:-}" ] || store video i3d "i3d:$I3D"
[ -z "${RESNET18:-}" ] || store audio resnet18 "resnet18:$RESNET18"
[ -z "${WAVLM:-}" ] || store audio wavlm "wavlm:$WAVLM"
JOINED=$(IFS=,; echo "${FEATURES[*]:-}")
for modality in ${MODALITIES//,/ }; do
	case ",$JOINED" in *,$modality=*) ;; *) ARCH=jmt_small ;; esac
done

echo "== train"
fairseq-train "$DATA" --user-dir mmer_fairseq --task emotion_prediction --criterion emotion_prediction_cri \
	--arch "$ARCH" --modalities "$MODALITIES" --labels "$LABELS" --intra-modal-fusion encoder_plus_self_attention \
	${SUBSEQ[@]+"${SUBSEQ[@]}"} ${JOINED:+--features "$JOINED"} "${TARGET[@]}" \
	--maximize-best-checkpoint-metric --no-epoch-checkpoints --save-dir "$OUT" --no-progress-bar --log-format json \
	--log-file "$OUT/train.log" "$@"

echo "== validate"
fairseq-validate "$DATA" --user-dir mmer_fairseq --task emotion_prediction --path "$OUT/checkpoint_best.pt" \
	--valid-subset "$SPLIT" --batch-size 32 --save-predictions "$OUT/$SPLIT.tsv" --no-progress-bar
mmer plot "$OUT" --predictions "$OUT/$SPLIT.tsv" --out "$OUT/plot.png"
