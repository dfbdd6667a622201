# What torchrun.sh and slurm.sbatch train; they source it. Reads the corpus folder and further fairseq-train flags from
# the command line, the number of processes on all machines together from WORLD, and from the environment:
#   OUT         folder of the run, which all machines see under this path (runs/cluster)
#   BATCH       clips of one update, all processes together (32)
#   BATCH_SIZE  clips that one process takes at once, as its memory allows (4)
#   SAVE_EVERY  updates from one checkpoint to the next: what a kill can lose (500)
DATA=${1:?"usage: $(basename "$0") CORPUS [fairseq-train flags]"} && shift
OUT=${OUT:-runs/cluster}
BATCH=${BATCH:-32}
BATCH_SIZE=${BATCH_SIZE:-4}
if ((BATCH % (BATCH_SIZE * WORLD))); then
	echo "error: BATCH: expected a multiple of BATCH_SIZE x processes, which is $BATCH_SIZE x $WORLD; found $BATCH." \
		"Choose another BATCH_SIZE, or another number of processes." >&2
	exit 2
fi
PROGRAM=$(command -v fairseq-train) || {
	echo "error: PATH: expected fairseq-train on it; found none. Activate the environment first." >&2
	exit 2
}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
mkdir -p "$OUT"
# shellcheck disable=SC2034 # for the script that sources this
TRAIN=("$PROGRAM" "$DATA" --user-dir mmer_fairseq --task emotion_prediction --criterion emotion_prediction_cri
	--arch robertaEMO_small --optimizer adam --adam-betas '(0.9, 0.98)' --weight-decay 0.01 --clip-norm 1.0
	--lr 1e-3 --lr-scheduler inverse_sqrt --warmup-updates 50 --seed 1 --max-epoch 32
	--batch-size "$BATCH_SIZE" --update-freq $((BATCH / (BATCH_SIZE * WORLD)))
	--save-dir "$OUT" --no-epoch-checkpoints --save-interval-updates "${SAVE_EVERY:-500}" --keep-interval-updates 1
	--no-progress-bar --log-format json --log-file "$OUT/train.log" "$@")
