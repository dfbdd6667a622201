# The steps that the recipes of this folder share; they source it. Reads the corpus folder and further fairseq-train
# flags from the command line, and from the environment:
#   OUT       folder of the run (runs/mme2e/NAME)
#   LABELS    yes/no label space (emotions6, that of IEMOCAP, where the corpus has one of this name, else emotions)
#   ALBERT    a Hugging Face folder of ALBERT (pip install 'mmer_fairseq[transformers]'), trained on at a tenth of --lr;
#             without, a small text encoder is trained with the model
#   FEATURES  stored features in place of media: text=glove,audio=covarep,video=openface; see README.md
#   SPLIT     the split to report (test)
#   FORM      table of the paper: mme2e-iemocap with emotions6, else mme2e-mosei; FORM= prints none
# A recipe sets MEDIA (the encoder that each modality's media get: MODALITY=NAME) and TARGET (its own flags).
set -euo pipefail
NAME=$1 && shift # of the recipe
DATA=${1:?"usage: $(basename "$0") CORPUS [fairseq-train flags]"} && shift
OUT=${OUT:-runs/mme2e/$NAME} SPLIT=${SPLIT:-test} FEATURES=${FEATURES:-}
if [ -z "${LABELS:-}" ]; then
	LABELS=emotions
	! grep -q '^ *emotions6:' "$DATA/corpus.yaml" || LABELS=emotions6
fi
[ "$LABELS" = emotions6 ] && FORM=${FORM-mme2e-iemocap} || FORM=${FORM-mme2e-mosei}
mkdir -p "$OUT"

echo "== check"
mmer check "$DATA"

stored() { case ",$FEATURES" in *",$1="*) ;; *) return 1 ;; esac; }
ENCODERS=()
for pair in ${MEDIA[@]+"${MEDIA[@]}"}; do
	stored "${pair%%=*}" || ENCODERS+=("--${pair%%=*}-encoder" "${pair#*=}")
done
if [[ " ${ENCODERS[*]:-} " = *" face_pixels "* ]] && [ ! -e "$DATA/faces/manifest.tsv" ]; then
	echo "mmer faces has not been here: pictures are taken whole, not their faces (README.md)"
fi
if stored text; then
	:
elif [ -n "${ALBERT:-}" ]; then
	ENCODERS+=(--text-encoder "albert:$ALBERT" --finetune text --text-lr-factor 10)
else
	echo "no ALBERT: a small text encoder is trained with the model"
	[ -e "$DATA/tokenizer.model" ] || mmer tokenizer "$DATA"
fi

echo "== train"
fairseq-train "$DATA" --user-dir mmer_fairseq --task emotion_prediction --criterion emotion_prediction_cri \
	--labels "$LABELS" --pos-weight train --thresholds valid --max-text-tokens 100 ${FEATURES:+--features "$FEATURES"} \
	${ENCODERS[@]+"${ENCODERS[@]}"} --optimizer adam --lr-scheduler fixed "${TARGET[@]}" \
	--best-checkpoint-metric f1 --maximize-best-checkpoint-metric --no-epoch-checkpoints --save-dir "$OUT" \
	--no-progress-bar --log-format json --log-file "$OUT/train.log" "$@"

echo "== validate"
fairseq-validate "$DATA" --user-dir mmer_fairseq --task emotion_prediction --path "$OUT/checkpoint_best.pt" \
	--valid-subset "$SPLIT" --batch-size 8 --save-predictions "$OUT/$SPLIT.tsv" --no-progress-bar
mmer plot "$OUT" --predictions "$OUT/$SPLIT.tsv" --out "$OUT/plot.png"

if [ -n "$FORM" ]; then
	echo "== report"
	mmer report --form "$FORM" --split "$SPLIT" "$NAME=$OUT/$SPLIT.tsv"
fi
