#!/usr/bin/env bash
# Runs the same workloads on Turnstone and on other engines, one after the other, each with a sync per commit, and
# prints their JSON lines and a table.
#   run.sh [engines]     default: turnstone dbos goworkflows durabletask restate temporal
# Needs Go and, for Restate's server, npm. Temporal runs only where TEMPORAL_ADDR gives a dev server's address.
# W1_N, W2_N, W3_N, W4_N, W5_N, W6_N change the numbers.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=${PEERS_OUT:-$here/../results/peers.jsonl}
work=$(mktemp -d)
server=
finish() { [ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"; }
trap finish EXIT
mkdir -p "$(dirname "$out")"
: >"$out"

build() { # engine -> binary, or a sentence
  (cd "$here/$1" && go build -o "$work/$1" .) >"$work/$1.log" 2>&1 || {
    echo "$1: skipped, it could not be built: $(tail -n 1 "$work/$1.log")"
    return 1
  }
}

run_one() { # engine storage workload n
  local dir
  dir=$(mktemp -d "$work/store.XXXXXX")
  "$work/$1" -storage "$2" -dir "$dir" -w "$3" -n "$4" -limit 180s ${5:-} 2>"$work/$1.err" | tee -a "$out"
  rm -rf "$dir"
}

run_engine() { # engine storage extra; slower engines get smaller numbers
  local scale=1
  [ "$1" = turnstone ] || scale=10
  run_one "$1" "$2" w1 $((${W1_N:-20000} / scale)) "${3:-}"
  run_one "$1" "$2" w2 $((${W2_N:-2000} / scale)) "${3:-}"
  run_one "$1" "$2" w3 $((${W3_N:-400} / scale)) "${3:-}"
  run_one "$1" "$2" w4 $((${W4_N:-500} / (scale > 1 ? 5 : 1))) "${3:-}"
  run_one "$1" "$2" w5 "${W5_N:-1000}" "${3:-}"
  run_one "$1" "$2" w6 $((${W6_N:-5000} / (scale > 1 ? 5 : 1))) "${3:-}"
}

for engine in ${*:-turnstone dbos goworkflows durabletask restate temporal}; do
  case $engine in
    turnstone) build turnstone && run_engine turnstone pebble ;;
    dbos) build dbos && run_engine dbos sqlite-full ;;
    goworkflows) build goworkflows && run_engine goworkflows mono-file ;;
    durabletask) build durabletask && run_engine durabletask wal ;;
    restate)
      command -v npm >/dev/null || { echo "restate: skipped, npm is not here and its server comes as an npm package"; continue; }
      build restate || continue
      server=$("$here/restate/server.sh" "$work/restate-server" tuned 2>"$work/server.log") || {
        echo "restate: skipped, its server did not start: $(tail -n 1 "$work/server.log")"; server=; continue; }
      run_engine restate default "-srvpid $server"
      kill "$server"; server= ;;
    temporal)
      [ -n "${TEMPORAL_ADDR:-}" ] || { echo "temporal: skipped, TEMPORAL_ADDR names no dev server"; continue; }
      build temporal && run_engine temporal default ;;
    *) echo "unknown engine $engine"; exit 2 ;;
  esac
done

echo
echo "engine       workload        n    per second     p50 ms     p99 ms   rss MB"
awk '
function field(name,   m) { if (match($0, "\"" name "\":(\"[^\"]*\"|[-0-9.e+]+)")) { m = substr($0, RSTART, RLENGTH); sub("^\"" name "\":", "", m); gsub("\"", "", m); return m } return "" }
{ printf "%-12s %-6s %10s %13.0f %10.2f %10.2f %8.0f %s\n", field("engine"), field("workload"), field("n"), field("per_sec"), field("p50_ms"), field("p99_ms"), field("rss_mb"), field("err") }' "$out"
