#!/usr/bin/env bash
# A frozen encoder over a corpus on several machines, which see corpus and encoder under the same paths:
#   examples/cluster/ray_extract.sh head                   # on the first one: starts Ray, and says what the others run
#   examples/cluster/ray_extract.sh join FIRST:6379        # on each other one
#   examples/cluster/ray_extract.sh extract CORPUS --modality audio --encoder wav2vec:/shared/wav2vec.pt --name wav2vec
#   examples/cluster/ray_extract.sh stop                   # on each: ends every Ray of this user there
# `extract` takes the flags of `mmer extract`; given again after a kill, it goes on where it was.
#   PORT  of the first machine (6379)
set -euo pipefail
export RAY_USAGE_STATS_ENABLED=0
PORT=${PORT:-6379}
COMMAND=${1:?"usage: $(basename "$0") head | join HOST:PORT | extract CORPUS FLAGS | stop"} && shift
case $COMMAND in
head)
	ray start --head --port "$PORT" --include-dashboard=false --disable-usage-stats
	echo "on each other machine: $0 join $(hostname):$PORT"
	;;
join) ray start --address "${1:?"usage: $(basename "$0") join HOST:PORT"}" --disable-usage-stats ;;
extract) exec mmer extract "$@" --engine ray --ray-address "${RAY_ADDRESS:-auto}" ;;
stop) ray stop ;;
*)
	echo "error: $(basename "$0"): expected head, join, extract or stop; found $COMMAND. Write one of them." >&2
	exit 2
	;;
esac
