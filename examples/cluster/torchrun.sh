#!/usr/bin/env bash
# One model on several machines. The same command on each of them, only NODE_RANK differs:
#   MASTER_ADDR=first-machine NNODES=2 NODE_RANK=0 examples/cluster/torchrun.sh CORPUS [fairseq-train flags]
#   MASTER_ADDR=first-machine NNODES=2 NODE_RANK=1 examples/cluster/torchrun.sh CORPUS [fairseq-train flags]
# Given again after a kill, it goes on from the last checkpoint. Run it from the folder that holds mmer_fairseq.
#   NNODES       machines (1)
#   NODE_RANK    which one this is, from 0 (0)
#   NPROC        processes of each machine, one a GPU (as many as this one has GPUs, or 1)
#   MASTER_ADDR  name or address of machine 0, as the others see it (localhost)
#   MASTER_PORT  a free port there (29500)
# What else it reads from the environment is told in recipe.sh.
set -euo pipefail
GPUS=$(nvidia-smi --list-gpus 2>/dev/null | wc -l) || GPUS=0
NNODES=${NNODES:-1} NODE_RANK=${NODE_RANK:-0}
if [ "$NODE_RANK" -ge "$NNODES" ]; then
	echo "error: NODE_RANK: expected 0 to $((NNODES - 1)), as NNODES is $NNODES; found $NODE_RANK. Set NNODES on every machine." >&2
	exit 2
fi
NPROC=${NPROC:-$((GPUS > 0 ? GPUS : 1))}
WORLD=$((NNODES * NPROC))
source "$(dirname "$0")/recipe.sh"
exec torchrun --nnodes "$NNODES" --node-rank "$NODE_RANK" --nproc-per-node "$NPROC" \
	--master-addr "${MASTER_ADDR:-localhost}" --master-port "${MASTER_PORT:-29500}" "${TRAIN[@]}"
