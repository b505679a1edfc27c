import { describe, expect, it } from 'vitest'
import { TraceLines } from '../../src/match/trace-lines.ts'

/** Lines as entries: `isTrouble` by the word ERROR in the first. */
function entriesOf(text: string): string[][] {
  const entries: string[][] = []
  let trace: TraceLines | undefined
  for (const line of text.split('\n')) {
    const bytes = Buffer.from(line)
    const entry = entries.at(-1) ?? []
    const isTrouble = () => entry[0]?.includes('ERROR') === true
    if (trace?.continues(bytes, 0, bytes.length, isTrouble) === true) {
      entry.push(line)
    } else {
      trace = new TraceLines(bytes, 0, bytes.length)
      entries.push([line])
    }
  }
  return entries
}

const java = `2026-01-02 ERROR [main] c.e.Shop - order failed
java.lang.IllegalStateException: no stock
\tat com.example.Shop.order(Shop.java:17)
\tat com.example.Main.main(Main.java:5)
\tSuppressed: java.io.IOException: close
\t\tat com.example.Res.close(Res.java:3)
Caused by: java.sql.SQLException: timeout
\tat org.postgresql.Driver.connect(Driver.java:262)
\t... 2 more`

const python = `Traceback (most recent call last):
  File "/app/a.py", line 3, in <module>
    int("x")
ValueError: invalid literal for int() with base 10: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/a.py", line 5, in <module>
    raise KeyboardInterrupt
KeyboardInterrupt`

const go = `panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45d8f0]

goroutine 1 [running]:
main.(*Shop).order(0x0, {0x4b2d7c, 0x5})
\t/app/main.go:7 +0x1d
main.main()
\t/app/main.go:12 +0x2f
created by main.start in goroutine 1
\t/app/main.go:3 +0x11
exit status 2`

const node = `/app/a.js:2
  throw new TypeError('no order')
  ^

TypeError [ERR_NO_ORDER]: no order
    at order (/app/a.js:2:9)
    at node:internal/main/run_main_module:28:49 {
  code: 'ERR_NO_ORDER'
}

Node.js v24.1.0`

const rust = `thread 'main' panicked at src/main.rs:2:5:
index out of bounds: the len is 3 but the index is 7
stack backtrace:
   0: rust_begin_unwind
             at /rustc/9fc6b431/library/std/src/panicking.rs:645:5
note: run with \`RUST_BACKTRACE=1\` environment variable to display a backtrace`

const php = `PHP Fatal error:  Uncaught Exception: no order in /app/a.php:3
Stack trace:
#0 /app/a.php(7): order()
#1 {main}
  thrown in /app/a.php on line 3`

describe('the lines of an entry', () => {
  it.each(Object.entries({ java, python, go, node, rust, php }))('a trace of %s is one', (_name, trace) => {
    const lines = trace.split('\n')
    expect(entriesOf(`before\n${trace}\nafter it`)).toEqual([['before'], lines, ['after it']])
  })

  it('an exception goes on with the line that reports trouble, and with no other', () => {
    expect(entriesOf('ERROR failed\nTraceback (most recent call last):\n  File\nKeyError: 1')).toHaveLength(1)
    expect(entriesOf('started\njava.io.IOException: x\n\tat a.B.c(B.java:1)')).toHaveLength(2)
    expect(entriesOf('started\nTraceback (most recent call last):\n  File\nKeyError: 1')).toHaveLength(2)
  })

  it('what is indented goes on with what is not', () => {
    expect(entriesOf('config:\n  a: 1\n  b: 2\nready')).toEqual([['config:', '  a: 1', '  b: 2'], ['ready']])
  })

  it('programs that indent every line, and ordinary lines, are left alone', () => {
    expect(entriesOf('  one\n  two\n  three')).toHaveLength(3)
    expect(entriesOf('GET /a\nfoo(bar)\n#1 first\n\nnote: x\n}\nError: y\nat home\n... and more')).toHaveLength(9)
  })
})
