#!/bin/sh
# The main job on real input, in a temporary directory: memlogd is passed streams, logread shows them. What is shown is
# compared with what must be shown; a difference ends the script with 1.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PWD/dist/bin:$PATH
directory=$(mktemp -d)
log=$directory/linuxkit-external-logging.sock
query=$directory/memlogq.sock
shown=$directory/shown
daemon=
follower=
finish() {
    for pid in $follower $daemon; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$directory"
}
trap finish EXIT

say() { printf '\n== %s\n' "$*"; }
fail() {
    echo "make run: $*" >&2
    exit 1
}

# Shows $shown and compares it, without times, with standard input.
must_be() {
    cat "$shown"
    sed -E 's/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z /TIME /' "$shown" >"$directory/found"
    cat >"$directory/wanted"
    diff -u "$directory/wanted" "$directory/found" >&2 || fail 'this is not what must be shown'
}

# Waits until a command succeeds: wait_for WHAT COMMAND...
wait_for() {
    what=$1
    shift
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "not within a minute: $what"
        sleep 0.1
    done
}
is_logged() { logread -socket "$query" 2>/dev/null | grep -qF "$1"; }
is_shown() { grep -qF "$1" "$shown"; }

say "memlogd -socket-log $log -socket-query $query"
memlogd -socket-log "$log" -socket-query "$query" &
daemon=$!
wait_for 'memlogd has started' is_logged 'memlogd started'

say "a FIFO and a socketpair are passed, as LinuxKit's service does for containers"
mkfifo "$directory/dhcpcd"
(printf 'eth0: waiting for carrier\neth0: carrier acquired\n' >"$directory/dhcpcd") &
python3 - "$log" "$directory/dhcpcd" <<'PYTHON'
import os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect(sys.argv[1])
socket.send_fds(log, [b"002-dhcpcd.stdout"], [os.open(sys.argv[2], os.O_RDONLY)])
PYTHON
wait_for 'the FIFO is read' is_logged 'carrier acquired'
python3 - "$log" <<'PYTHON'
import socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect(sys.argv[1])
ours, theirs = socket.socketpair()
socket.send_fds(log, [b"rngd.stderr"], [theirs.fileno()])
theirs.close()
ours.sendall(b"Unable to open file: /dev/tpm0\n")
PYTHON
wait_for 'the socket is read' is_logged /dev/tpm0

say "logwrite echo testing123"
logwrite -socket "$log" echo testing123 >"$shown"
must_be <<'END'
testing123
END
wait_for 'the line is stored' is_logged testing123

say "logwrite sh -c 'uname -s'; logwrite sh -c 'echo \"to stderr\" >&2'"
logwrite -socket "$log" sh -c 'uname -s' >"$shown"
wait_for 'the line is stored' is_logged Linux
logwrite -socket "$log" sh -c 'echo "to stderr" >&2' 2>>"$shown"
must_be <<'END'
Linux
to stderr
END
wait_for 'the line is stored' is_logged 'to stderr'

say "logread"
logread -socket "$query" >"$shown"
must_be <<'END'
TIME memlogd memlogd started
TIME 002-dhcpcd.stdout eth0: waiting for carrier
TIME 002-dhcpcd.stdout eth0: carrier acquired
TIME rngd.stderr Unable to open file: /dev/tpm0
TIME echo.stdout testing123
TIME sh.stdout Linux
TIME sh.stderr to stderr
END

say "logread -n 1"
logread -socket "$query" -n 1 >"$shown"
must_be <<'END'
TIME sh.stderr to stderr
END

say "logread -f -n 1, while logwrite logs a command's output"
logread -socket "$query" -f -n 1 >"$shown" &
follower=$!
wait_for 'logread follows' is_shown 'to stderr'
logwrite -n clock -socket "$log" sh -c 'for tick in 1 2 3 4; do echo "tick $tick"; sleep 0.5; done' >/dev/null
wait_for 'the last tick is shown' is_shown 'tick 4'
kill "$follower"
wait "$follower" 2>/dev/null || true
follower=
must_be <<'END'
TIME sh.stderr to stderr
TIME clock.stdout tick 1
TIME clock.stdout tick 2
TIME clock.stdout tick 3
TIME clock.stdout tick 4
END

say "memlogd is stopped"
kill "$daemon"
wait "$daemon"
daemon=
if [ -e "$log" ] || [ -e "$query" ]; then fail 'a socket was left behind'; fi
echo "it ended with status 0 and left no socket behind"
