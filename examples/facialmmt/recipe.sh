# The steps that the recipes of this folder share; they source it. Reads the corpus folder and further fairseq-train
# flags from the command line, and from the environment:
#   OUT       folder of the run (runs/facialmmt/NAME)
#   LABELS    label space (the corpus' first)
#   ROBERTA   a folder of RoBERTa, Hugging Face's or fairseq's; BERT: a Hugging Face folder of BERT
#   WAV2VEC2  wav2vec 2.0, a Hugging Face folder or a fairseq file; it runs once over the corpus and is frozen
#   SWIN      the face model: FaceX-Zoo's Swin-T, best_swin_….pt of the original, what
#             swin.sh trained, or random
#   FACENET   InceptionResnetV1's weights, for the features of a frame (without: those of SWIN)
#   FACES     corpus of labelled faces (mmer import faces) that the face model learns from, too
#   FEATURES  stored features in place of media: audio=wav2vec2,video=faces
#   UPDATES   of the weights (2500: the original's one epoch of MELD)
#   SPLIT     the split to report (test)
#   WORKERS   processes that extract features (2)
# A recipe sets MODALITIES, LANGUAGE (roberta, bert, or nothing) and TARGET (its own flags). What has no weights gets a
# small encoder that is trained with the model; without any weights, the model is --arch facialmmt_small.
set -euo pipefail
NAME=$1 && shift # of the recipe
DATA=${1:?"usage: $(basename "$0") CORPUS [fairseq-train flags]"} && shift
OUT=${OUT:-runs/facialmmt/$NAME} SPLIT=${SPLIT:-test} FEATURES=${FEATURES:-} UPDATES=${UPDATES:-2500} SWIN=${SWIN:-}
FACE=${SWIN:+swin_face:$SWIN${FACENET:++$FACENET}}
ARCH=facialmmt_small RATE=1e-3 SLOWER=20 ENCODERS=() # without given weights
mkdir -p "$OUT"

echo "== check"
mmer check "$DATA"

reads() { case ",$MODALITIES," in *",$1,"*) ;; *) return 1 ;; esac; }
stored() { case ",$FEATURES" in *",$1="*) ;; *) return 1 ;; esac; }
published() { ARCH=facialmmt RATE=7e-6 SLOWER=0.14; } # --lr / SLOWER: 5e-5, the original's --aux_lr, as without
# store MODALITY NAME ENCODER: run an encoder once, and read what it stored
store() {
	echo "== extract $2"
	mmer extract "$DATA" --modality "$1" --name "$2" --encoder "$3" --workers "${WORKERS:-2}" --dtype float16
	FEATURES+=${FEATURES:+,}$1=$2
}

if reads video && ! stored video; then
	if [ -z "$FACE" ]; then
		echo "no SWIN: a small picture encoder is trained with the model"
	elif [ "$MODALITIES" = video ]; then
		store video swin "$FACE"
	else
		ENCODERS+=(--video-encoder "$FACE" --finetune video)
	fi
	[ -z "${FACES:-}" ] || [ "$MODALITIES" = video ] || ENCODERS+=(--aux-data "$FACES" --aux-batch-size 150)
fi
[ "$MODALITIES" != video ] || ! stored video || published
if reads audio && ! stored audio; then
	if [ -n "${WAV2VEC2:-}" ]; then
		store audio wav2vec2 "wav2vec2:$WAV2VEC2"
	else
		echo "no WAV2VEC2: a small sound encoder is trained with the model"
	fi
fi
if reads text && ! stored text; then
	case $LANGUAGE in roberta) WORDS=${ROBERTA:-} ;; *) WORDS=${BERT:-} ;; esac
	if [ -n "$WORDS" ]; then
		published
		! grep -qs '"hidden_size": *768\b' "$WORDS/config.json" || ARCH=facialmmt_base
		ENCODERS+=(--text-encoder "$LANGUAGE:$WORDS" --finetune text)
	else
		echo "no ${LANGUAGE^^}: a small text encoder is trained with the model"
		[ -e "$DATA/tokenizer.model" ] || mmer tokenizer "$DATA"
	fi
	if head -n 1 "$DATA/train.tsv" | grep -qw dialogue; then
		ENCODERS+=(--context 512)
	else
		echo "no column 'dialogue': each text is read by itself"
	fi
fi
[[ " ${ENCODERS[*]:-} " != *" --finetune video "* ]] || ENCODERS+=(--video-lr-factor "$SLOWER")

echo "== train"
fairseq-train "$DATA" --user-dir mmer_fairseq --task emotion_prediction --criterion emotion_prediction_cri \
	--arch "$ARCH" --modalities "$MODALITIES" ${LABELS:+--labels "$LABELS"} ${FEATURES:+--features "$FEATURES"} \
	${ENCODERS[@]+"${ENCODERS[@]}"} --batch-size 16 --optimizer adam --adam-eps 1e-6 --weight-decay 0.01 --lr "$RATE" \
	--lr-scheduler polynomial_decay --warmup-updates "$((UPDATES / 10))" --total-num-update "$UPDATES" \
	--max-update "$UPDATES" --clip-norm 0.8 \
	${TARGET[@]+"${TARGET[@]}"} --best-checkpoint-metric weighted_f1 --maximize-best-checkpoint-metric \
	--no-epoch-checkpoints --save-dir "$OUT" --no-progress-bar --log-format json --log-file "$OUT/train.log" "$@"

echo "== validate"
fairseq-validate "$DATA" --user-dir mmer_fairseq --task emotion_prediction --path "$OUT/checkpoint_best.pt" \
	--valid-subset "$SPLIT" --batch-size 16 --save-predictions "$OUT/$SPLIT.tsv" --no-progress-bar
mmer plot "$OUT" --predictions "$OUT/$SPLIT.tsv" --out "$OUT/plot.png"
