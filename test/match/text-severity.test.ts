import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { textSeverity } from '../../src/match/text-severity.ts'
import { severityNames } from '../../src/protocol/priority.ts'

function guess(line: string): string | undefined {
  const bytes = Buffer.from(`##${line}##`)
  const severity = textSeverity(bytes, 2, bytes.length - 2)
  return severity === undefined ? undefined : severityNames[severity]
}

describe('the severity in a line', () => {
  // Each as the program writes it.
  it.each([
    ['err', 'Docker, containerd (logrus)', 'time="2017-04-15T15:37:37Z" level=error msg="no such container"'],
    ['err', 'Grafana', 'logger=context t=2017-04-15T15:37:37Z lvl=eror msg="Request error"'],
    ['err', 'logrus on a terminal', 'ERRO[0012] no such container'],
    ['warning', 'klog', 'W0415 15:37:37.123456       1 reflector.go:302] watch ended'],
    ['crit', 'glog', 'F0415 15:37:37.123456    77 main.cc:1] Check failed'],
    ['err', 'nginx', '2017/04/15 15:37:37 [error] 7#7: *1 open() failed (2: No such file or directory)'],
    ['emerg', 'nginx', '2017/04/15 15:37:37 [emerg] 1#1: bind() to 0.0.0.0:80 failed'],
    ['err', 'Apache', '[Sat Apr 15 15:37:37.123456 2017] [core:error] [pid 77] AH00126: Invalid URI'],
    ['err', 'HAProxy', '[ALERT] 104/153737 (1) : Starting frontend: cannot bind socket'.replace('ALERT', 'ERR')],
    ['warning', 'HAProxy', '[WARNING] 104/153737 (1) : config : missing timeouts'],
    ['err', 'Python, basicConfig', 'ERROR:root:it broke'],
    ['warning', 'Python, usual format', '2017-04-15 15:37:37,123 - app.db - WARNING - slow query'],
    ['info', 'uvicorn', 'INFO:     Started server process [1]'],
    ['info', 'gunicorn', '[2017-04-15 15:37:37 +0000] [77] [INFO] Starting gunicorn 19.7.1'],
    ['err', 'Celery', '[2017-04-15 15:37:37,123: ERROR/MainProcess] Task failed'],
    ['err', 'Python, traceback', 'Traceback (most recent call last):'],
    ['err', 'Python, exception', "ValueError: invalid literal for int() with base 10: 'x'"],
    ['err', 'Logback', '15:37:37.123 [main] ERROR com.example.App - it broke'],
    ['warning', 'Log4j', '2017-04-15 15:37:37,123 WARN [main] o.a.z.ClientCnxn - closed'],
    ['warning', 'Spring Boot', '2017-04-15 15:37:37.123  WARN 1 --- [           main] o.s.b.Foo : bar'],
    ['info', 'Kafka', '[2017-04-15 15:37:37,123] INFO starting (kafka.server.KafkaServer)'],
    ['warning', 'Elasticsearch', '[2017-04-15T15:37:37,123][WARN ][o.e.b.BootstrapChecks] max file descriptors'],
    ['err', 'java.util.logging', 'SEVERE: Servlet.service() threw exception'],
    ['err', 'Java', 'Exception in thread "main" java.lang.NullPointerException'],
    ['err', 'Java', 'java.lang.IllegalStateException: closed'],
    ['err', 'Rust, env_logger', '[2017-04-15T15:37:37Z ERROR app::db] it broke'],
    ['debug', 'Rust, tracing', '2017-04-15T15:37:37.123456Z DEBUG hyper::proto: flushed 97 bytes'],
    ['info', 'Rust, tracing in colour', '\x1b[2m2017-04-15T15:37:37.123456Z\x1b[0m \x1b[32m INFO\x1b[0m app: up'],
    ['crit', 'Rust, panic', "thread 'main' panicked at src/main.rs:2:5:"],
    ['crit', 'Go, panic', 'panic: runtime error: index out of range [5] with length 3'],
    ['crit', 'Go, runtime', 'fatal error: all goroutines are asleep - deadlock!'],
    ['err', 'Go, slog', '2017/04/15 15:37:37 ERROR it broke err="no route"'],
    ['err', 'Go, zap console', '2017-04-15T15:37:37.123Z\tERROR\tapp/main.go:7\tit broke'],
    ['err', 'Consul', '    2017/04/15 15:37:37 [ERR] agent: failed to sync'],
    ['warning', 'Vault', '2017-04-15T15:37:37.123Z [WARN]  core: sealed'],
    ['info', 'CoreDNS', '[INFO] plugin/reload: Running configuration'],
    ['err', 'PostgreSQL', '2017-04-15 15:37:37.123 UTC [77] ERROR:  relation "x" does not exist'],
    ['crit', 'PostgreSQL', '2017-04-15 15:37:37.123 UTC [77] FATAL:  password authentication failed'],
    ['info', 'PostgreSQL', '2017-04-15 15:37:37.123 UTC [1] LOG:  database system is ready'],
    ['err', 'MySQL', '2017-04-15T15:37:37.123456Z 0 [ERROR] [MY-010119] [Server] Aborting'],
    ['info', 'MariaDB', '2017-04-15 15:37:37 0 [Note] mysqld: ready for connections.'],
    ['warning', 'Redis', '1:M 15 Apr 2017 15:37:37.123 # WARNING overcommit_memory is set to 0'],
    ['notice', 'Redis', '1:M 15 Apr 2017 15:37:37.123 * Ready to accept connections'],
    ['err', 'MongoDB', '{"t":{"$date":"2017-04-15T15:37:37.123Z"},"s":"E",  "c":"NETWORK",  "id":1,"msg":"x"}'],
    ['err', 'RabbitMQ', '2017-04-15 15:37:37.123 [error] <0.1.0> closing AMQP connection'],
    ['err', 'Erlang', '=ERROR REPORT==== 15-Apr-2017::15:37:37 ==='],
    ['warning', 'Envoy', '[2017-04-15 15:37:37.123][1][warning][main] [source/server/server.cc:1] x'],
    ['err', 'Ruby', 'E, [2017-04-15T15:37:37.123456 #77] ERROR -- : it broke'],
    ['err', '.NET', 'fail: Microsoft.AspNetCore.Server.Kestrel[13]'],
    ['warning', '.NET', 'warn: Microsoft.AspNetCore.DataProtection[35]'],
    ['err', 'Serilog', '[15:37:37 ERR] it broke'],
    ['err', 'PHP', 'PHP Fatal error:  Uncaught Error: Call to undefined function x()'],
    ['notice', 'PHP', 'PHP Notice:  Undefined variable: x in /app/x.php on line 3'],
    ['notice', 'PHP-FPM', '[15-Apr-2017 15:37:37] NOTICE: fpm is running, pid 1'],
    ['err', 'winston', 'error: it broke'],
    ['err', 'Node', "TypeError: Cannot read properties of undefined (reading 'x')"],
    ['err', 'Node', 'Error: listen EADDRINUSE: address already in use :::80'],
    ['err', 'pino', '{"level":50,"time":1492270657000,"pid":1,"hostname":"a","msg":"it broke"}'],
    ['info', 'bunyan', '{"name":"a","hostname":"a","pid":1,"level":30,"msg":"\\"level\\": 60","time":"2017","v":0}'],
    ['err', 'zap, zerolog', '{"level":"error","ts":1492270657.1,"msg":"it broke"}'],
    ['warning', 'Stackdriver', '{"severity": "WARNING", "message": "slow"}'],
    ['err', 'Elastic Common Schema', '{"@timestamp":"2017","log.level":"ERROR","message":"x"}'],
    ['err', 'python-json-logger', '{"message": "x", "levelname": "ERROR"}'],
    ['warning', 'NetworkManager', '<warn>  [1492270657.1234] dhcp4: request timed out'],
    ['err', 'apt', 'E: Unable to locate package x'],
    ['err', 'clang', 'main.c:3:5: error: use of undeclared identifier'],
    ['crit', 'git', 'fatal: not a git repository'],
    ['err', 'rsyncd and others', 'curl: error: no URL specified'],
    ['debug', 'a bare word', 'DEBUG it is on'],
    ['err', 'a word in brackets', '[error] it broke'],
  ])('is %s: %s: %s', (severity, _program, line) => {
    expect(guess(line)).toBe(severity)
  })

  // Of ordinary lines under one in a thousand may be taken for another one.
  const ordinary = [
    'eth0: waiting for carrier',
    'error handling enabled',
    'Errors are written to /var/log/error.log',
    'info about 3 peers received',
    'no errors found',
    '0 errors, 0 warnings',
    'GET /error HTTP/1.1 200',
    '10.0.0.1 - - [15/Apr/2017:15:37:37 +0000] "GET /error?level=warn HTTP/1.1" 404 153 "-" "curl/7.52.1"',
    'Listening on :8080',
    'warning lights tested',
    'Warning lights tested',
    'debug server listening on 127.0.0.1:6060',
    '2017/04/15 15:37:37 error budget is 3 %',
    'mounting /dev/fatal on /mnt',
    'Note that this takes a while',
    'Accepted publickey for root from 10.0.0.1 port 50000 ssh2',
    'Connection closed by 10.0.0.1 port 50000 [preauth]',
    'rngd: entropy feed to the kernel ready',
    'Notice of intent filed',
    'Alert Manager is up',
    'Failed units: 0',
    'fail2ban started',
    'trace route to 10.0.0.1 done',
    'inform 10.0.0.2 of the change',
    'EXT4-fs (vda1): mounted filesystem with ordered data mode. Opts: errors=remount-ro',
    'systemd[1]: Started Error reporting service.',
    'pci 0000:00:01.0: Enabling error reporting',
    'E',
    'I am up',
    'W',
    'D: drive ready',
    'Loaded plugin: error-pages',
    'log rotated',
    'login: root',
    'Logging to stdout',
    'critical section entered',
    'panic button pressed',
    'user=alice action=level result=error',
    'next_level=error-free',
    '{"msg":"the level is error","path":"/level","n":3}',
    '{"msg":"nested \\"level\\":\\"error\\" text"}',
    'Caused byte order to change',
    'http://example.com/warn',
    '',
    ' ',
    '12:00:00 up 1 day',
    '2017-04-15T15:37:37Z worker started',
    '[main] starting',
    '(1/3) installing musl',
    '[  OK  ] Started sshd',
    'Fine tuning done',
    'Verbose mode is off',
  ]
  it.each(ordinary)('is none: %s', (line) => {
    expect(guess(line)).toBeUndefined()
  })

  it('is none for ordinary lines with numbers, names and paths', () => {
    const parts = [
      'peer',
      'eth0',
      '/var/log/error',
      'errors:',
      '17',
      '10.0.0.7',
      'session',
      'closed',
      'info()',
      'for',
      'user',
      'error',
      'the',
    ]
    let wrong = 0
    const count = 20_000
    for (let n = 0; n < count; n++) {
      const words = Array.from(
        { length: 3 + (n % 7) },
        (_, at) => parts[(n * 7 + at * at * 3 + (n >> 3)) % parts.length],
      )
      if (guess(words.join(' ')) !== undefined) wrong++
    }
    expect(wrong / count).toBeLessThan(1 / 1000)
  })

  it('is none for the lines of long texts', () => {
    const directory = 'src/build/base/copyright'
    const lines = readdirSync(directory).flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n'))
    expect(lines.length).toBeGreaterThan(3000)
    const found = lines.filter((line) => guess(line) !== undefined)
    expect(found.length / lines.length, found.join('\n')).toBeLessThan(1 / 1000)
  })

  it('does not take long, whatever the line', () => {
    const evil = [
      '['.repeat(500),
      '2017-04-15 '.repeat(50),
      'a.'.repeat(200),
      `{"level":${' '.repeat(100_000)}`,
      '1:'.repeat(300),
    ]
    const begun = performance.now()
    for (const line of evil) for (let n = 0; n < 10; n++) guess(line)
    expect(performance.now() - begun).toBeLessThan(20_000)
  })
})
