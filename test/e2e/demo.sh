#!/bin/sh
# The main job on real input, in a temporary folder: memlogd is passed streams, logread shows them.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PWD/dist/bin:$PATH
folder=$(mktemp -d)
log=$folder/linuxkit-external-logging.sock
query=$folder/memlogq.sock
daemon=
finish() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

say() { printf '\n== %s\n' "$*"; }

say "memlogd -socket-log $log -socket-query $query"
memlogd -socket-log "$log" -socket-query "$query" &
daemon=$!
tries=0
until [ -S "$log" ] && [ -S "$query" ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "memlogd made no sockets within ten seconds" >&2; exit 1; }
    sleep 0.1
done

say "a FIFO and a socketpair are passed, as LinuxKit's service does for containers"
mkfifo "$folder/dhcpcd"
(printf 'eth0: waiting for carrier\neth0: carrier acquired\n' >"$folder/dhcpcd") &
python3 - "$log" "$folder/dhcpcd" <<'PYTHON'
import os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect(sys.argv[1])
fifo = os.open(sys.argv[2], os.O_RDONLY | os.O_NONBLOCK)
socket.send_fds(log, [b"002-dhcpcd.stdout"], [fifo])
ours, theirs = socket.socketpair()
socket.send_fds(log, [b"rngd.stderr"], [theirs.fileno()])
theirs.close()
ours.sendall(b"Unable to open file: /dev/tpm0\n")
PYTHON

say "logwrite echo testing123"
logwrite -socket "$log" echo testing123

say "logwrite sh -c 'uname -s; echo \"to stderr\" >&2'"
logwrite -socket "$log" sh -c 'uname -s; echo "to stderr" >&2'
sleep 0.5

say "logread"
logread -socket "$query"

say "logread -n 1"
logread -socket "$query" -n 1

say "three seconds of logread -f -n 0, while logwrite logs a command's output"
logread -socket "$query" -f -n 0 &
follower=$!
sleep 0.5
logwrite -n clock -socket "$log" sh -c 'for tick in 1 2 3 4; do echo "tick $tick"; sleep 0.5; done' >/dev/null
sleep 0.5
kill "$follower"
wait "$follower" 2>/dev/null || true

say "memlogd is told to stop"
kill "$daemon"
wait "$daemon"
daemon=
if [ -e "$log" ] || [ -e "$query" ]; then
    echo "a socket was left behind" >&2
    exit 1
fi
echo "it ended with status 0 and left no socket behind"
