#!/usr/bin/env bash
# make run: starts the platform, trains and serves examples/quickstart, asks it twice, and stays up until Ctrl-C.
#   --once             do all that, stop the platform and exit (non-zero with the reason when a step fails)
#   --data-dir DIR     where the platform keeps its state (default build/quickstart/platform)
#   --api-port N, --gateway-port N    default 6443 and 8080; 0 or a port in use: any free one
. "$(dirname "$0")/lib.sh"

once='' data=build/quickstart/platform api_port=6443 gateway_port=8080
while [ $# -gt 0 ]; do
  case $1 in
    --once) once=1 ;;
    -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --data-dir) data=$2; shift ;;
    --api-port) api_port=$2; shift ;;
    --gateway-port) gateway_port=$2; shift ;;
    *) die "unknown option '$1'; known: --once, --data-dir DIR, --api-port N, --gateway-port N" ;;
  esac
  shift
done
slipway=build/release/slipway
up_pid=''

stop_platform() {
  [ -n "$up_pid" ] || return 0
  kill -TERM "$up_pid" 2>/dev/null || true
  wait "$up_pid" 2>/dev/null || true
  up_pid=''
}
trap stop_platform EXIT
trap 'echo; say "Stopping"; exit 0' INT TERM

free_port() {  # PORT: itself, or 0 when something listens on it
  if [ "$1" != 0 ] && (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
    printf '    port %s is in use; taking a free one\n' "$1" >&2
    echo 0
  else
    echo "$1"
  fi
}

train() {
  local folder=$data/volumes/models/my-models/iris
  [ -f "$folder/model.joblib" ] || step "Training an iris classifier with scikit-learn" /usr/bin/python3 examples/quickstart/train.py "$folder"
}

start_platform() {
  mkdir -p "$data"
  "$slipway" up --data-dir "$data" --api-port "$(free_port "$api_port")" --gateway-port "$(free_port "$gateway_port")" \
    >"$data/up.out" 2>"$data/up.log" &
  up_pid=$!
  until grep -q '^slipway is ready' "$data/up.out" 2>/dev/null; do
    kill -0 "$up_pid" 2>/dev/null || { cat "$data/up.log" >&2; up_pid=''; die "the platform did not start"; }
    sleep 0.02
  done
  export KUBECONFIG=$ROOT/$data/kubeconfig
  case $data in /*) KUBECONFIG=$data/kubeconfig ;; esac
  gateway=$(sed -n 's/.*gateway \(http[^ ,]*\).*/\1/p' "$data/up.out")
  model=http://iris.models.localhost:${gateway##*:}  # curl and browsers take *.localhost to this machine
  say "$(cat "$data/up.out")"
}

wait_ready() {
  local last='' now start=$SECONDS ready
  while :; do
    ready=$(kubectl get isvc iris -n models -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}|{.status.conditions[?(@.type=="PredictorReady")].reason} {.status.conditions[?(@.type=="PredictorReady")].message}|{.status.modelStatus.states.targetModelState}') || die "cannot read the InferenceService"
    now=${ready#*|}
    [ "$now" = "$last" ] || printf '    iris: %s\n' "$(sed 's/|/ /; s/^ *//; s/ *$//; s/^$/waiting for its controller/' <<<"$now")"
    last=$now
    [ "${ready%%|*}" != True ] || break
    [ $((SECONDS - start)) -lt 60 ] || { kubectl describe isvc iris -n models >&2; kubectl get pods -n models >&2; die "iris was not ready after 60 s"; }
    sleep 0.1
  done
}

ask() {  # TITLE PATH BODY
  local out
  say "$1"
  printf '    POST %s%s\n    %s\n' "$model" "$2" "$3"
  out=$(curl -sS -m 10 -w '\n%{http_code} %{time_total}' -H 'Content-Type: application/json' "$model$2" -d "$3") || die "the gateway did not answer"
  local body=${out%$'\n'*} tail=${out##*$'\n'}
  printf '    %s%s%s\n    in %s ms\n' "$BOLD" "$body" "$OFF" "$(awk '{printf "%.1f", $2 * 1000}' <<<"$tail")"
  [ "${tail%% *}" = 200 ] || die "expected status 200, got ${tail%% *}"
}

train
start_platform
say "kubectl apply -f examples/quickstart/"
kubectl apply -f examples/quickstart/ | sed 's/^/    /'
wait_ready
ask "Asking with the V1 protocol" /v1/models/iris:predict '{"instances": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}'
ask "Asking with the V2 protocol" /v2/models/iris/infer \
  '{"inputs": [{"name": "input-0", "shape": [1, 4], "datatype": "FP64", "data": [5.9, 3.0, 4.2, 1.5]}]}'

cat <<EOF

${BOLD}Your model is served.${OFF}   gateway  $gateway   model  $model/v1/models/iris:predict

    export KUBECONFIG=$KUBECONFIG

Try next:
    kubectl get isvc,pods -n models
    kubectl logs -n models deploy/iris-predictor
    kubectl patch isvc iris -n models --type merge -p '{"spec":{"predictor":{"minReplicas":2}}}'
EOF
[ -z "$once" ] || { say "Done (--once): stopping the platform"; exit 0; }
say "Press Ctrl-C to stop"
wait "$up_pid"
