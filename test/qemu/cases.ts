/**
 * What is checked in the booted machine, in this order. Each script runs in busybox's shell; it passes
 * with exit status 0, and what it printed is shown when it fails. `/usr/bin/logread` is named by its path,
 * because busybox's shell prefers its own.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

export interface GuestCase {
  readonly name: string
  readonly script: string
}

interface ExampleMachine {
  services: { name: string; command?: string[]; runtime?: { mkdir?: string[] } }[]
  files?: { path: string; contents: string }[]
}

function example(name: string): ExampleMachine {
  return parse(readFileSync(new URL(`../../src/image/examples/${name}`, import.meta.url), 'utf8')) as ExampleMachine
}

/** Where the service of ship-logs.yml sends the log here: there is no network. */
const receiverPort = 6514

/** The service's command as a shell types it, with a receiver that the machine has. */
function shippingScript(): string {
  const { command = [], runtime } = example('ship-logs.yml').services.find(({ name }) => name === 'ship-logs') ?? {}
  const words = command.map((word) => word.replace(/^syslog\+tls:\/\/.*$/, `syslog+tcp://127.0.0.1:${receiverPort}`))
  const directories = runtime?.mkdir ?? []
  return `mkdir -p ${directories.join(' ')}
      ${words.map((word) => `'${word}'`).join(' ')} &`
}

/** The init script that docker-log-driver.yml puts in the place of the package's own. */
function dockerInitScript(): string {
  return example('docker-log-driver.yml').files?.find(({ path }) => path.includes('init.d'))?.contents ?? 'false'
}

export const guestCases: readonly GuestCase[] = [
  {
    name: 'the machine is as strict as LinuxKit: root read-only, every tmpfs noexec',
    script: `
      ! touch /usr/bin/x 2>/dev/null || exit 1
      for directory in /run /tmp /var /dev /dev/shm; do
        printf '#!/bin/busybox sh\\n' >$directory/program
        chmod 755 $directory/program
        ! $directory/program 2>/dev/null || exit 1
        rm $directory/program
      done`,
  },
  {
    name: "memlogd's sockets were there when its init script returned",
    script: 'cat /run/sockets-at-boot; test "$(cat /run/sockets-at-boot)" = "log query link"',
  },
  {
    name: 'the clock is wrong at boot: when it is set, lines before have corrected times, for readers and for targets',
    script: `
      /usr/bin/logread >/run/before
      head -n1 /run/before
      ! grep -Ev '^(1970|2001)-01-01T00:' /run/before || exit 1
      /usr/bin/logread -f --to dir:/run/shipped 2>/run/shipping &
      wait_in /run/shipping 'the clock says .*: waiting 30s at most for it to be set'
      ! ls /run/shipped/*.log 2>/dev/null || exit 1
      date -u -s '2030-06-01 12:00:00'
      logwrite -n after echo 'the clock is right' >/dev/null
      wait_for 'after.stdout the clock is right'
      grep -Eq '^~2030-06-01T(11|12):[0-9:]+Z kernel ' /run/now
      ! grep -E '^~?(1970|2001)' /run/now || exit 1
      grep -Eq '^2030-06-01T12:[0-9:]+Z after.stdout ' /run/now
      grep -Eq '^2030-06-01T12:[0-9:]+Z memlogd the clock was set forward by [0-9]+ y' /run/now
      /usr/bin/logread -c 1 -o json | grep -E '"time":"(1970|2001)-01-01T.*"time_corrected":"2030-06-01T'
      /usr/bin/logread -c 1 --time-as-stored | grep -E '^(1970|2001)-01-01T'
      /usr/bin/logread -c 1 -S 10m | grep -E '^~2030-06-01T(11|12):'
      wait_in /run/shipped/after.stdout.log 'the clock is right'
      head -n1 /run/shipped/kernel.log | grep -Eq '^2030-06-01T(11|12):'
      ! grep -Ev '^2030-06-01T(11|12):' /run/shipped/kernel.log || exit 1
      kill $!`,
  },
  {
    name: "the kernel's log is there from its first record on, as dmesg shows it",
    script: `
      dmesg | sed 's/^\\[ *[0-9.]*\\] //' >/run/dmesg
      count=$(wc -l </run/dmesg)
      /usr/bin/logread -s kernel | cut -d ' ' -f 3- | sed 's/\\\\n/\\n/g' | head -n "$count" >/run/kernel
      head -n 1 /run/kernel
      head -n 1 /run/kernel | grep -Eq '^(Linux version|Booting Linux on physical CPU) '
      cmp /run/dmesg /run/kernel
      test "$count" -gt 50`,
  },
  {
    name: "libc's syslog() arrives, and what user space tells the kernel keeps its facility",
    script: `
      logger -t case -p daemon.err 'from logger'
      echo '<30>from user space' >/dev/kmsg
      wait_for 'case from logger'
      wait_for 'kernel from user space'
      /usr/bin/logread -p err | grep -q 'case from logger'
      /usr/bin/logread -s kernel -o json | grep 'from user space' | grep -Eq '"facility":("daemon"|3)|"priority":30'`,
  },
  {
    name: 'what onboot containers wrote into FIFOs before any reader existed is read later',
    script: `
      guest-tool fifo $LOG 001-sysctl.stdout /run/001-sysctl.out.log
      guest-tool fifo $LOG 001-sysctl.stderr /run/001-sysctl.log
      printf 'vm.max_map_count = 262144\\n' >/run/001-sysctl.out.log
      printf 'no newline at the end' >/run/001-sysctl.log
      rm /run/001-sysctl.out.log /run/001-sysctl.log
      wait_for '001-sysctl.stderr no newline at the end'
      wait_for '001-sysctl.stdout vm.max_map_count = 262144'`,
  },
  {
    name: 'what onboot containers wrote into socketpairs before any reader existed is read later',
    script: `
      guest-tool pair $LOG 002-dhcpcd.stdout printf 'eth0: waiting for carrier\\neth0: carrier acquired\\n'
      wait_for '002-dhcpcd.stdout eth0: waiting for carrier'
      wait_for '002-dhcpcd.stdout eth0: carrier acquired'`,
  },
  {
    name: 'logread prints time, source and message, in order',
    script: `
      /usr/bin/logread | grep -E '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z 002-dhcpcd.stdout eth0: ' | cut -d ' ' -f 3- >/run/seen
      printf 'eth0: waiting for carrier\\neth0: carrier acquired\\n' | cmp - /run/seen`,
  },
  {
    name: 'logwrite echo testing123; logread | tail -n1',
    script: `
      logwrite echo testing123 >/run/out
      test "$(cat /run/out)" = testing123
      wait_for 'echo.stdout testing123'
      # The kernel may log something at any moment.
      /usr/bin/logread -s '!kernel' | tail -n1
      /usr/bin/logread -s '!kernel' | tail -n1 | grep -Eq '^[0-9T:-]+Z echo.stdout testing123$'`,
  },
  {
    name: 'logread -f prints what is buffered and then what comes',
    script: `
      /usr/bin/logread -f >/run/followed &
      pid=$!
      wait_in /run/followed 'echo.stdout testing123'
      logwrite -n later echo 'after the start' >/dev/null
      wait_in /run/followed 'later.stdout after the start'
      kill $pid`,
  },
  {
    name: "a web server's access line is found by logread | grep",
    script: `
      mkdir -p /run/www
      echo hello >/run/www/index.html
      logwrite -n nginx httpd -f -vv -p 127.0.0.1:80 -h /run/www >/dev/null 2>&1 &
      server=$!
      for i in $(seq 100); do wget -q -O - http://127.0.0.1/index.html 2>/dev/null && break; usleep 100000; done
      wait_for '127.0.0.1.*response:200'
      /usr/bin/logread | grep 'nginx.*127.0.0.1.*response:200'
      kill $server`,
  },
  {
    name: 'a service is restarted and passes a new FIFO under the same name',
    script: `
      for life in first second; do
        guest-tool fifo $LOG rngd.stderr /run/rngd.log
        echo "$life life" >/run/rngd.log
        rm /run/rngd.log
        wait_for "rngd.stderr $life life"
      done`,
  },
  {
    name: 'a full ring keeps the newest lines, and what matters is kept beside it',
    script: `
      guest-tool pair $LOG flood.stdout awk 'BEGIN { for (i = 1; i <= 6000; i++) printf "%d %2000s\\n", i, "" }'
      wait_for 'flood.stdout 6000 '
      rm /run/now
      /usr/bin/logread | tail -n 3000 >/run/newest
      first=$(grep flood.stdout /run/newest | head -n1 | cut -d ' ' -f 3)
      echo "the first of the newest is $first"
      test "$(wc -l </run/newest)" = 3000
      test "$(grep -c flood.stdout /run/newest)" = $((6001 - first))
      ! grep -q testing123 /run/newest || exit 1
      rm /run/newest
      /usr/bin/logread -g testing123 | grep -q testing123`,
  },
  {
    name: "busybox's own shell finds our logread by its path only",
    script: "/usr/bin/logread --version | grep -q '^logread [0-9]'",
  },
  {
    name: 'the engine is killed: what was stored is still there, and lines go on coming',
    script: `
      logwrite -n before echo 'stored before' >/dev/null
      wait_for 'before.stdout stored before'
      guest-tool pair $LOG living.stdout sh -c 'for i in $(seq 40); do echo "alive $i"; usleep 100000; done' &
      wait_for 'living.stdout alive'
      kill -9 $(for p in /proc/[0-9]*; do
        case $(tr '\\0' ' ' <$p/cmdline 2>/dev/null) in memlogd-engine*) echo ${'$'}{p#/proc/} ;; esac
      done)
      wait_for 'living.stdout alive 40$'
      wait_for 'before.stdout stored before'
      test "$(grep -c 'living.stdout alive' /run/now)" = 40`,
  },
  {
    name: 'a second memlogd is refused while the first one lives',
    script: `
      ! memlogd -daemonize 2>/run/refused || exit 1
      cat /run/refused
      test "$(wc -l </run/refused)" = 1
      logwrite -n still echo here >/dev/null
      wait_for 'still.stdout here'`,
  },
  {
    name: 'nothing was written outside /run',
    script: `
      find /tmp /var /dev ! -type d ! -type c ! -type b ! -type l ! -path /dev/log >/run/files-after
      diff /run/files-before /run/files-after`,
  },
  {
    name: 'memlogd lives, and its memory is reported',
    script: `
      for pid in $(pidof memlogd memlogd-engine memlogd-intake); do
        grep -E '^(Name|VmRSS|RssAnon)' /proc/$pid/status | tr '\\n' ' '
        echo
      done >/run/memory
      sed 's/^/info memory /' /run/memory >/dev/console
      test -s /run/memory`,
  },
  {
    name: 'the service of ship-logs.yml sends the log, goes on, and remembers where it stopped',
    script: `
      logwrite -n earlier echo 'in memory' >/dev/null
      wait_for 'earlier.stdout in memory'
      # A receiver whose own input does not end: it would close the connection then.
      mkfifo /run/idle
      exec 9<>/run/idle
      nc -l -p ${receiverPort} <&9 >/run/received &
      ${shippingScript()}
      pid=$!
      wait_in /run/received 'earlier.stdout .* in memory'
      logwrite -n later echo 'on its way' >/dev/null
      wait_in /run/received 'later.stdout .* on its way'
      kill $pid
      wait $pid
      ls /var/lib/logread
      test -n "$(ls /var/lib/logread)"`,
  },
  {
    name: 'SIGTERM ends memlogd, and leaves no socket behind',
    script: `
      kill $(pidof memlogd)
      for i in $(seq 100); do pidof memlogd >/dev/null || break; usleep 100000; done
      ls /var/run
      ! ls /var/run/*.sock 2>/dev/null`,
  },
  {
    name: 'the init script of docker-log-driver.yml starts memlogd as a logging driver',
    script: `
      cat >/run/002-logging <<'END'
${dockerInitScript()}END
      sh /run/002-logging
      for i in $(seq 100); do test -S /run/docker/plugins/memlogd.sock && break; usleep 100000; done
      test -S /run/docker/plugins/memlogd.sock
      wait_for 'memlogd started'
      kill $(pidof memlogd)
      for i in $(seq 100); do pidof memlogd >/dev/null || break; usleep 100000; done`,
  },
]

/** A case that hangs is ended after so long, and failed. */
const caseSecondsMax = 60

/** What every case begins with. */
const prelude = `set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LOG=/var/run/linuxkit-external-logging.sock
# wait_in FILE PATTERN, wait_for PATTERN (in logread's output): up to twenty seconds, which an emulated CPU may need.
wait_in() {
  for i in $(seq 200); do grep -q -- "$2" "$1" && return 0; usleep 100000; done
  echo "never came: $2"
  tail -n 20 "$1"
  return 1
}
wait_for() {
  for i in $(seq 20); do
    /usr/bin/logread >/run/now
    grep -q -- "$1" /run/now && return 0
    sleep 1
  done
  echo "never came: $1"
  tail -n 20 /run/now
  return 1
}
`

/** Files for the guest's /test: a script for each case, and one that runs them and prints a numbered line for each. */
export function guestScripts(cases: readonly GuestCase[] = guestCases): Map<string, string> {
  const files = new Map(cases.map(({ script }, index) => [`case-${index + 1}`, `${prelude}${script}\n`]))
  return files.set(
    'run-all',
    `for number in $(seq 1 ${cases.length}); do
  if timeout ${caseSecondsMax} sh /test/case-$number >/run/output 2>&1; then
    echo "result $number ok"
  else
    status=$?
    sed 's/^/| /' /run/output
    echo "result $number FAILED with status $status"
  fi
done
`,
  )
}
