#!/bin/sh
# Runs the stages it is given, each as `make stage-NAME`, and prints one line per stage: name, ok or FAILED, seconds.
# A stage that fails does not stop the later ones. Whole logs are kept in a directory whose path is printed at the end
# (TURNSTONE_STAGE_LOGS names another one); of a failing stage the telling lines and the tail are printed.
set -u

if [ -z "${TURNSTONE_STAGE_LOGS:-}" ]; then
	TURNSTONE_STAGE_LOGS=$(mktemp -d "${TMPDIR:-/tmp}/turnstone-stages.XXXXXX") || exit 1
fi
export TURNSTONE_STAGE_LOGS

failed=''
began=$(date +%s)
for stage in "$@"; do
	log=$TURNSTONE_STAGE_LOGS/$stage.log
	start=$(date +%s)
	if ${MAKE:-make} "stage-$stage" >"$log" 2>&1; then
		printf '%-12s ok      %4d s\n' "$stage" $(($(date +%s) - start))
		[ "$stage" = conformance ] && grep -v '^go run\|^make' "$log"
		continue
	fi
	printf '%-12s FAILED  %4d s\n' "$stage" $(($(date +%s) - start))
	failed="$failed $stage"
	grep -nE '^ *--- FAIL|^FAIL|^panic:|DATA RACE|_test\.go:[0-9]+:' "$log" | head -n 40
	echo "--- last lines of $log"
	tail -n 60 "$log"
	echo "---"
done

printf '%-12s %4d s, logs in %s\n' all $(($(date +%s) - began)) "$TURNSTONE_STAGE_LOGS"
if [ -n "$failed" ]; then
	echo "FAILED:$failed"
	exit 1
fi
